#!/bin/sh
# Checks that tests/cycles.sh and tests/headers.sh find what they look for: each gets a tiny library that
# keeps the rules, and then one that breaks one of them.
#
# usage: tests/test_structure.sh [COMPILER]
set -eu
cc=${1:-cc}
tests=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -r "$root"' EXIT
cd "$root"

# file NAME: a source or header of the library, from standard input.
file() { mkdir -p "$(dirname "$1")" && cat >"$1"; }

# Compiles lib/*.c as CMake does.
build() {
	rm -rf tiny.dir
	mkdir -p tiny.dir/lib
	for source in lib/*.c; do
		"$cc" -I. -c "$source" -o "tiny.dir/$source.o"
	done
}

# holds SCRIPT ARGUMENT... and breaks "WORDS OF THE OFFENCE" SCRIPT ARGUMENT...
holds() {
	"$@" >out 2>&1 || { echo "refused what keeps the rules: $*"; cat out; exit 1; }
}
breaks() {
	words=$1
	shift
	if "$@" >out 2>&1; then echo "saw nothing: $words"; exit 1; fi
	grep -qF "$words" out || { echo "did not say '$words', but:"; cat out; exit 1; }
}
headers() { "$tests/headers.sh" . tiny.dir/lib/*.o; }
cycles() { "$tests/cycles.sh" tiny.dir/lib/*.o; }

start() {
	rm -rf lib
	file lib/low.h <<-'END'
		/* A comment that names high_open(int); and a body that calls it. */
		#define LOW(x) high_open(x);
		struct low { int (*high_open)(int); };
		int low_get(int a, int (*visit)(int))
			__attribute__((nonnull(2)));
		extern const char *const low_names[2];
		static inline int low_twice(int a) { return low_get(a, 0) + low_get(a, 0); }
	END
	file lib/low.c <<-'END'
		#include "lib/low.h"
		const char *const low_names[2] = {"a", "b"};
		int low_get(int a, int (*visit)(int)) { return visit ? visit(a) : a; }
	END
	file lib/high.h <<-'END'
		/* Files:
		 *   high.c   above
		 *   low.c    below */
		int high_open(int a);
		int lib_offer(void);
	END
	file lib/high.c <<-'END'
		#include "lib/high.h"
		#include "lib/low.h"
		int high_open(int a) { return low_get(a, 0); }
		int lib_offer(void) { return 1; }
	END
}

start
build
holds headers
holds cycles

file lib/low.c <<-'END'
	#include "lib/high.h"
	#include "lib/low.h"
	const char *const low_names[2] = {"a", "b"};
	int low_get(int a, int (*visit)(int)) { return visit ? visit(a) : high_open(a); }
END
build
breaks 'lib/low.c -> lib/high.c by high_open' cycles

start
echo 'int low_more(void) { return 0; }' >>lib/low.c
build
breaks 'lib/low.c: low_more is not declared in lib/low.h' headers

start
echo 'extern const char *const low_names[2];' >>lib/high.h
build
breaks 'lib/low.c: low_names is declared in lib/high.h' headers

start
echo 'int get(void) { return 0; }' >>lib/low.c
echo 'int get(void);' >>lib/low.h
build
breaks 'lib/low.c: get does not begin with its module' headers

start
echo 'int third_part;' >lib/third.c
echo 'extern int third_part;' >lib/third.h
build
breaks 'lib/high.h: its map lacks third.c' headers

start
sed -i 's/low\.c /lower.c /' lib/high.h
build
breaks 'lib/high.h: its map names what is not there: lower.c' headers

echo "structure: cycles.sh and headers.sh see each offence"

#!/bin/sh
# What a user of libsteadycache does: installs it, builds the examples with pkg-config, as C, as C++ and with the
# static library, and runs them, under valgrind too; the one in Python as well, if Debian's is there.
#
# usage: tests/library/run.sh BUILD
set -eu
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
strict="-Wall -Wextra -Wpedantic -Werror"

fail() {
	echo "library: $*"
	exit 1
}

for component in runtime development; do
	cmake --install "$build" --prefix "$folder/usr" --component "$component" >/dev/null
done
pc=$(find "$folder/usr" -name steadycache.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(pkg-config --variable=libdir steadycache)
export LD_LIBRARY_PATH
[ "$(pkg-config --modversion steadycache)" = "$(sed -n 's/^#define STEADYCACHE_VERSION  *"\(.*\)"/\1/p' \
	"$folder/usr/include/steadycache/steadycache.h")" ] || fail "two versions"

# The manual page is right, and has the functions of the header.
page=$(find "$folder/usr" -name libsteadycache.3)
names() {
	grep -o 'steadycache_[a-z_]*' | sort -u
}
sed -n '/^STEADYCACHE_API/,/(/p' "$folder/usr/include/steadycache/steadycache.h" | grep -o 'steadycache_[a-z_]*(' |
	names >"$folder/declared"
sed -n 's/^\.F[no] //p' "$page" | sed 's/ .*//' | names >"$folder/described"
diff "$folder/declared" "$folder/described" || fail "the header declares other functions (<) than the manual page (>)"
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$page" || fail "mandoc complains"
fi

# The words of pkg-config and of $strict are meant to be split.
# shellcheck disable=SC2046,SC2086
for example in cache completions; do
	source=$root/examples/$example.c
	cc -std=c11 -D_POSIX_C_SOURCE=200809L $strict -o "$folder/$example-c" "$source" -pthread \
		$(pkg-config --cflags --libs steadycache)
	cc -std=c11 -D_POSIX_C_SOURCE=200809L $strict -o "$folder/$example-static" "$source" -pthread \
		$(pkg-config --cflags steadycache) -L"$LD_LIBRARY_PATH" -l:libsteadycache.a -Wl,--as-needed \
		$(pkg-config --static --libs steadycache)
	if readelf -d "$folder/$example-static" | grep -q libsteadycache; then
		fail "the static program needs the shared library"
	fi
	kinds="c static"
	if command -v g++ >/dev/null; then
		g++ -std=c++17 $strict -x c++ -o "$folder/$example-cxx" "$source" -x none -pthread \
			$(pkg-config --cflags --libs steadycache)
		kinds="c static cxx"
	fi
done

# expect OUTPUT COMMAND...
expect() {
	wanted=$1
	shift
	found=$("$@" 2>&1) || fail "$*: $found"
	[ "$found" = "$wanted" ] || fail "$*: $found"
}

for kind in $kinds; do
	url="sqlite://$folder/$kind"
	expect "new: Why? I have thought about 4 letters." "$folder/cache-$kind" "$url" "Why?"
	expect "known: Why? I have thought about 4 letters." "$folder/cache-$kind" "$url" "Why?"
	expect "5000 set and read, 0 failures" "$folder/completions-$kind" "$url" 5000
	expect "5000 set and read, 0 failures" "$folder/completions-$kind" memory:// 5000
done
# The program of the documentation.
sed -n '/^```c$/,/^```$/{/^```/!p}' "$root/docs/library.md" >"$folder/program.c"
# shellcheck disable=SC2046,SC2086
cc -std=c11 $strict -o "$folder/program" "$folder/program.c" $(pkg-config --cflags --libs steadycache)
(cd "$folder" && expect "hello" ./program)

if "$folder/cache-c" nothing:// x 2>"$folder/error" || ! grep -q "names no backend" "$folder/error"; then
	fail "an error has no sentence"
fi

if command -v valgrind >/dev/null; then
	valgrind -q --leak-check=full --error-exitcode=9 "$folder/completions-c" "sqlite://$folder/valgrind" 20 ||
		fail "valgrind complains"
fi
# Debian's: another one may bring an older C library.
if [ -x /usr/bin/python3 ]; then
	STEADYCACHE_LIBRARY=$LD_LIBRARY_PATH/libsteadycache.so.0 \
		/usr/bin/python3 "$root/tests/library/test_python.py" "$root/examples" >"$folder/python" 2>&1 ||
		{ cat "$folder/python"; fail "the example in Python"; }
else
	echo "library: no /usr/bin/python3: the example in Python is not run"
fi
command -v g++ >/dev/null || echo "library: no g++: nothing is built as C++"
echo "library: installed; examples as $kinds"

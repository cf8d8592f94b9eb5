#!/bin/sh
# What `cmake --install` puts in place is enough to build plugins with a compiler and pkg-config alone: the
# template, which then keeps its entries and passes the contract, and one in C++.
#
# usage: tests/plugins/test_install.sh SOURCE BUILD
set -eu
for program in cc make pkg-config; do
	command -v $program >/dev/null || { echo "install: skipped, there is no $program"; exit 77; }
done
cxx=$(command -v c++ || true)
[ -n "$cxx" ] || echo "install: nothing is compiled as C++, there is no c++"
source=$1 build=$2
folder=$(mktemp -d)
server=
clean() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
	rm -rf "$folder"
}
trap clean EXIT
fail() {
	echo "install: $*"
	exit 1
}

prefix=$folder/prefix
cmake --install "$build" --prefix "$prefix" >"$folder/install.log" || { cat "$folder/install.log"; fail "cmake --install"; }
export PKG_CONFIG_PATH="$prefix/share/pkgconfig"
flags=$(pkg-config --cflags steadycache-driver)
plugins=$(pkg-config --variable=plugindir steadycache-driver)
[ "$(pkg-config --variable=abi steadycache-driver)" = 1 ] || fail "the .pc names no version"

# The header alone, in all the languages that it says.
for header in driver slice; do
	echo "#include <steadycache/$header.h>" >"$folder/alone.c"
	for standard in c11 c17 gnu17; do
		# shellcheck disable=SC2086 # flags
		cc -std=$standard -Wall -Wextra -pedantic -Werror -fsyntax-only $flags "$folder/alone.c"
	done
	for standard in ${cxx:+c++11 c++17 c++20}; do
		# shellcheck disable=SC2086
		c++ -x c++ -std=$standard -Wall -Wextra -pedantic -Werror -fsyntax-only $flags "$folder/alone.c"
	done
done

mkdir -p "$folder/plugin" "$plugins"
cp "$source/examples/plugin/"* "$folder/plugin"
make -s -C "$folder/plugin" CFLAGS='-O2 -Wall -Wextra -pedantic -Werror'
cp "$folder/plugin/log.so" "$plugins/"

# start BACKEND: the installed server; "url" is its address.
start() {
	: >"$folder/log"
	"$prefix/bin/steadycache" --listen 127.0.0.1:0 --data-dir "$folder/data" --backend "$1" 2>"$folder/log" &
	server=$!
	for _ in $(seq 200); do
		url=$(sed -n 's/.*msg=listening address=\([^ ]*\).*/\1/p' "$folder/log")
		[ -z "$url" ] || return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.05
	done
	cat "$folder/log"
	fail "$1 does not start"
}
stop() {
	kill "$1" "$server"
	wait "$server" 2>/dev/null || true
	server=
}

client() {
	STEADYCACHE_URL="http://$url" "$prefix/bin/steadycache" "$@"
}
if [ -n "$cxx" ]; then
	# shellcheck disable=SC2086
	c++ -std=c++17 -Wall -Wextra -pedantic -Werror -O2 -fPIC -shared $flags -o "$plugins/map.so" \
		"$source/tests/plugins/map.cc"
	start plugin:map
	client set ns k 'a value' || fail "a plugin in C++ stores nothing"
	[ "$(client get ns k)" = 'a value' ] || fail "a plugin in C++ returns something else"
	stop -TERM
	"$prefix/bin/steadycache" check-plugin plugin:map >"$folder/checked" || { cat "$folder/checked"; fail "map.cc"; }
fi
start plugin:log
client set ns k 'a value' || fail "the template stores nothing"
stop -KILL
start plugin:log.so
[ "$(client get ns k)" = 'a value' ] || fail "the template has lost an entry"
stop -TERM

# The one over LMDB, from its source, as docs/lmdb.md says.
if pkg-config --exists lmdb; then
	# shellcheck disable=SC2046
	cc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden \
		"$source"/plugins/lmdb/*.c -o "$plugins/lmdb.so" \
		$(pkg-config --cflags --libs steadycache-driver lmdb) -pthread
	[ "$(nm -D --defined-only "$plugins/lmdb.so" | awk '{ print $3 }')" = steadycache_driver ] ||
		fail "lmdb.so shows more than its entry"
	start plugin:lmdb
	client set ns k 'a value' || fail "the plugin over LMDB stores nothing"
	stop -KILL
	start 'plugin:lmdb?max_size_mb=16'
	[ "$(client get ns k)" = 'a value' ] || fail "the plugin over LMDB has lost an entry"
	if "$prefix/bin/steadycache" --listen 127.0.0.1:0 --data-dir "$folder/data" --backend plugin:lmdb \
		2>"$folder/second"; then
		fail "a second server opens the same store"
	fi
	grep -q 'in use by another server' "$folder/second" || { cat "$folder/second"; fail "a second server"; }
	stop -TERM
fi

STEADYCACHE_TEST_BACKEND="plugin:$folder/plugin/log.so" "$build/test_contract" -j2 \
	--filter '@(entries|persistence|batch|conditions)/*' >"$folder/contract.log" 2>&1 ||
	{ tail -40 "$folder/contract.log"; fail "the template breaks the contract"; }
grep 'Synthesis' "$folder/contract.log"

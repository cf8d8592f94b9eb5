#!/bin/sh
# No two source files define one external symbol. With static libraries the linker takes the first: a backend
# might then silently call another backend's function of the same name.
#
# usage: tests/unique_symbols.sh LIBRARY.a...
set -eu
twice=$(nm -A --defined-only --extern-only "$@" 2>/dev/null |
	awk 'NF == 3 && $2 ~ /^[TDBRV]$/ { print $3 }' | sort | uniq -d)
if [ -n "$twice" ]; then
	echo "defined more than once:"
	for symbol in $twice; do
		nm -A --defined-only --extern-only "$@" 2>/dev/null | grep " $symbol\$"
	done
	exit 1
fi
echo "unique symbols: no name is defined twice"

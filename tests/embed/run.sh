#!/bin/sh
# libsteadycache, static and shared, in another program: it works there, takes no name that is not its own, and
# shows what its header declares.
#
# usage: tests/embed/run.sh HEADER ARCHIVE SHARED PROGRAM...
set -eu
header=$1 archive=$2 shared=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

sed -n '/^STEADYCACHE_API/,/(/p' "$header" | grep -o 'steadycache_[a-z_]*(' | tr -d '(' | sort -u >"$folder/declared"
nm -g --defined-only "$archive" | awk 'NF == 3 && $3 !~ /^__/ { print $3 }' | sort >"$folder/static"
nm -D --defined-only "$shared" | awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$folder/shared"
for kind in static shared; do
	if ! diff "$folder/declared" "$folder/$kind"; then
		echo "embed: the header declares other names (<) than the $kind library has (>)"
		exit 1
	fi
done
if readelf -d "$shared" | grep TEXTREL; then
	echo "embed: the shared library is not position-independent"
	exit 1
fi
for program in "$@"; do
	"$program" "$folder"
done

#!/bin/sh
# No circle between the files of one library: upper files call lower ones, and nothing calls back. Checked by
# the symbols of the object files; a library is a folder NAME.dir, as CMake makes them. A circle is printed
# with the symbols that close it. To end it, move a function down, or let the upper file pass a pointer to one
# down.
#
# usage: tests/cycles.sh OBJECT...
set -eu
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# "LIBRARY USER OWNER SYMBOL" for every symbol that one file of a library uses and another one defines.
nm -A "$@" | awk '
	{
		sub(/:/, " ")
		library = file = $1
		sub(/\.dir\/.*/, "", library); sub(/.*\//, "", library)
		sub(/.*\.dir\/(\.\/)?/, "", file); sub(/\.o$/, "", file)
		type = $(NF - 1); symbol = library " " $NF
	}
	type ~ /^[TDBRVWC]$/ && $NF !~ /^__/ { owner[symbol] = file }
	type == "U" { uses[++count] = file " " symbol }
	END {
		for (i = 1; i <= count; i++) {
			split(uses[i], use, " ")
			symbol = use[2] " " use[3]
			if (symbol in owner && owner[symbol] != use[1])
				print use[2], use[1], owner[symbol], use[3]
		}
	}' | sort -u >"$scratch/edges"

circles=0
# shellcheck disable=SC2013 # no blanks in names of libraries
for library in $(cut -d' ' -f1 "$scratch/edges" | sort -u); do
	grep "^$library " "$scratch/edges" >"$scratch/library"
	cut -d' ' -f2,3 "$scratch/library" | tsort >/dev/null 2>"$scratch/loops" || true
	# tsort names the files of one loop after the other; each loop begins with the words "contains a
	# loop".
	sed -n 's/^tsort: \([^ ]*\)$/\1/p' "$scratch/loops" | sort -u >"$scratch/members"
	[ -s "$scratch/members" ] || continue
	circles=$((circles + 1))
	echo "$library: these files need each other:"
	awk 'NR == FNR { member[$1] = 1; next }
		$2 in member && $3 in member { printf "  %s -> %s by %s\n", $2, $3, $4 }' \
		"$scratch/members" "$scratch/library"
done
[ "$circles" -eq 0 ] || { echo "cycles: $circles libraries have circles"; exit 1; }
echo "cycles: none in $(printf '%s\n' "$@" | sed 's|\.dir/.*||' | sort -u | wc -l) libraries"

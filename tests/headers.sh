#!/bin/sh
# One header for each file: what x.c exports is declared in x.h of its folder, and in no other header. Its
# names begin with its module: the stem of the file, or a folder that contains it. And a map of a folder (a
# comment with lines like " * x.c   what it is") names all of its files. Objects are CMake's,
# NAME.dir/SOURCE.o, with SOURCE relative to ROOT; generated ones and their stand-ins are left out.
#
# usage: tests/headers.sh ROOT OBJECT...
set -eu
root=$1
shift
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# Names that begin otherwise: "FILE PREFIX", one a line. FILE may be a folder, with its last slash. With
# a third word they may stand in that header: the entries of a table, which have one type in common.
cat >"$scratch/exceptions" <<'END'
base/ cache_
base/value_head.c content_type_
base/token_line.c token_
base/clock.c monotonic_
base/clock.c system_clock
store/ cache_
store/ backend_
store/namespace.c eviction_policy_
store/namespace.c compression_
client/ command_ client/command.h
handlers/ handler_ handlers/handlers.h
library/ steadycache_ include/steadycache/steadycache.h
pickle/python_text.c python_
END
# base/ and store/   the vocabulary of the contract: every file outside sees these as one thing
# value_head.c       content types have rules of their own
# command_, handler_ what the tables of commands and of routes consist of
# token_line.c       a line is how a token is written down
# clock.c            names of clocks, which read better than clock_…
# python_            what Python prints, not what a pickle is

# "SOURCE SYMBOL" for all that is external.
nm -A --defined-only --extern-only "$@" | awk '
	{ sub(/:/, " "); source = $1; sub(/.*\.dir\/(\.\/)?/, "", source); sub(/\.o$/, "", source) }
	$(NF - 1) ~ /^[TDBRVWC]$/ && $NF !~ /^(__|main$)/ && source !~ /^(generated|pages)\// { print source, $NF }
	' | sort -u >"$scratch/exports"

# "HEADER NAME" for all that headers declare at the top level, inline functions left out.
cd "$root"
# shellcheck disable=SC2046 # no blanks in names of files
awk 'function declarations(file, text,    n, i, part, parts, name) {
		gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, " ", text)     # comments
		gsub(/"([^"\\\n]|\\.)*"/, "", text)
		gsub(/\n[ \t]*#([^\\\n]|\\.|\\\n)*/, "\n", text)  # directives
		gsub(/extern[ \t\n]*\{/, "", text)               # of C++: extern "C"
		while (gsub(/\{[^{}]*\}/, ";", text))             # bodies
			;
		while (gsub(/\([^()]*\)/, "@", text))             # parameters
			;
		gsub(/__attribute__[ \t\n]*@/, "", text)
		n = split(text, parts, ";")
		for (i = 1; i <= n; i++) {
			part = parts[i]
			if (part ~ /(^|[ \t\n])(static|typedef)[ \t\n]/)
				continue
			if (match(part, /[A-Za-z_0-9]+[ \t\n]*@/))
				name = substr(part, RSTART, RLENGTH - 1)
			else if (part ~ /(^|[ \t\n])extern[ \t\n]/) {
				gsub(/\[[^]]*\]/, "", part)
				sub(/[ \t\n]+$/, "", part)
				name = part
				sub(/.*[^A-Za-z_0-9]/, "", name)
			} else
				continue
			gsub(/[ \t\n]/, "", name)
			print file, name
		}
	}
	FNR == 1 { if (text != "") declarations(file, text); text = ""; file = FILENAME }
	{ text = text "\n" $0 }
	END { declarations(file, text) }' \
	$(find . -name '*.h' ! -path './build/*' ! -path '*/node_modules/*' | sed 's|^\./||' | sort) >"$scratch/declared"

awk -v exceptions="$scratch/exceptions" -v declared="$scratch/declared" '
	BEGIN {
		while ((getline line < exceptions) > 0) {
			split(line, word, " ")
			except[++rules] = word[1]; prefix[rules] = word[2]; table[rules] = word[3]
			delete word
		}
		while ((getline line < declared) > 0) {
			split(line, word, " ")
			headers[word[2]] = headers[word[2]] " " word[1]
		}
	}
	# Whether `name` begins with the module `stem`.
	function begins(name, stem) { return name == stem || index(name, stem "_") == 1 }
	# The same with `stem` in the singular or the plural.
	function belongs(name, stem,    one) {
		one = stem; sub(/(sses|s)$/, "", one)
		return begins(name, stem) || begins(name, stem "s") || begins(name, one) || begins(name, one "ss")
	}
	# The rule of exceptions that `name` falls under, or 0.
	function exception(source, name,    i) {
		for (i = 1; i <= rules; i++)
			if (index(source, except[i]) == 1 && index(name, prefix[i]) == 1)
				return i
		return 0
	}
	function is_named_well(source, name,    i, n, folders, stem) {
		n = split(source, folders, "/")
		stem = folders[n]; sub(/\.c$/, "", stem)
		if (belongs(name, stem))
			return 1
		for (i = 1; i < n; i++)
			if (belongs(name, folders[i]))
				return 1
		return exception(source, name) > 0
	}
	{
		header = $1; sub(/c$/, "h", header)
		n = split(headers[$2], found, " ")
		own = 0
		for (i = 1; i <= n; i++) {
			if (found[i] == header || found[i] == table[exception($1, $2)])
				own = 1
			else
				print $1 ": " $2 " is declared in " found[i]
		}
		if (!own)
			print $1 ": " $2 " is not declared in " header
		if (!is_named_well($1, $2))
			print $1 ": " $2 " does not begin with its module"
	}' "$scratch/exports" >"$scratch/offences"

# A map is a file with two or more such lines.
# shellcheck disable=SC2013 # no blanks in names of folders
for folder in $(sed 's|/[^/]*$||' "$scratch/exports" | sort -u); do
	for map in $(find "$folder" -maxdepth 1 -name '*.[ch]' -exec grep -HcE '^[ /]\*+ +([a-z0-9_]+/)*[a-z0-9_]+\.c\b' {} + |
			awk -F: '$2 > 1 { print $1 }'); do
		sed '/\*\//q' "$map" | grep -oE '([a-z0-9_]+/)*[a-z0-9_]+\.c\b' | sed 's|.*/||' | sort -u >"$scratch/mapped"
		find "$(dirname "$map")" -name '*.c' | sed 's|.*/||' | sort -u >"$scratch/there"
		comm -13 "$scratch/mapped" "$scratch/there" | sed "s|^|$map: its map lacks |"
		comm -23 "$scratch/mapped" "$scratch/there" | sed "s|^|$map: its map names what is not there: |"
	done
done >>"$scratch/offences"

if [ -s "$scratch/offences" ]; then
	cat "$scratch/offences"
	echo "headers: $(wc -l <"$scratch/offences") offences"
	exit 1
fi
echo "headers: $(cut -d' ' -f1 "$scratch/exports" | sort -u | wc -l) files, each with its header"

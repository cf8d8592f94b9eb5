#!/bin/sh
# The folders are the architecture: server -> handlers -> backends -> backends/base, and nothing
# points back. Each rule below prints the includes that break it; any makes this script fail.
#
# usage: tests/include_direction.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"
offences=0

# forbid WHERE PATTERN SENTENCE: no file under WHERE (and none of EXCEPT) includes what matches.
forbid() {
	where=$1 pattern=$2 sentence=$3 except=${4:-^$}
	# shellcheck disable=SC2086 # WHERE is a list of folders
	found=$(find $where -name '*.[ch]' -exec \
		grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" {} + |
		grep -vE "$except" || true)
	if [ -n "$found" ]; then
		printf '%s:\n%s\n\n' "$sentence" "$found"
		offences=$((offences + 1))
	fi
}

ours='backends client handlers server'
forbid backends 'handlers/|server/|(\.\./)+(handlers|server)' 'backends/ includes what stands above it'
forbid backends/base 'backends/[^b]|backends/ba[^s]|backends/b[^a]|\.\./' \
	'backends/base includes what stands above it'
forbid handlers 'server/|\.\./' 'handlers/ includes what stands above it'
forbid "$ours" 'tests/|bench/' 'the product includes its tests'
forbid "$ours" '\.\.?/' 'an include that is not relative to the root'
forbid 'backends client handlers' 'microhttpd\.h' 'only server/ may include microhttpd.h'
forbid "$ours" 'sqlite3' 'only backends/sqlite may include sqlite3.h' '^backends/sqlite/'
forbid "$ours" 'curl/' 'only backends/d1 and client/ may include curl.h' \
	'^(backends/d1|client)/'
forbid 'backends server' 'jansson' 'only handlers/ and backends/d1 may include jansson.h' '^backends/d1/'
forbid handlers 'backends/(memory|sqlite|d1|tiered|registry|disabled)' 'handlers/ knows a particular backend'
forbid backends/memory 'backends/(sqlite|d1|tiered)' 'one backend includes another'
forbid backends/sqlite 'backends/(memory|d1|tiered)' 'one backend includes another'
forbid backends/tiered 'backends/(memory|sqlite|d1)' 'one backend includes another'
forbid backends/d1 'backends/(memory|sqlite|tiered)' 'one backend includes another'
forbid client 'server/|handlers/|backends/[^b]|backends/ba[^s]|backends/b[^a]' \
	'client/ includes more of the project than backends/base'
forbid 'backends handlers' 'client/' 'only server/main.c may include client/'
forbid server 'client/' 'only server/main.c may include client/' '^server/main\.c:'

if [ "$offences" -gt 0 ]; then
	echo "include direction: $offences rules broken"
	exit 1
fi
echo "include direction: all rules hold"

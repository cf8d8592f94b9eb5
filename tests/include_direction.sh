#!/bin/sh
# The folders are the architecture: server -> handlers -> store -> base and backends -> store, and nothing
# points back. Each rule below prints the includes that break it; any such include fails this script.
#
# usage: tests/include_direction.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"
offences=0

# forbid WHERE PATTERN SENTENCE: no file under WHERE (and none of EXCEPT) may include what matches.
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

ours='base pickle store backends steadytext client handlers server library'
forbid base '(pickle|store|backends|steadytext|handlers|server|client)/' 'base/ includes what stands above it'
forbid pickle '(store|backends|steadytext|handlers|server|client)/' 'pickle/ includes what stands above it'
forbid store '(pickle|steadytext|backends|handlers|server|client)/' 'store/ includes what stands above it' '^store/registry\.c:'
forbid backends '(pickle|steadytext|handlers|server|client)/' 'backends/ includes what stands above it'
forbid steadytext '(backends|handlers|server|client)/' 'steadytext/ includes what stands above it, or a particular backend'
forbid library '(pickle|steadytext|handlers|server|client)/' 'library/ includes more of the project than store/, base/ and layers of backends/'
forbid library 'backends/' 'library/ includes a particular backend' 'backends/(tiered/tiered|packed/packed)\.h'
forbid handlers '(backends|steadytext|server|client)/' 'handlers/ includes what stands above it, or a particular backend'
forbid server 'client/' 'only server/main.c may include client/' '^server/main\.c:'
forbid server 'backends/' 'only server/main.c and server/stack.c, stack.h may include a particular backend' \
	'^server/(main\.c|stack\.[ch]):'
forbid client '(store|backends|handlers|server)/' 'client/ includes more of the project than base/, pickle/ and steadytext/' '^client/migrate/'
forbid client/migrate '(backends|server)/' 'client/migrate/ includes a particular backend, or the server'
forbid client/migrate 'handlers/' 'client/migrate/ includes more of handlers/ than the lines of an export' \
	'handlers/transfer/(export|import)_line\.h'
forbid client 'client/migrate/' 'only commands that copy include client/migrate/' \
	'^client/(migrate\.c|import_(sink|lookup|server)\.[ch]|migrate/)'
forbid 'base pickle store backends steadytext client handlers server' 'library/' 'only programs include library/'
forbid "$ours" 'tests/|bench/' 'the product includes its tests'
forbid "$ours" '\.\.?/' 'an include that is not relative to the root'
forbid 'base store backends client handlers' 'microhttpd\.h' 'only server/ may include microhttpd.h'
forbid "$ours" 'sqlite3' 'only backends/sqlite and steadytext/db*.c may include sqlite3.h' '^(backends/sqlite/|steadytext/db(_open)?\.c)'
forbid "$ours" 'curl/' 'only transports of backends/remote, backends/aws, large/s3 and client/ may include curl.h' \
	'^(backends/(remote/(transport_curl|retry_after)|aws/[a-z_]+)\.c|backends/large/s3/|client/)'
forbid "$ours" 'jansson' 'only the readers of what D1, DynamoDB and AWS answer, and client/, may include jansson.h' \
	'^(backends/(d1|dynamodb|remote|aws)|client)/'
forbid "$ours" 'expat' 'only backends/large/s3/xml.c may include expat.h' '^backends/large/s3/xml\.c'
forbid "$ours" 'hiredis/' 'only backends/redis may include hiredis' '^backends/redis/'
over_remote='d1 dynamodb redis large'
over_aws='dynamodb large'
# backends/persist stands on memory and sqlite, and knows no more of them than these.
under_persist='"backends/(memory/(memory|mirror/(mirror|copy))|sqlite/(sqlite|read/rows))\.h"'
for backend in $(find backends -mindepth 1 -maxdepth 1 -type d -printf '%f\n'); do
	others=$(find backends -mindepth 1 -maxdepth 1 -printf '%f\n' | sed 's/\.[ch]$//' | grep -vx "$backend")
	case " $over_remote " in *" $backend "*) others=$(echo "$others" | grep -vx remote) ;; esac
	case " $over_aws " in *" $backend "*) others=$(echo "$others" | grep -vx aws) ;; esac
	forbid "backends/$backend" "backends/($(echo "$others" | sort -u | paste -sd'|'))[/.]" \
		'one backend includes another' "^backends/persist/.*$under_persist"
done

# Drivers use only driver.h, which is their ABI.
forbid plugins '(base|pickle|store|backends|steadytext|client|handlers|server)/' 'a plugin includes more than driver.h'
forbid include '(base|pickle|store|backends|steadytext|client|handlers|server)/' 'an installed header includes one that is not'
forbid "$ours" 'store/keeper/' 'only keeper.h of store/keeper is for others' \
	'^store/keeper/|store/keeper/keeper\.h'
forbid backends/plugin 'store/(registry|find|place)' 'backends/plugin includes the table that has it'
forbid store 'store/keeper/' 'store/ includes the keeper, which stands above it' '^store/keeper/'

# Of backends/sqlite: sqlite.c and background.c -> read and write -> store.h -> file. What waits between
# read and write is declared in uses.h and values.h.
forbid backends/sqlite/file 'backends/sqlite/(read/|write/|[a-z_]+\.h)' 'sqlite/file includes what stands above it'
forbid backends/sqlite/read 'backends/sqlite/(write/|(sqlite|background|gauges)\.h)' \
	'sqlite/read includes the writer, or what stands above it'
forbid backends/sqlite/write 'backends/sqlite/(read/|(sqlite|background|gauges)\.h)' \
	'sqlite/write includes readers, or what stands above it' \
	'^backends/sqlite/write/(changes\.h:.*/values\.h|health\.c:.*/readers\.h)'

# Of handlers/: folders that answer requests do not know each other; below them are flight -> json -> respond.
kinds='entry namespace batch transfer admin pages pickle watch'
for kind in $kinds; do
	others=$(echo "$kinds" | tr ' ' '\n' | grep -vx "$kind" | paste -sd'|')
	forbid "handlers/$kind" "handlers/($others)" 'one kind of handlers includes another'
done
forbid 'handlers/flight handlers/json handlers/respond' "handlers/($(echo "$kinds" | tr ' ' '|')|handlers\.h)" \
	'what handlers stand on includes one of them'
forbid handlers/json 'handlers/flight' 'handlers/json includes flight'
forbid handlers/respond 'handlers/(flight|json)' 'handlers/respond includes what stands above it'

# What all remote backends share names none of them, not even in a text.
found=$(grep -rnwiE 'd1|worker|d1_[a-z_]+' backends/remote || true)
if [ -n "$found" ]; then
	printf '%s:\n%s\n\n' 'backends/remote names a particular upstream' "$found"
	offences=$((offences + 1))
fi

if [ "$offences" -gt 0 ]; then
	echo "include direction: $offences rules broken"
	exit 1
fi
echo "include direction: all rules hold"

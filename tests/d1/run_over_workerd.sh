#!/bin/sh
# Runs a suite against the d1 backend with the real thing behind it: the Worker of worker/ on workerd
# with a local D1, and a shim of Cloudflare's REST API on the same database.
#
# usage: tests/d1/run_over_workerd.sh BUILD SUITE MODE [ARGUMENTS]
#   BUILD      folder with steadycache, test_contract and conformance
#   SUITE      contract (no HTTP server of ours in between) or conformance (HTTP, all the way)
#   MODE       worker or rest; with conformance also direct: the Worker itself is asked
#   ARGUMENTS  go to the suite, e.g. --filter 'ttl/*'
# STEADYCACHE_WORKER_DIR names another folder than worker/ that has its node_modules.
# Exit 77: there is no node, or the Worker's packages are not installed (npm ci in worker/).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd) suite=$2 mode=$3
shift 3
worker=${STEADYCACHE_WORKER_DIR:-$root/worker}
scratch=$(mktemp -d)
upstream=""
server=""

stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$upstream" ] || kill "$upstream" 2>/dev/null || true
	wait
	rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 1' INT TERM

# await FILE PATTERN: what follows PATTERN on its line, once it is there.
await() {
	tries=0
	until found=$(sed -n "s|.*$2||p" "$1" | head -n 1) && [ -n "$found" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 600 ]; then
			echo "run_over_workerd: no \"$2\" in:" >&2
			cat "$1" >&2
			exit 1
		fi
		sleep 0.1
	done
	echo "$found"
}

if ! command -v node >/dev/null || [ ! -d "$worker/node_modules" ]; then
	echo "run_over_workerd: skipped: no node, or no packages in $worker (npm ci)"
	exit 77
fi
node "$worker/test/serve.mjs" --port 0 --api-key test-key --rest-port 0 --rest-token test-token \
	>"$scratch/upstream" 2>&1 &
upstream=$!
worker_url=$(await "$scratch/upstream" 'listening ')
rest_url=$(await "$scratch/upstream" 'rest ')

if [ "$suite" = contract ]; then
	export STEADYCACHE_TEST_BACKEND=d1 STEADYCACHE_TEST_D1_REST_URL="$rest_url" \
		STEADYCACHE_TEST_D1_REST_TOKEN=test-token
	if [ "$mode" != rest ]; then
		export STEADYCACHE_TEST_D1_URL="$worker_url" STEADYCACHE_TEST_D1_KEY=test-key
	fi
	"$build/test_contract" -j1 --color=never "$@"
	exit
fi

if [ "$mode" = direct ]; then
	# workerd has an HTTP parser of its own; worker/README.md says what differs.
	STEADYCACHE_URL="$worker_url" STEADYCACHE_API_KEY=test-key \
		STEADYCACHE_LACKS=raw,dot-segments,unknown-methods,large-values,single-flight,openapi,export,request-figures,request-id,log-level \
		"$build/conformance" -j4 --color=never "$@"
	exit
fi
if [ "$mode" = rest ]; then
	export STEADYCACHE_D1_MODE=rest STEADYCACHE_D1_REST_URL="$rest_url" \
		STEADYCACHE_D1_ACCOUNT_ID=test-account STEADYCACHE_D1_DATABASE_ID=test-database \
		STEADYCACHE_D1_TOKEN=test-token
fi
STEADYCACHE_BACKEND=d1 STEADYCACHE_LISTEN=127.0.0.1:0 STEADYCACHE_MAX_BODY_MB=1.25 \
	STEADYCACHE_D1_TIMEOUT=30 STEADYTEXT_D1_API_URL="$worker_url" \
	STEADYTEXT_D1_API_KEY=test-key "$build/steadycache" serve 2>"$scratch/server" &
server=$!
address=$(await "$scratch/server" 'listening.* address=' | cut -d' ' -f1)
status=0
STEADYCACHE_URL="http://$address" STEADYCACHE_TEST_MAX_BODY=1310720 STEADYCACHE_API_KEY="" \
	STEADYCACHE_LACKS=large-values \
	"$build/conformance" -j4 --color=never "$@" || status=$?
if ! kill "$server" || ! wait "$server"; then
	echo "run_over_workerd: the server did not stop well:"
	cat "$scratch/server"
	status=1
fi
server=""
exit "$status"

#!/bin/sh
# Runs a suite with the real thing: the Worker of worker/ on workerd with a local D1.
#
# usage: tests/d1/run_over_workerd.sh BUILD SUITE [ARGUMENTS]
#   BUILD      folder with steadycache, test_contract and conformance
#   SUITE      contract     the d1 backend in front of the Worker
#              conformance  the server with the d1 backend in front of the Worker
#              direct       conformance, of the Worker itself
#   ARGUMENTS  go to the suite, e.g. --filter 'ttl/*'
# STEADYCACHE_WORKER_DIR names another folder than worker/ that has its node_modules. Exit 77: node is
# missing, or the Worker's packages are not installed (npm ci in worker/).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd) suite=$2
shift 2
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

# await FILE PATTERN: prints what follows PATTERN on its line, once it is there.
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
node "$worker/test/serve.mjs" --port 0 --api-key test-key --emptier \
	>"$scratch/upstream" 2>&1 &
upstream=$!
worker_url=$(await "$scratch/upstream" 'listening ')

if [ "$suite" = contract ]; then
	STEADYCACHE_TEST_BACKEND=d1 STEADYCACHE_TEST_D1_URL="$worker_url" \
		STEADYCACHE_TEST_D1_KEY=test-key \
		STEADYCACHE_TEST_D1_EMPTIER_URL=$(await "$scratch/upstream" 'emptier ') \
		"$build/test_contract" -j1 --color=never "$@"
	exit
fi

if [ "$suite" = direct ]; then
	# workerd has an HTTP parser of its own; worker/README.md says what differs.
	STEADYCACHE_URL="$worker_url" STEADYCACHE_API_KEY=test-key \
		STEADYCACHE_LACKS=speed,webdav,compression,raw,dot-segments,unknown-methods,large-values,single-flight,openapi,export,watch,request-figures,request-id,log-level,pickle \
		"$build/conformance" -j4 --color=never "$@"
	exit
fi
STEADYCACHE_BACKEND=d1 STEADYCACHE_LISTEN=127.0.0.1:0 STEADYCACHE_MAX_BODY_MB=1.25 \
	STEADYCACHE_D1_TIMEOUT=30 STEADYTEXT_D1_API_URL="$worker_url" \
	STEADYTEXT_D1_API_KEY=test-key "$build/steadycache" serve 2>"$scratch/server" &
server=$!
address=$(await "$scratch/server" 'listening.* address=' | cut -d' ' -f1)
status=0
STEADYCACHE_URL="http://$address" STEADYCACHE_TEST_MAX_BODY=1310720 STEADYCACHE_API_KEY="" \
	STEADYCACHE_LACKS=speed,large-values \
	"$build/conformance" -j4 --color=never "$@" || status=$?
if ! kill "$server" || ! wait "$server"; then
	echo "run_over_workerd: the server did not stop well:"
	cat "$scratch/server"
	status=1
fi
server=""
exit "$status"

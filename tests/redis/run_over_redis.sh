#!/bin/sh
# Runs a suite with the real thing: a redis-server of its own, on a Unix socket in a temporary folder.
#
# usage: tests/redis/run_over_redis.sh BUILD SUITE [ARGUMENTS]
#   BUILD      folder with steadycache, test_contract and conformance
#   SUITE      contract     the redis backend
#              conformance  the server with the redis backend
#   ARGUMENTS  go to the suite, e.g. --filter 'ttl/*'
# STEADYCACHE_REDIS_SERVER names another program. Exit 77: it is missing.
set -eu
build=$(cd "$1" && pwd) suite=$2
shift 2
program=${STEADYCACHE_REDIS_SERVER:-redis-server}
scratch=$(mktemp -d)
redis=""
server=""

stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$redis" ] || kill "$redis" 2>/dev/null || true
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
			echo "run_over_redis: no \"$2\" in:" >&2
			cat "$1" >&2
			exit 1
		fi
		sleep 0.1
	done
	echo "$found"
}

if ! command -v "$program" >/dev/null; then
	echo "run_over_redis: skipped: no $program"
	exit 77
fi
"$program" --port 0 --unixsocket "$scratch/socket" --dir "$scratch" --save '' \
	>"$scratch/redis" 2>&1 &
redis=$!
await "$scratch/redis" 'The server is now ready to accept connections' >/dev/null
url="unix://$scratch/socket"

if [ "$suite" = contract ]; then
	STEADYCACHE_TEST_BACKEND=redis STEADYCACHE_TEST_REDIS_URL="$url" \
		"$build/test_contract" -j1 --color=never "$@"
	exit
fi
STEADYCACHE_BACKEND="$url" STEADYCACHE_LISTEN=127.0.0.1:0 \
	"$build/steadycache" serve 2>"$scratch/server" &
server=$!
address=$(await "$scratch/server" 'listening.* address=' | cut -d' ' -f1)
status=0
STEADYCACHE_URL="http://$address" STEADYCACHE_API_KEY="" \
	"$build/conformance" -j4 --color=never "$@" || status=$?
if ! kill "$server" || ! wait "$server"; then
	echo "run_over_redis: the server did not stop well:"
	cat "$scratch/server"
	status=1
fi
server=""
exit "$status"

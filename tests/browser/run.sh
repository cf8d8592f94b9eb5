#!/bin/sh
# The pages in headless Chromium. Exit 77: node, a browser or its package is missing, or the server was built
# without pages.
#
# usage: tests/browser/run.sh SERVER
set -eu
server=$1
cd "$(dirname "$0")"
skip() {
	echo "browser tests: skipped: $1"
	exit 77
}
command -v node >/dev/null || skip "no node"
[ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 20 ] || skip "node is older than 20"
[ -d node_modules/playwright-core ] || skip "no packages in tests/browser (npm ci)"
STEADYCACHE_BROWSER=${STEADYCACHE_BROWSER:-$(command -v chromium || true)}
[ -n "$STEADYCACHE_BROWSER" ] || skip "no chromium"
STEADYCACHE_TEST_BINARY=${STEADYCACHE_TEST_BINARY:-$server}
export STEADYCACHE_BROWSER STEADYCACHE_TEST_BINARY
exec node --test --test-concurrency=1 --test-reporter=spec ./*.test.mjs

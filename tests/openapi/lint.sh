#!/bin/sh
# openapi/openapi.yaml under the rules of openapi/redocly.yaml. Exit 77: node or the linter's package is
# missing.
set -eu
cd "$(dirname "$0")"
skip() {
	echo "openapi lint: skipped: $1"
	exit 77
}
command -v node >/dev/null || skip "no node"
[ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 20 ] || skip "node is older than 20"
[ -d node_modules/@redocly/cli ] || skip "no packages in tests/openapi (npm ci)"
# Otherwise it would report each run to its maker, and check for newer versions.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
exec node node_modules/@redocly/cli/bin/cli.js lint --config ../../openapi/redocly.yaml \
	--max-problems 1000 "${1:-../../openapi/openapi.yaml}"

#!/bin/sh
# Every operation through a client generated from openapi/openapi.json. Exit 77: node or its packages are
# missing.
#
# usage: tests/openapi/client.sh SERVER
set -eu
skip() {
	echo "openapi client: skipped: $1"
	exit 77
}
command -v node >/dev/null || skip "no node"
[ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 20 ] || skip "node is older than 20"
cd "$(dirname "$0")"
[ -d node_modules/@hey-api/openapi-ts ] || skip "no packages in tests/openapi (npm ci)"
exec node client/run.mjs "$1"

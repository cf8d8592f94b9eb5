#!/bin/sh
# The Worker's own tests and type check. Exit 77: no node, or its packages are not installed.
set -eu
cd "$(dirname "$0")/../../worker"
if ! command -v node >/dev/null || [ ! -d node_modules ]; then
	echo "run_worker_tests: skipped: no node, or no packages in worker/ (npm ci)"
	exit 77
fi
npm run --silent typecheck
npm run --silent test

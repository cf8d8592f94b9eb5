#!/bin/sh
# libsteadycache.a in another program: it works there, and takes no name that is not its own.
#
# usage: tests/embed/run.sh ARCHIVE PROGRAM
set -eu
archive=$1 program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

taken=$(nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' |
	grep -vE '^(backend_|cache_|content_type_|etag_|eviction_policy_|namespace_name_|tiered_(open|wrap)$|__)' || true)
if [ -n "$taken" ]; then
	echo "embed: names that strangers may have themselves:"
	echo "$taken"
	exit 1
fi
"$program" "$folder"

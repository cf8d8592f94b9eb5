#!/bin/sh
# CPU of a PUT of a new key into a full cache of 100,000 entries: with frequencies and ages as years of use
# leave them (heavy-tailed; "many"), and with entries that were all used once ("one").
# usage: bench/frequencies.sh memory|sqlite many|one [BINARY]
set -eu
backend=$1
kind=$2
binary=${3:-build/steadycache}
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT

python3 - "$kind" >"$folder/export" <<'PYTHON'
import random, sys, time
random.seed(1)
now = time.time()
count = 100000
print('{"steadycache_export":1}')
for i in range(count):
    frequency = 1 if sys.argv[1] == "one" else min(int(random.paretovariate(0.5)), 1000000)
    age = random.random() * 86400 * min(1, frequency / 1000)
    print('{"namespace":"ns","key":"old%d","content_type":"text/plain","frequency":%d,"last_access":%f,'
          '"created_at":%f,"expires_at":null,"value":"v"}' % (i, frequency, now - age, now - 90000))
print('{"complete":true,"entries":%d}' % count)
PYTHON
cat >"$folder/put.lua" <<'LUA'
local count = 0
request = function()
	count = count + 1
	return wrk.format("PUT", "/cache/ns/new" .. count, {["Content-Type"] = "text/plain"}, "v")
end
LUA

"$binary" serve --backend "$backend" --data-dir "$folder/data" --listen 127.0.0.1:0 --threads 1 \
	2>"$folder/log" &
server=$!
until address=$(sed -n 's/.*msg=listening address=\([^ ]*\).*/\1/p' "$folder/log") && [ -n "$address" ]; do
	kill -0 "$server" || { cat "$folder/log" >&2; exit 1; }
	sleep 0.1
done
case $address in http*) url=$address ;; *) url=http://$address ;; esac
curl -sS -X PUT -d '{"capacity":100000,"eviction":"frecency"}' "$url/cache/ns"
curl -sS --data-binary "@$folder/export" -H 'Content-Type: application/x-ndjson' "$url/import" >/dev/null
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
before=$(ticks)
wrk -t1 -c16 -d4 -s "$folder/put.lua" "$url/" >"$folder/wrk"
after=$(ticks)
puts=$(awk '/requests in/ { print $1 }' "$folder/wrk")
awk -v backend="$backend" -v kind="$kind" -v puts="$puts" -v ticks=$((after - before)) \
	-v hz="$(getconf CLK_TCK)" \
	'BEGIN { printf "%s, %s: %d PUTs, %.1f us of CPU each\n", backend, kind, puts, ticks / hz * 1e6 / puts }'

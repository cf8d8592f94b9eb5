#!/usr/bin/env python3
"""Mass expiry: what PUTs feel of the sweep, and whether it keeps up.

usage: bench/expiry.py [--backend sqlite|memory] [--binary FILE] [--entries 1000000] [--seconds 30]

  at once     imports --entries that expire at one moment, and sends a PUT every 2 ms before it, beside the
              sweep, and after it: latencies of each, and how long the sweep took
  sustained   5,000 sets a second with a TTL of 3 s, for --seconds: how many entries there are beyond those
              of the last 3 s
"""

import argparse
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time

RATE, TTL_S, BATCH = 5000, 3, 10


class Server:
    def __init__(self, binary, backend):
        self.folder = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            [binary, "serve", "--backend", backend, "--data-dir", self.folder, "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"msg=listening address=127.0.0.1:(\d+)", line):
                self.port = int(found[1])
                break
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.call("POST", "/api/init", json.dumps({"cache_name": "ns", "max_size_mb": 100000}))

    def call(self, method, target, body=None, headers=None):
        self.connection.request(method, target, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, target, answer.status, text)
        return text

    def entry_count(self):
        return json.loads(self.call("GET", "/stats/ns"))["entry_count"]

    def stop(self):
        self.process.terminate()
        self.process.communicate()
        shutil.rmtree(self.folder)


def put_for(server, latencies, until):
    """Sends PUTs at an offered rate until until() holds; each latency is counted from the time at which the
    PUT was due."""
    number = 0
    due = time.perf_counter()
    while not until():
        due += 0.002
        time.sleep(max(0, due - time.perf_counter()))
        if time.perf_counter() - due > 1:  # a stall of the machine, or the time between two windows
            due = time.perf_counter()
        server.call("PUT", f"/cache/other/k{number % 1000}", f"value {number}")
        latencies.append(time.perf_counter() - due)
        number += 1


def tell(name, latencies):
    ordered = sorted(latencies)
    at = [ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99, 0.999)]
    print(f"PUT {name}: {len(ordered)} sent, p50 {at[0]:.2f} ms, p99 {at[1]:.2f} ms, p99.9 {at[2]:.2f} ms, "
          f"most {ordered[-1] * 1000:.1f} ms", flush=True)


def seconds(duration):
    end = time.monotonic() + duration
    return lambda: time.monotonic() >= end


def import_entries(server, entries, expires_at):
    """In ten bodies, because their text takes memory."""
    for part in range(10):
        lines = ['{"steadycache_export":1}']
        for i in range(part * entries // 10, (part + 1) * entries // 10):
            lines.append(f'{{"namespace":"ns","key":"key {i * 2654435761 % 2**32} {i}","content_type":"text/plain",'
                         f'"frequency":1,"expires_at":{expires_at},"value":"{"v" * 100}"}}')
        lines.append(f'{{"complete":true,"entries":{len(lines) - 1}}}')
        server.call("POST", "/import", "\n".join(lines) + "\n", {"Content-Type": "application/x-ndjson"})


def at_once(server, entries):
    expires_at = int(time.time() + 30 + entries / 5000)
    import_entries(server, entries, expires_at)
    print(f"{entries} entries imported, {expires_at - time.time():.0f} s before they expire", flush=True)
    if time.time() + 6 > expires_at:
        sys.exit("the machine is too busy: they expire before anything can be compared")
    before, beside, after = [], [], []
    put_for(server, before, seconds(5))
    time.sleep(max(0, expires_at - time.time()))
    began = time.monotonic()
    while (left := server.entry_count()) > 0 and time.monotonic() - began < 300:
        put_for(server, beside, seconds(0.5))
    print(f"gone after {time.monotonic() - began:.1f} s" if left == 0 else f"{left} left after 300 s", flush=True)
    put_for(server, after, seconds(5))
    for name, latencies in (("before", before), ("beside the sweep", beside), ("after", after)):
        tell(name, latencies)


def sustained(server, duration):
    number, most, late = 0, 0, 0
    began = time.monotonic()
    looked = began
    while (passed := time.monotonic() - began) < duration:
        items = [{"key": f"t{number + i}", "value": "v" * 100, "ttl": TTL_S} for i in range(BATCH)]
        server.call("POST", "/batch/ns/set", json.dumps({"items": items}), {"Content-Type": "application/json"})
        number += BATCH
        if time.monotonic() - looked >= 1:
            looked = time.monotonic()
            most = max(most, server.entry_count())
        ahead = number / RATE - (time.monotonic() - began)
        late = max(late, -ahead)
        time.sleep(max(0, ahead))
    print(f"sustained: {number / passed:.0f} sets a second, at most {most} entries where {RATE * TTL_S} are alive",
          flush=True)
    began = time.monotonic()
    while server.entry_count() > 0 and time.monotonic() - began < 60:
        time.sleep(0.02)
    print(f"all gone {time.monotonic() - began:.1f} s after the last set, {TTL_S} s of which they were alive")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="sqlite")
    parser.add_argument("--binary", default="build/steadycache")
    parser.add_argument("--entries", type=int, default=1000000)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    for scenario, size in ((sustained, options.seconds), (at_once, options.entries)):
        if size > 0:
            server = Server(options.binary, options.backend)
            try:
                scenario(server, size)
            finally:
                server.stop()


if __name__ == "__main__":
    main()

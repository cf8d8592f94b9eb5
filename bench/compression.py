#!/usr/bin/env python3
"""What compression at rest saves and costs: values of several kinds in a namespace with `compression: zstd`
beside the same in one without, on one server in memory. Time is the server's own (CPU, user and system),
microseconds a request; requests of both namespaces alternate in rounds.

usage: bench/compression.py [PROGRAM] [--requests N]"""

import argparse
import base64
import glob
import http.client
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROUNDS = 5


def prose(size):
    """Parts of this project's documents: English with some code, as a language model writes it."""
    text = "".join(open(path, encoding="utf-8").read() for path in sorted(glob.glob(ROOT + "/docs/**/*.md", recursive=True)))
    return [text[at : at + size].encode() for at in range(0, len(text) - size, size)][:100]


def documents():
    """JSON as an API answers it: lists of some 30 records."""
    made = random.Random(1)
    return [
        json.dumps(
            [
                {
                    "id": made.getrandbits(48),
                    "name": f"user {made.randrange(10000)}",
                    "created": f"2026-0{made.randrange(1, 10)}-1{made.randrange(10)}T08:00:00Z",
                    "score": made.random(),
                    "tags": made.sample(["new", "paid", "trial", "staff", "closed"], 2),
                }
                for _ in range(30)
            ]
        ).encode()
        for _ in range(100)
    ]


def pages():
    """HTML: tables of such records."""
    return [
        b"<!doctype html><title>List</title><table class=list>"
        + b"".join(
            "<tr class=row><td class=name><a href='/users/{id}'>{name}</a></td><td class=date>{created}</td>"
            "<td class=number>{score:.3f}</td></tr>".format(**record).encode()
            for record in json.loads(document)
        )
        + b"</table>"
        for document in documents()
    ]


def embeddings(coded):
    made = random.Random(2)
    vectors = [[made.gauss(0, 0.03) for _ in range(1024)] for _ in range(100)]
    if coded:
        return [base64.b64encode(struct.pack("<1024f", *vector)) for vector in vectors]
    return [json.dumps([round(number, 6) for number in vector]).encode() for vector in vectors]


KINDS = {
    "prose, 1 KB": lambda: prose(1024),
    "prose, 4 KB": lambda: prose(4096),
    "prose, 64 KB": lambda: prose(65536),
    "JSON records": documents,
    "HTML tables": pages,
    "embeddings, JSON": lambda: embeddings(False),
    "embeddings, base64": lambda: embeddings(True),
}


class Server:
    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [program, "--backend", "memory", "--listen", f"127.0.0.1:{self.port}"],
            env={"PATH": os.environ["PATH"], "STEADYCACHE_DATA_DIR": self.folder.name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.05)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {data[:200]}")
        return data

    def cpu_s(self):
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            total += int(open(path).read().split()[0])
        return total / 1e9

    def close(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def measure(server, values, requests):
    """Microseconds of the server's CPU a request, by what was asked."""
    ways = {
        "PUT": lambda ns, i: server.ask("PUT", f"/cache/{ns}/{i}", values[i]),
        "GET": lambda ns, i: server.ask("GET", f"/cache/{ns}/{i}", Accept_Encoding="identity"),
        "GET zstd": lambda ns, i: server.ask("GET", f"/cache/{ns}/{i}", Accept_Encoding="zstd"),
    }
    spent = {(ns, way): [] for ns in ("plain", "packed") for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            for ns in ("plain", "packed"):
                before = server.cpu_s()
                for i in range(requests // ROUNDS):
                    run(ns, i % len(values))
                spent[ns, way].append((server.cpu_s() - before) / (requests // ROUNDS) * 1e6)
    return {key: sorted(times)[ROUNDS // 2] for key, times in spent.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", nargs="?", default=ROOT + "/build/steadycache")
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()

    print("| values | bytes | ratio | PUT | PUT, zstd | GET | GET, decoded | GET, sent as zstd |")
    print("|---|---|---|---|---|---|---|---|")
    for name, make in KINDS.items():
        server = Server(arguments.program)
        try:
            values = make()
            server.ask("PUT", "/cache/packed", json.dumps({"compression": "zstd"}))
            server.ask("PUT", "/cache/plain", json.dumps({"compression": "none"}))
            spent = measure(server, values, arguments.requests)
            spaces = json.loads(server.ask("GET", "/stats"))["namespaces"]
            ratio = spaces["plain"]["total_size"] / spaces["packed"]["total_size"]
            print(
                f"| {name} | {sum(map(len, values)) // len(values):,} | {ratio:.2f} "
                f"| {spent['plain', 'PUT']:.0f} | {spent['packed', 'PUT']:.0f} | {spent['plain', 'GET']:.0f} "
                f"| {spent['packed', 'GET']:.0f} | {spent['packed', 'GET zstd']:.0f} |",
                flush=True,
            )
        finally:
            server.close()


if __name__ == "__main__":
    main()

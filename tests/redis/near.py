#!/usr/bin/env python3
"""Near caches of three servers that share a Redis: what one server writes ends the copies of the others.

    near.py [--shape SHAPE] [--query TEXT] [--overwrites N] [--load N] [--only PART]...

Measures, from the acknowledgement of an overwrite at one server, when a GET at the others shows it. Then the
news are lost: with the connections over which they come, and by an ACL. A copy then lives for --near-ttl at
most. Without options it takes seconds. Exit 77: there is no redis-server.
"""
import argparse
import contextlib
import itertools
import re
import shutil
import sys
import threading
import time

from bed import MISSING, PROGRAM, Bed, await_that
from load import NAMESPACE, Server, ask
from proxy import Proxy

NEAR_TTL_S = 1.0
LATE_S = 1.0  # a loaded machine; the wanted figure is 0.05


def stat(server, name):
    with contextlib.closing(server.client()) as client:
        client.request("GET", "/metrics")
        text = client.getresponse().read().decode()
    return float(re.search(rf"^steadycache_news_{name} (\S+)$", text, re.M).group(1))


class Fleet:
    def __init__(self, bed, ttl_s, count=3):
        self.servers = [Server(bed.environment, "--near-mb=16", f"--near-ttl={ttl_s}") for _ in range(count)]
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:
            for server in self.servers:
                self.stack.enter_context(server)
            self.await_heard(1)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *problem):
        return self.stack.__exit__(*problem)

    def await_heard(self, value, seconds=20):
        for server in self.servers:
            await_that(lambda: stat(server, "subscribed") == value, f"subscribed {value}", seconds)


class Noise:
    """Clients that read and write other keys."""

    def __init__(self, servers, count):
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(servers[i % len(servers)], i)) for i in range(count)]

    def run(self, server, index):
        with contextlib.closing(server.client()) as client:
            turn = 0
            while not self.over.is_set():
                turn += 1
                if turn % 4 == 0:
                    ask(client, "PUT", f"noise{(turn * 7 + index) % 200}", b"x" * 500)
                else:
                    ask(client, "GET", f"noise{turn % 200}")

    def __enter__(self):
        for each in self.threads:
            each.start()

    def __exit__(self, *_):
        self.over.set()
        for each in self.threads:
            each.join()


class Watch:
    """One client of each server; what each shows of a key, and since when."""

    def __init__(self, fleet):
        self.clients = [server.client() for server in fleet.servers]

    def close(self):
        for client in self.clients:
            client.close()

    def show(self, index, key):
        status, body, _ = ask(self.clients[index], "GET", key)
        if status not in (200, 404):
            sys.exit(f"FAILED: GET is answered with {status}: {body}")
        return body if status == 200 else None

    def delays(self, writer, key, do, expected, limit_s):
        """Has `do` change the key at one server; in seconds how much later each other server shows it."""
        others = [i for i in range(len(self.clients)) if i != writer]
        for i in others:
            self.show(i, key)
        do(self.clients[writer])
        began = time.monotonic()
        found = {}

        def look(i):
            while time.monotonic() - began < limit_s + 5:
                asked = time.monotonic()
                if self.show(i, key) == expected:
                    found[i] = max(asked - began, 0)
                    return
        threads = [threading.Thread(target=look, args=(i,)) for i in others]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        if len(found) < len(others) or max(found.values()) > limit_s:
            sys.exit(f"FAILED: {key} is shown too late: {found}, at most {limit_s} s")
        for i in others:
            if self.show(i, key) != expected:
                sys.exit(f"FAILED: {key} went back at server {i}")
        return found.values()


def put(key, text):
    def do(client):
        status, body, _ = ask(client, "PUT", key, text)
        if status not in (201, 204):
            sys.exit(f"FAILED: PUT is answered with {status}: {body}")
    return do


def remove(path):
    def do(client):
        client.request("DELETE", f"/cache/{NAMESPACE}{path}")
        answer = client.getresponse()
        status, body = answer.status, answer.read()
        if status != 204:
            sys.exit(f"FAILED: DELETE is answered with {status}: {body}")
    return do


def percentile(delays, share):
    return sorted(delays)[min(int(len(delays) * share), len(delays) - 1)] * 1000


def overwrites(bed, options):
    """An overwrite ends the copies of the others, and so do deletes and clears."""
    delays = []
    with Fleet(bed, 3600) as fleet, Noise(fleet.servers, options.load), \
            contextlib.closing(Watch(fleet)) as watch:
        for i in range(options.overwrites):
            text = f"version {i}".encode()
            delays += watch.delays(i % 3, f"k{i % 40}", put(f"k{i % 40}", text), text, LATE_S)
        for what, path in (("delete", "/k0"), ("prefix", "?prefix=k1"), ("clear", "?all")):
            watch.delays(0, "k0", put("k0", b"again"), b"again", LATE_S)
            watch.delays(0, "k12", put("k12", b"again"), b"again", LATE_S)
            watch.delays(1, "k0" if what == "delete" else "k12", remove(path), None, LATE_S)
        for server in fleet.servers:
            if stat(server, "malformed_total") + stat(server, "lost_total") > 0:
                sys.exit("FAILED: news were malformed or lost")
    print(f"overwrites: {len(delays)} copies ended after p50 {percentile(delays, .5):.1f} ms, "
          f"p99 {percentile(delays, .99):.1f} ms, at most {max(delays) * 1000:.1f} ms")


def cut_off(bed, options):
    """The connections of the news are cut, again and again: copies end at the latest by their time."""
    over = threading.Event()

    def cut():
        while not over.wait(0.03):
            for node in bed.nodes:
                with contextlib.suppress(OSError):
                    node.ask("CLIENT", "KILL", "TYPE", "pubsub")
    delays = []
    with Fleet(bed, NEAR_TTL_S) as fleet, contextlib.closing(Watch(fleet)) as watch:
        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            end = time.monotonic() + 1
            for i in itertools.count():
                if time.monotonic() > end:
                    break
                text = f"version {i}".encode()
                delays += watch.delays(i % 3, "k", put("k", text), text, NEAR_TTL_S + LATE_S)
        finally:
            over.set()
            cutter.join()
        fleet.await_heard(1)
        lost = sum(stat(server, "lost_total") for server in fleet.servers)
    if lost == 0:
        sys.exit("FAILED: nothing was cut")
    print(f"cut off: {lost} times; p50 {percentile(delays, .5):.1f} ms, at most {max(delays) * 1000:.1f} ms")


def forbidden(bed, _):
    """Without the rights nothing fails, a copy lives for its time, and the owner is told."""
    def allow(rule):
        for node in bed.nodes:
            node.ask("ACL", "SETUSER", "default", rule)
    delays = []
    allow("resetchannels")
    try:
        with contextlib.ExitStack() as stack:
            fleet = Fleet(bed, NEAR_TTL_S)
            for server in fleet.servers:
                stack.enter_context(server)
            watch = stack.enter_context(contextlib.closing(Watch(fleet)))
            for i in range(3):
                text = f"version {i}".encode()
                delays += watch.delays(i % 3, "k", put("k", text), text, NEAR_TTL_S + LATE_S)
            for server in fleet.servers:
                if "+publish &steadycache:*" not in server.log_text():
                    sys.exit(f"FAILED: the log does not say what to allow:\n{server.log_text()}")
            allow("allchannels")
            fleet.await_heard(1)
            watch.delays(0, "k", put("k", b"allowed"), b"allowed", LATE_S)
    finally:
        allow("allchannels")
    print(f"forbidden: at most {max(delays) * 1000:.1f} ms with --near-ttl={NEAR_TTL_S}")


def paused(bed, _):
    """A Redis that stands still is noticed; what it did meanwhile is seen once it goes on."""
    with Fleet(bed, 3600) as fleet, contextlib.closing(Watch(fleet)) as watch:
        watch.delays(0, "k", put("k", b"before"), b"before", LATE_S)
        for node in bed.nodes:
            node.pause()
        fleet.await_heard(0, 60)
        for node in bed.nodes:
            node.resume()
        began = time.monotonic()
        fleet.await_heard(1)
        back = time.monotonic() - began
        watch.delays(0, "k", put("k", b"behind"), b"behind", LATE_S)
    print(f"paused: noticed; heard again {back:.1f} s after it went on")


def listeners(node):
    return node.ask("CLIENT", "LIST", "TYPE", "pubsub").count(b"steadycache")


def moved(bed, _):
    """The address leads to another server, or in a Cluster another node is the master; the former lives on, and
    so do connections to it. It is told of nothing any more: the news come from where the data are."""
    with contextlib.ExitStack() as stack:
        if len(bed.nodes) > 1:
            fleet = stack.enter_context(Fleet(bed, 3600))
            former = max(bed.masters, key=listeners)
            place = bed.masters.index(former)
            bed.replicas[place].ask("CLUSTER", "FAILOVER")
        else:
            new = stack.enter_context(Bed("plain")).nodes[0]
            proxy = stack.enter_context(Proxy(bed.nodes[0].port))
            bed.environment["STEADYCACHE_BACKEND"] = f"redis://127.0.0.1:{proxy.port}"
            fleet = stack.enter_context(Fleet(bed, 3600))
            former = bed.nodes[0]
            proxy.to_port = new.port
            former.ask("CLIENT", "KILL", "TYPE", "normal")
        watch = stack.enter_context(contextlib.closing(Watch(fleet)))
        if listeners(former) == 0:
            sys.exit("FAILED: nobody listened there")

        def is_left():
            for client in watch.clients:  # what is asked shows where the data are
                ask(client, "PUT", "other", b"")
            return listeners(former) == 0
        await_that(is_left, "news from elsewhere")
        fleet.await_heard(1)
        for i in range(3):
            text = f"version {i}".encode()
            watch.delays(i, "k", put("k", text), text, LATE_S)
    print("moved: the news come from elsewhere")


PARTS = {part.__name__: part for part in (overwrites, cut_off, forbidden, paused, moved)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="plain")
    parser.add_argument("--query", default="")
    parser.add_argument("--overwrites", type=int, default=40)
    parser.add_argument("--load", type=int, default=2)
    parser.add_argument("--only", action="append", choices=PARTS)
    options = parser.parse_args()
    if not shutil.which(PROGRAM):
        sys.exit(MISSING)
    for name in options.only or ["overwrites", "cut_off", "forbidden"]:
        with Bed(options.shape, query=options.query) as bed:
            PARTS[name](bed, options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How entries and namespaces end where two servers with near caches share a Redis.

    endings.py [--shape SHAPE] [--query TEXT] [--build FOLDER]

    expires   another time to live, given at one server, counts for the copies of the other
    drops     a namespace that is dropped at one server is gone at the other, and can be made anew there
    idles     what is in use near does not die of idleness in Redis, and what nobody uses does
    partly    a drop in a Cluster of which a master is away fails, and can be repeated

The first three at the same time. Exit 77: there is no redis-server.
"""
import argparse
import contextlib
import json
import shutil
import sys
import threading
import time

import load
from bed import MISSING, PROGRAM, Bed, await_that

LATE_S = 1.0  # a loaded machine


def fail(text):
    sys.exit(f"FAILED: {text}")


class Client:
    """A client of one of the servers, in one namespace."""

    def __init__(self, server, space):
        self.connection = server.client()
        self.space = space

    def ask(self, method, path="", body=None, headers=None):
        self.connection.request(method, f"/cache/{self.space}{path}", body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def expect(self, status, method, path="", body=None, headers=None):
        found, text = self.ask(method, path, body, headers)
        if found != status:
            fail(f"{method} /cache/{self.space}{path}: {found} {text}, not {status}")
        return text

    def shows(self, key):
        status, body = self.ask("GET", f"/{key}")
        if status not in (200, 404):
            fail(f"GET {key}: {status} {body}")
        return status == 200

    def is_listed(self):
        self.connection.request("GET", "/stats")
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status == 200 and self.space in json.loads(text)["namespaces"]

    def close(self):
        self.connection.close()


def expires(one, other):
    for key, ttl in (("shorter", 3600), ("longer", 1), ("gone", 3600)):
        one.expect(201, "PUT", f"/{key}?ttl={ttl}", b"value")
        if not other.shows(key):
            fail(f"{key} is not there")
    one.expect(204, "PATCH", "/longer?ttl=3600")
    one.expect(204, "PATCH", "/shorter?ttl=1")
    one.expect(204, "DELETE", "/gone")
    one.expect(404, "PATCH", "/gone?ttl=5")
    began = time.monotonic()
    await_that(lambda: not other.shows("shorter"), "the end of the shorter one", 1 + LATE_S)
    if time.monotonic() - began < 0.5:
        fail("the shorter one ended too soon")
    time.sleep(max(began + 1.2 - time.monotonic(), 0))
    if not (other.shows("longer") and one.shows("longer")):
        fail("the longer one ended at its former time")


def drops(one, other):
    for i in range(20):
        one.expect(201, "PUT", f"/{i}", b"value")
        if not other.shows(i):
            fail(f"{i} is not there")
    one.expect(204, "DELETE", "?drop")
    await_that(lambda: not any(other.shows(i) for i in range(20)), "the end of the copies", LATE_S)
    if one.is_listed() or other.is_listed():
        fail("a dropped namespace is still listed")
    other.expect(404, "DELETE", "?drop")
    other.expect(201, "PUT", "/0", b"anew")
    if not (one.is_listed() and other.is_listed()):
        fail("the namespace is not listed again")
    if one.expect(200, "GET", "/0") != b"anew" or one.shows(1):
        fail("its entries are not those that came later")
    other.expect(204, "DELETE", "?drop")
    one.expect(201, "PUT", "/0", b"again")  # by whom it was made the first time
    if not other.is_listed() or not other.shows(0):
        fail("the namespace is not there again")


def idles(one, other):
    one.expect(204, "PUT", "", json.dumps({"max_idle": 1}), {"Content-Type": "application/json"})
    for key in ("used", "left"):
        one.expect(201, "PUT", f"/{key}", b"value")
    end = time.monotonic() + 1.7
    while time.monotonic() < end:
        if not other.shows("used"):
            fail("what is in use near died of idleness")
        time.sleep(0.02)
    if one.shows("left") or not one.shows("used"):
        fail("the wrong one died of idleness")
    time.sleep(1.2)  # a look at it would be a use
    if other.shows("used"):
        fail("what nobody uses stays")


def partly(bed, one, other):
    for i in range(50):
        one.expect(201, "PUT", f"/{i}", b"value")
    bed.masters[0].kill()
    status, text = other.ask("DELETE", "?drop")
    if status not in (503, 504):
        fail(f"a drop without a master: {status} {text}")
    await_that(lambda: one.ask("GET", "/0")[0] in (200, 404) and one.is_listed(),
               "what is left of the namespace, in the list", 30)
    await_that(lambda: one.ask("DELETE", "?drop")[0] == 204, "the second drop", 30)
    one.expect(404, "DELETE", "?drop")
    left = [key for node in (*bed.masters[1:], bed.replicas[0])
            for key in node.ask("KEYS", f"*{{{one.space}:*")]
    if left or other.is_listed():
        fail(f"something is left of the namespace: {left}")


def run(scene, servers, *first):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(Client(server, scene.__name__)))
                   for server in servers]
        scene(*first, *clients)
    print(f"{scene.__name__}: well", flush=True)


def at_once(scenes, servers):
    problems = []

    def one(scene):
        try:
            run(scene, servers)
        except BaseException as problem:  # pylint: disable=broad-except
            problems.append(problem)
    threads = [threading.Thread(target=one, args=(scene,)) for scene in scenes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="plain")
    parser.add_argument("--query", default="")
    parser.add_argument("--build")
    options = parser.parse_args()
    if options.build:
        load.BUILD = options.build
    if not shutil.which(PROGRAM):
        sys.exit(MISSING)
    with Bed(options.shape, query=options.query) as bed, contextlib.ExitStack() as stack:
        def start(*flags):
            return [stack.enter_context(load.Server(bed.environment, "--near-mb=16",
                                                    "--near-ttl=3600", *flags)) for _ in range(2)]
        at_once((expires, drops, idles), start())
        if bed.is_cluster:
            run(partly, start("--redis-timeout=0.5"), bed)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Two steadycache servers on one table of DynamoDB, asked by many clients at once, and judged.

    two_servers.py [--seconds N] [--only SCENE] [--build FOLDER]

    creators   of N that create a key with If-None-Match: * one succeeds
    counters   no increment by compare-and-swap (If-Match) is lost
    batches    a batch is stored as a whole or not at all
    keys       of every shape, listed in byte order
    edge       the largest value is kept, the next one is refused
    clocks     a clock that is a little wrong does no harm, one that is very wrong is named
    settings   of a namespace that the other server made count for a batch, too
    drops      a namespace that the other server dropped is gone, unless it was written to since

The first three also while answers are lost, so that nobody knows what was done. Exit 77: there is no dynalite.
"""
import base64
import contextlib
import json
import random
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

sys.path.append(str(Path(__file__).resolve().parent.parent / "redis"))
from bed import Dynalite  # noqa: E402
import scene as judges  # noqa: E402
from load import Server  # noqa: E402

TROUBLE = ({"kind": "reset-after", "every": 9}, {"kind": "internal", "every": 7},
           {"kind": "conflict", "every": 8, "calls": ["UpdateItem", "TransactWriteItems"]},
           {"kind": "truncate", "every": 31})
UNKNOWN = (429, 503, 504)  # nobody knows what was done


def fail(text):
    sys.exit(f"FAILED: {text}")


class Place:
    """The bed and the servers; `ask` from any thread."""

    def __init__(self, count=2, **variables):
        self.stack = contextlib.ExitStack()
        self.bed = self.stack.enter_context(Dynalite())
        environment = {**self.bed.environment, "STEADYCACHE_DYNAMODB_TIMEOUT": "10", **variables}
        self.servers = [self.stack.enter_context(Server(environment)) for _ in range(count)]
        self.clients = threading.local()
        self.problems = []

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.stack.__exit__(*problem)

    def ask(self, which, method, path, body=None, headers=None):
        which %= len(self.servers)
        clients = self.clients.__dict__
        client = clients.setdefault(which, None) or self.servers[which].client()
        clients[which] = client
        client.request(method, path, body, headers or {})
        answer = client.getresponse()
        return answer.status, answer.read(), answer

    def batch(self, which, what, data):
        status, body, _ = self.ask(which, "POST", f"/batch/ns/{what}", json.dumps(data),
                                   {"Content-Type": "application/json"})
        return status, body

    def in_threads(self, count, work):
        """Runs work(index) in so many threads; a problem in one ends the process."""
        def run(index):
            try:
                work(index)
            except BaseException as problem:  # pylint: disable=broad-except
                self.problems.append(problem)
        threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.problems:
            raise self.problems[0]


def both_calm_and_troubled(scene):
    """Runs a scene twice: as it is, and while answers are lost."""
    def run(options):
        with Place() as place:
            scene(place, options, "calm")
            place.bed.set_faults(*TROUBLE)
            scene(place, options, "troubled")
            errors = place.bed.figures()["errors"]
            if not any("for a test" in error for error in errors):
                fail(f"{scene.__name__}: there was no trouble")
    run.__name__ = scene.__name__
    return run


@both_calm_and_troubled
def creators(place, options, mood):
    rounds, unknown = 0, 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        path, statuses = f"/cache/ns/{mood}-{rounds}", {}

        def create(index, path=path, statuses=statuses):
            status, body, _ = place.ask(index, "PUT", path, f"of {index}", {"If-None-Match": "*"})
            statuses[index] = status
            if status not in (201, 412, *UNKNOWN):
                fail(f"creators: {status} {body!r}")
        place.in_threads(10, create)
        winners = [index for index, status in statuses.items() if status == 201]
        maybe = [index for index, status in statuses.items() if status in UNKNOWN]
        if len(winners) > 1 or (not winners and not maybe):
            fail(f"creators, {mood}: {statuses}")
        place.bed.set_faults() if mood == "troubled" else None
        bodies = {place.ask(which, "GET", path)[1] for which in range(2)}
        place.bed.set_faults(*TROUBLE) if mood == "troubled" else None
        allowed = {f"of {index}".encode() for index in winners or maybe}
        if len(bodies) != 1 or not bodies <= allowed:
            fail(f"creators, {mood}: {statuses}, and there is {bodies}")
        rounds += 1
        unknown += len(maybe)
    print(f"creators, {mood}: {rounds} rounds of 10, {unknown} answers that say nothing", flush=True)


@both_calm_and_troubled
def counters(place, options, mood):
    path = f"/cache/ns/counter-{mood}"
    place.ask(0, "PUT", path, "0")
    counts = {"done": 0, "unknown": 0, "refused": 0}
    lock = threading.Lock()
    end = time.monotonic() + options.seconds

    def increment(index):
        while time.monotonic() < end:
            status, body, answer = place.ask(index, "GET", path)
            if status in UNKNOWN:
                continue
            if status != 200:
                fail(f"counters, {mood}: {status} {body!r}")
            status, body, _ = place.ask(index, "PUT", path, str(int(body) + 1),
                                        {"If-Match": answer.getheader("ETag")})
            kind = {204: "done", 200: "done", 412: "refused"}.get(status, "unknown")
            if kind == "unknown" and status not in UNKNOWN:
                fail(f"counters, {mood}: {status} {body!r}")
            with lock:
                counts[kind] += 1
    place.in_threads(6, increment)
    place.bed.set_faults()
    found = int(place.ask(1, "GET", path)[1])
    if not counts["done"] <= found <= counts["done"] + counts["unknown"] or counts["done"] < 3:
        fail(f"counters, {mood}: {counts}, and the counter is {found}")
    print(f"counters, {mood}: {counts}, the counter is {found}", flush=True)


@both_calm_and_troubled
def batches(place, options, mood):
    """All 100 keys have the value of one batch, whoever wrote last."""
    keys = [f"{mood} {i}" for i in range(100)]
    end = time.monotonic() + options.seconds
    counts = {}

    def write(index):
        turn = 0
        while time.monotonic() < end:
            turn += 1
            items = [{"key": key, "value": f"{index}/{turn}"} for key in random.sample(keys, len(keys))]
            status, body = place.batch(index, "set", {"items": items})
            counts[status] = counts.get(status, 0) + 1
            if status != 200 and status not in UNKNOWN:
                fail(f"batches, {mood}: {status} {body!r}")
    place.in_threads(4, write)
    place.bed.set_faults()
    for which in range(2):
        status, body = place.batch(which, "get", {"keys": keys})
        results = json.loads(body)["results"] if status == 200 else {}
        values = {json.dumps(results.get(key)) for key in keys}
        if status != 200 or len(values) != 1 or counts.get(200, 0) < 2:
            fail(f"batches, {mood}: {status}, {counts}, values {sorted(values)[:5]}")
    print(f"batches, {mood}: {counts}", flush=True)


def found_in(text):
    return sum(result["found"] for result in json.loads(text)["results"].values())


def limits_of_batches(place):
    status, body = place.batch(0, "set", {"items": [{"key": f"m{i}", "value": "v"} for i in range(101)]})
    if status != 413 or b"100" not in body or place.ask(1, "GET", "/cache/ns/m0")[0] != 404:
        fail(f"a batch of 101: {status} {body!r}")
    status, body = place.batch(0, "set", {"items": [{"key": f"w{i}", "value": "v" * 390000} for i in range(12)]})
    if status != 413 or b"4 MB" not in body or place.ask(1, "GET", "/cache/ns/w0")[0] != 404:
        fail(f"a batch of more than 4 MB: {status} {body[:300]!r}")
    items = [{"key": f"b{i}", "value": "v" * 100000} for i in range(30)]
    status, body = place.batch(0, "set", {"items": items})
    got, text = place.batch(1, "get", {"keys": [item["key"] for item in items]})
    if status != 200 or got != 200 or found_in(text) != 30:
        fail(f"a batch of 3 MB: {status} {body[:300]!r}, {got} {text[:300]!r}")
    many = [f"b{i}" for i in range(30)] + [f"none{i}" for i in range(1000)]
    status, body = place.batch(1, "get", {"keys": many})
    if status != 200 or found_in(body) != 30:
        fail(f"a GET of 1030 keys: {status} {body[:300]!r}")


def keys(options):
    shapes = [b"a", b"/", b"//", b"a/b", b"%", b"+", b" ", b" a ", b"\x00", b"\x00\x00", b"a\x00b", b"\xff", b"\xff\xfe",
              b"\xc3\xa4", "漢字".encode(), "🙂".encode(), "e\u0301".encode(), "\u00e9".encode(), b"a" * 1023,
              b"\x00" * 1023, b"\xff" * 1000, *(b"l" * length + end for length in range(1018, 1030) for end in (b"", b"a", b"b")),
              b"l" * 3000, b"l" * 2999 + b"m", b"\xff" * 1500, b"m" + b"\xc3\xa4" * 1000, b"A", b"a\n", b"..", b"."]
    shapes += [random.randbytes(random.randint(1, 60)) for _ in range(60)]
    shapes = list(dict.fromkeys(shapes))
    with Place() as place:
        for i, key in enumerate(shapes):
            path = "/cache/ns/" + quote(key, safe="").replace(".", "%2E")
            status, body, _ = place.ask(i, "PUT", path, b"value of " + key)
            if status != 201:
                fail(f"keys: {key!r}: {status} {body!r}")
        for i, key in enumerate(shapes):
            path = "/cache/ns/" + quote(key, safe="").replace(".", "%2E")
            status, body, _ = place.ask(i + 1, "GET", path)
            if (status, body) != (200, b"value of " + key):
                fail(f"keys: {key!r}: {status} {body!r}")
        listed, cursor = [], ""
        while cursor is not None:
            status, body, _ = place.ask(0, "GET", f"/cache/ns?limit=7&cursor={quote(cursor)}")
            page = json.loads(body)
            for entry in page.get("entries", page.get("keys", [])):
                is_base64 = entry.get("key_encoding") == "base64" or "key_base64" in entry
                text = entry.get("key_base64", entry.get("key"))
                listed.append(base64.b64decode(text) if is_base64 else text.encode())
            cursor = page.get("cursor") or page.get("next_cursor")
        if listed != sorted(shapes):
            fail(f"keys: {len(listed)} listed of {len(shapes)}; in order: {listed == sorted(listed)}; "
                 f"missing {set(shapes) - set(listed)}")
        limits_of_batches(place)
        print(f"keys: {len(shapes)} shapes", flush=True)


def edge(options):
    """The largest value that is kept, with a short key and a long one."""
    with Place() as place:
        for key in ("k", "k" * 1000):
            low, high = 300 << 10, 420 << 10
            while high - low > 1:
                size = (low + high) // 2
                value = random.randbytes(size)
                status, body, _ = place.ask(0, "PUT", f"/cache/ns/{key}", value, {"Content-Type": "text/x-edge"})
                if status in (201, 204):
                    low = size
                    status, body, answer = place.ask(1, "GET", f"/cache/ns/{key}")
                    if body != value or answer.getheader("Content-Type") != "text/x-edge":
                        fail(f"edge: {size} bytes came back otherwise: {status} {len(body)}")
                elif status == 413 and b"large-values" in body:
                    high = size
                else:
                    fail(f"edge: {size} bytes: {status} {body!r}")
            if low < 395 << 10:
                fail(f"edge: only {low} bytes")
            print(f"edge: up to {low} bytes with a key of {len(key)}", flush=True)


def clocks(options):
    with Place() as place:
        place.ask(0, "PUT", "/cache/ns/k", "v")
        for minutes in (-14, 14):
            place.bed.manage("clock", minutes * 60_000)
            if place.ask(1, "GET", "/cache/ns/k")[:2] != (200, b"v"):
                fail(f"clocks: {minutes} minutes")
        for minutes in (-16, 16):
            place.bed.manage("clock", minutes * 60_000)
            status, body, _ = place.ask(1, "GET", "/cache/ns/k")
            if status != 503 or b"clock" not in body:
                fail(f"clocks: {minutes} minutes: {status} {body!r}")
        place.bed.manage("clock", 0)
        end = time.monotonic() + 1
        while place.ask(1, "GET", "/cache/ns/k")[0] != 200:
            if time.monotonic() > end:
                fail("clocks: no recovery")
            time.sleep(0.02)
        print("clocks: as they should", flush=True)


def settings(options):
    with Place() as place:
        for which in range(2):
            place.ask(which, "GET", "/cache/ns/k")
        place.ask(0, "PUT", "/cache/ns", '{"default_ttl": 1000}', {"Content-Type": "application/json"})
        status, body = place.batch(1, "set", {"items": [{"key": key, "value": "v"} for key in "ab"]})
        if status != 200:
            fail(f"settings: {status} {body!r}")
        for key in "ab":
            lasts = place.ask(0, "GET", f"/cache/ns/{key}")[2].getheader("Cache-Control")
            if not lasts or "max-age=" not in lasts:
                fail(f"settings: {key} has no end: {lasts}")
        print("settings: those of another server", flush=True)


def drops(options):
    """The other server learns of it within seconds; what it writes until then is found later."""
    def are_listed(which):
        return {name for name in json.loads(place.ask(which, "GET", "/stats")[1])["namespaces"]
                if name in ("gone", "again")}

    def await_listed(which, wanted):
        end = time.monotonic() + 20
        while are_listed(which) != wanted:
            if time.monotonic() > end:
                fail(f"drops: server {which} lists {are_listed(which)}, not {wanted}")
            time.sleep(0.2)
    with Place(STEADYCACHE_DYNAMODB_TIMEOUT="2") as place:
        for space in ("gone", "again"):
            for i in range(30):
                if place.ask(i, "PUT", f"/cache/{space}/{i}", "v")[0] != 201:
                    fail("drops: a PUT is refused")
        await_listed(0, {"gone", "again"})
        await_listed(1, {"gone", "again"})
        for space in ("gone", "again"):
            status, body, _ = place.ask(0, "DELETE", f"/cache/{space}?drop")
            if status != 204:
                fail(f"drops: {status} {body!r}")
        if are_listed(0) or place.ask(1, "GET", "/cache/gone/0")[0] != 404:
            fail("drops: what was dropped is still there")
        if place.ask(1, "PUT", "/cache/again/later", "w")[0] != 201:
            fail("drops: a later PUT is refused")
        if place.ask(0, "DELETE", "/cache/gone?drop")[0] != 404:
            fail("drops: dropped twice")
        await_listed(0, {"again"})
        await_listed(1, {"again"})
        if place.ask(0, "GET", "/cache/again/later")[:2] != (200, b"w"):
            fail("drops: what was written later is lost")
        if place.ask(0, "GET", "/cache/again/0")[0] != 404:
            fail("drops: what was dropped came back")
        print("drops: gone, but for what came later", flush=True)


SCENES = (creators, counters, batches, keys, edge, clocks, settings, drops)


if __name__ == "__main__":
    sys.exit(judges.run(SCENES, __doc__))

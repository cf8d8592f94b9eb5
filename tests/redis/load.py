"""Clients of some steadycache servers that share one Redis, or another engine, and what their answers prove.

Each key has one writer, so its versions have an order; a value names its key and version. Anybody reads. An
answer is wrong if it holds what was never written there, or a version older than one that was acknowledged,
or read, before the request began. What Redis itself lost in a fail-over is forgiven: see Load.forgive.
"""
import bisect
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from bed import await_that, die_with_parent
from resp import Refused

BUILD = os.environ.get("STEADYCACHE_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
NAMESPACE = "load"


class Server:
    """A steadycache server for the time of a `with` block. Its end is checked: status 0, and no sanitizer's
    report."""

    def __init__(self, environment, *flags):
        self.log = tempfile.NamedTemporaryFile("r", prefix="steadycache-log-", suffix=".txt")
        self.words = [os.environ.get("STEADYCACHE_TEST_BINARY", os.path.join(BUILD, "steadycache")),
                      "serve", "--listen=127.0.0.1:0", *flags]
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("STEADY", "API_KEY", "AWS_"))}
        self.environment.update({name: value for name, value in environment.items()
                                 if name.startswith(("STEADYCACHE_", "AWS_"))})
        self.process = None
        self.address = None

    def log_text(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        with open(self.log.name, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.words, env=self.environment, stderr=log,
                                            stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)

        def listens():
            if self.process.poll() is not None:
                sys.exit(f"the server ended:\n{self.log_text()}")
            found = re.search(r"listening.* address=127\.0\.0\.1:(\d+)", self.log_text())
            self.address = ("127.0.0.1", int(found.group(1))) if found else None
            return found
        await_that(listens, "a server that listens", 60)
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        text = self.log_text()
        self.log.close()
        if kind is None and (code != 0 or re.search("Sanitizer|runtime error", text)):
            sys.exit(f"FAILED: the server's end ({code}):\n{text[-8000:]}")

    def client(self, timeout=40):
        return http.client.HTTPConnection(*self.address, timeout=timeout)


def ask(client, method, key, body=None, headers=None, space=NAMESPACE):
    client.request(method, f"/cache/{space}/{key}", body, headers or {})
    answer = client.getresponse()
    return answer.status, answer.read(), answer


def text_of(key, version, size):
    head = f"{key} {version} ".encode()
    filler = hashlib.sha256(head).hexdigest().encode()
    return head + (filler * (size // len(filler) + 1))[:size]


def version_of(key, text):
    """The version that a value says it is; None: it was never written to this key."""
    with contextlib.suppress(ValueError, UnicodeDecodeError):
        name, version, filler = text.split(b" ", 2)
        if name.decode() == key and text == text_of(key, int(version), len(filler)):
            return int(version)
    return None


class Key:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.started = 0
        self.deletes = [0]  # versions that are its absence
        self.known = []     # (version, began, ended) of what was acknowledged or read, by its end
        self.ends = []      # their ends
        self.tops = []      # the highest version up to there

    def note(self, version, began):
        with self.lock:
            ended = time.monotonic()
            self.known.append((version, began, ended))
            self.ends.append(ended)
            self.tops.append(max(version, self.tops[-1] if self.tops else 0))

    def least(self, moment):
        """The highest version that was known before `moment`."""
        with self.lock:
            place = bisect.bisect_left(self.ends, moment)
            return self.tops[place - 1] if place else 0

    def least_without(self, moment, is_lost):
        with self.lock:
            return max((entry[0] for entry in self.known
                        if entry[2] < moment and not is_lost(entry)), default=0)

    def forget(self, is_lost):
        """The number of versions that were known and are not any more."""
        with self.lock:
            still = [entry for entry in self.known if not is_lost(entry)]
            lost = {entry[0] for entry in self.known} - {entry[0] for entry in still}
            self.known, self.ends = still, [entry[2] for entry in still]
            self.tops = list(itertools.accumulate((entry[0] for entry in still), max))
            return len(lost)


class Load:
    """Writers and readers, in threads, until `stop`."""

    statuses = (503, 504, 507)  # of failures
    blames = "certificate|password|docs/redis.md|protocol"  # words of sentences that would be wrong

    def __init__(self, servers, writers=4, readers=4, keys=24, size=200, pause=0.0):
        self.servers = servers
        self.keys = [Key(f"k{i}") for i in range(keys)]
        self.size, self.pause = size, pause
        self.errors = []    # (began, ended, status, sentence, key)
        self.wrong = []     # sentences
        self.suspects = []  # (key, version, least, began, ended, server)
        self.counts = {"writes": 0, "reads": 0}
        self.slowest_health = 0.0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(self.write, i, writers))
                        for i in range(writers)]
        self.threads += [threading.Thread(target=self.run, args=(self.read, i, readers))
                         for i in range(readers)]
        self.threads += [threading.Thread(target=self.watch_health, args=(server,))
                         for server in servers]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join()

    def __exit__(self, *_):
        self.stop()

    def run(self, step, index, count):
        rng = random.Random(index)
        servers = self.servers[index % len(self.servers):] + self.servers[:index % len(self.servers)]
        clients = [server.client() for server in servers]
        try:
            while not self.is_over.is_set():
                for which, client in enumerate(clients):
                    step(client, rng, index, count, servers[which])
                if self.pause:
                    time.sleep(self.pause)
        except Exception as problem:  # pylint: disable=broad-except
            self.wrong.append(f"a client's thread ended: {problem!r}")

    def failed(self, began, status, body, key):
        """A sentence must not blame what is right here."""
        sentence = ""
        with contextlib.suppress(ValueError, AttributeError):
            sentence = json.loads(body).get("error", "")
        if status not in self.statuses or len(sentence) < 10 or re.search(self.blames, sentence):
            self.wrong.append(f"{key}: {status} {body[:300]!r}")
        self.errors.append((began, time.monotonic(), status, sentence, key))

    def write(self, client, rng, index, count, _):
        key = self.keys[rng.randrange(index, len(self.keys), count)]
        is_delete = rng.random() < 0.1
        with key.lock:
            key.started += 1
            version = key.started
            if is_delete:
                key.deletes.append(version)
        began = time.monotonic()
        status, body, _ = ask(client, "DELETE", key.name) if is_delete else \
            ask(client, "PUT", key.name, text_of(key.name, version, self.size))
        self.counts["writes"] += 1
        if status in (200, 201, 204) or (is_delete and status == 404):
            key.note(version, began)
        else:
            self.failed(began, status, body, key.name)

    def read(self, client, rng, _index, _count, server):
        key = rng.choice(self.keys)
        began = time.monotonic()
        status, body, _ = ask(client, "GET", key.name)
        self.counts["reads"] += 1
        if status not in (200, 404):
            self.failed(began, status, body, key.name)
            return
        self.judge(key, body if status == 200 else None, began, server)

    def judge(self, key, body, began, server=None):
        with key.lock:
            started, deletes = key.started, list(key.deletes)
        version = version_of(key.name, body) if body is not None else deletes[-1]
        if version is None or version > started or (body is not None and version in deletes):
            self.wrong.append(f"{key.name}: a value that was never written: {body[:100]!r}")
            return
        least = key.least(began)
        if version < least:
            self.suspects.append((key, version, least, began, time.monotonic(), server))
        elif body is not None:
            key.note(version, began)

    def watch_health(self, server):
        """No thread of a server waits for Redis."""
        client = server.client()
        while not self.is_over.wait(0.05):
            began = time.monotonic()
            client.request("GET", "/healthz")
            if client.getresponse().read() and time.monotonic() - began > self.slowest_health:
                self.slowest_health = time.monotonic() - began

    # ---- Judgements ----

    def forgive(self, kept, may_be_lost):
        """Redis may have lost what it acknowledged to requests for which `may_be_lost(began, ended)` holds,
        beyond the versions `kept` by key name (all of a key that is not in it). Judges the suspects by that,
        and forgets these. Returns how many reads saw it, and how many versions it may be."""
        lost = 0
        suspects, self.suspects = self.suspects, []

        def loss_of(key):
            return lambda entry: entry[0] > kept.get(key.name, 0) and may_be_lost(*entry[1:])

        for key, version, _, began, ended, server in suspects:
            least = key.least_without(began, loss_of(key))
            if version < least:
                self.suspects.append((key, version, least, began, ended, server))
        for key in self.keys:
            lost += key.forget(loss_of(key))
        return len(suspects) - len(self.suspects), lost

    def versions_in(self, nodes):
        """The version of each key that these nodes have, as far as they have any."""
        found = {}
        for node in nodes:
            with contextlib.closing(node.client()) as client:
                with contextlib.suppress(Refused):
                    client("READONLY")  # of a replica in a Cluster
                for name in client("KEYS", f"steadycache:{{{NAMESPACE}:*}}:v"):
                    flat = client("HGETALL", name)
                    for key, text in zip(flat[::2], flat[1::2]):
                        value = re.search(rb"k\d+ \d+ [0-9a-f]*$", text)
                        found[key.decode()] = version_of(key.decode(), value.group())
        return found

    def errors_after(self, moment):
        return [error for error in self.errors if error[0] > moment]

    def check(self, what):
        """Ends the process if anything was wrong so far."""
        for key, version, least, began, ended, server in self.suspects[:10]:
            self.wrong.append(f"{key.name}: version {version} was read from {server and server.address} "
                              f"in {ended - began:.3f} s, and {least} was known before")
        if self.wrong:
            sys.exit(f"FAILED: {what}: {len(self.wrong)} answers:\n  " + "\n  ".join(self.wrong[:12]))

    def check_all(self, what):
        """Reads every key from every server, when nobody writes: all agree."""
        for key in self.keys:
            found = set()
            for server in self.servers:
                with contextlib.closing(server.client()) as client:
                    began = time.monotonic()
                    status, body, _ = ask(client, "GET", key.name)
                    if status not in (200, 404):
                        sys.exit(f"FAILED: {what}: {key.name} in the end: {status} {body!r}")
                    self.judge(key, body if status == 200 else None, began, server)
                    found.add(body if status == 200 else None)
            if len(found) > 1:
                self.wrong.append(f"{key.name}: servers differ: {found}")
        self.check(what)

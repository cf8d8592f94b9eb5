#!/usr/bin/env python3
"""What goes wrong between two steadycache servers and one DynamoDB, while clients write and read.

    faults.py [--seconds N] [--only SCENE] [--build FOLDER]

Always expected: no wrong answer, each failure a 429, 503, 504 or 507 with a sentence, no request that waits
beyond its time, servers that answer /healthz meanwhile and end with the descriptors that they began with, and
all well within a second of the end of the trouble. tests/redis/load.py says what is wrong. Exit 77: there is no
dynalite.
"""
import contextlib
import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "redis"))
from bed import ACCESS, SECRET, Dynalite  # noqa: E402
import load  # noqa: E402
import scene as judges  # noqa: E402
from load import ask  # noqa: E402

TIMEOUT_S = 2.0
DESCRIPTORS_MORE = 40  # connections to DynamoDB, to clients, and what was not yet open at first


class Scene(judges.Scene):
    """Two servers over dynalite, whose tables are on disk."""

    def __init__(self, seconds=2.0, variables=None, **load_options):
        self.variables = variables or {}
        super().__init__(Dynalite(in_memory=False), seconds, TIMEOUT_S, **load_options)
        self.load.statuses = (429, 503, 504, 507)
        self.load.blames = "certificate|docs/dynamodb.md|large-values|does not speak"

    def environment(self):
        return {**self.bed.environment, "STEADYCACHE_DYNAMODB_TIMEOUT": str(TIMEOUT_S), **self.variables}

    def __enter__(self):
        super().__enter__()
        self.descriptors = [self.count_descriptors(server) for server in self.servers]
        return self

    @staticmethod
    def count_descriptors(server):
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    def expect_calm(self, since, what):
        if self.load.errors_after(since):
            print(f"DynamoDB's errors: {self.bed.figures()['errors']}")
        super().expect_calm(since, what)

    def statuses(self):
        found = {}
        for error in self.load.errors:
            found[error[2]] = found.get(error[2], 0) + 1
        return found

    def end(self, over, what, may_fail=True):
        """`over` is when the engine was well again."""
        self.bed.set_faults()
        self.judge(over, what, may_fail)
        for server, before in zip(self.servers, self.descriptors):
            if self.count_descriptors(server) > before + DESCRIPTORS_MORE:
                sys.exit(f"FAILED: {what}: {self.count_descriptors(server)} descriptors, and {before} before")
        errors = self.load.errors
        longest = max((error[1] - error[0] for error in errors), default=0)
        last = max((error[0] for error in errors), default=over)
        print(f"{what}: {self.load.counts}, failures {self.statuses()}, the last begun {last - over:+.3f} s after "
              f"the trouble, longest {longest:.2f} s, /healthz {self.load.slowest_health:.3f} s", flush=True)

    def expect_failures(self, what, *statuses):
        if not self.load.errors or not set(self.statuses()) <= set(statuses):
            sys.exit(f"FAILED: {what}: failures {self.statuses()}")

    def expect_sentence(self, what, words):
        sentences = {error[3] for error in self.load.errors}
        if not any(words in sentence for sentence in sentences):
            sys.exit(f"FAILED: {what}: no sentence has {words!r}: {sentences}")


def killed(options):
    with Scene(options.seconds) as scene:
        for _ in range(2):
            scene.run(options.seconds / 4)
            scene.bed.kill()
            scene.run(0.5)
            scene.bed.start()
        scene.end(time.monotonic(), "killed and started again")
        scene.expect_failures("killed", 503, 504)


def paused(options):
    with Scene(options.seconds) as scene:
        for pause_s in (0.3, TIMEOUT_S + 1):
            scene.bed.pause()
            scene.run(pause_s)
            scene.bed.resume()
            over = time.monotonic()
            scene.run(options.seconds / 4 + judges.RECOVERY_S)
        scene.end(over, "paused")


def slow(options):
    with Scene(options.seconds) as scene:
        scene.bed.set_faults({"kind": "delay", "ms": 300})
        scene.run(options.seconds)
        scene.end(time.monotonic(), "slow", may_fail=False)


def throttled(options):
    """Some calls are: they are asked again. All are: that is said, with Retry-After."""
    with Scene(options.seconds) as scene:
        scene.bed.set_faults({"kind": "throttle", "every": 5}, {"kind": "requests", "every": 11})
        scene.run(options.seconds)
        scene.expect_calm(0, "some are throttled")
        scene.bed.set_faults({"kind": "throttle"})
        scene.run(1)
        with contextlib.closing(scene.servers[0].client()) as client:
            status, body, answer = ask(client, "GET", "k1")
            if status not in (429, 503) or not answer.getheader("Retry-After"):
                sys.exit(f"FAILED: throttled: {status} {body!r}, Retry-After {answer.getheader('Retry-After')}")
        scene.run(1)
        scene.bed.set_faults()
        scene.end(time.monotonic(), "throttled")
        scene.expect_failures("throttled", 429, 503, 504)
        scene.expect_sentence("throttled", "throttle")


def broken(options):
    """Answers that do not come, or only in part, though it was done or not: what may be repeated is."""
    kinds = ("reset", "reset-after", "truncate", "internal", "unavailable")
    with Scene(options.seconds, writers=3, readers=3) as scene:
        for kind in kinds:
            scene.bed.set_faults({"kind": kind, "every": 7})
            scene.run(options.seconds / 4)
        scene.bed.set_faults()
        scene.end(time.monotonic(), "broken")
        if len(scene.load.errors) > scene.load.counts["writes"] / 10:
            sys.exit(f"FAILED: broken: {len(scene.load.errors)} failures of {scene.load.counts}")


def garbage(options):
    """Answers that are no JSON: of those nobody knows what was done."""
    with Scene(options.seconds) as scene:
        scene.load.blames = "certificate|docs/dynamodb.md|large-values"
        scene.bed.set_faults({"kind": "garbage", "every": 7})
        scene.run(options.seconds)
        scene.bed.set_faults()
        scene.end(time.monotonic(), "garbage")
        scene.expect_failures("garbage", 503, 504)
        scene.expect_sentence("garbage", "does not speak as DynamoDB does")


def silent(options):
    """Some requests are never answered."""
    with Scene(options.seconds) as scene:
        scene.bed.set_faults({"kind": "silent", "every": 20})
        scene.run(options.seconds)
        scene.bed.set_faults()
        scene.end(time.monotonic(), "silent")


def unprocessed(options):
    """Batches of which only the first item is done, and transactions in conflict."""
    with Scene(options.seconds, readers=12) as scene:
        scene.bed.set_faults({"kind": "unprocessed", "calls": ["BatchGetItem", "BatchWriteItem"], "every": 2},
                             {"kind": "conflict", "calls": ["TransactWriteItems", "UpdateItem"], "every": 6})
        scene.run(options.seconds)
        scene.end(time.monotonic(), "unprocessed", may_fail=False)


def refused(options):
    """Keys end; others are written into the file from which the servers have theirs."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(load.tempfile.TemporaryDirectory())
        file = os.path.join(folder, "credentials")

        def write_keys(access, secret, token):
            with open(file + ".new", "w", encoding="ascii") as out:
                out.write(f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
                          f"aws_session_token = {token}\n")
            os.replace(file + ".new", file)
        first = {ACCESS: {"secret": SECRET, "token": "token-1"}}
        write_keys(ACCESS, SECRET, "token-1")

        class Keyed(Dynalite):
            def __init__(self, *arguments, **named):
                super().__init__(*arguments, **named)
                self.keys = first
                for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                    del self.environment[name]
        globals()["Dynalite"], before = Keyed, Dynalite
        try:
            scene = stack.enter_context(Scene(options.seconds, {"AWS_SHARED_CREDENTIALS_FILE": file}))
        finally:
            globals()["Dynalite"] = before
        scene.bed.set_keys({ACCESS: {"secret": SECRET, "token": "token-1", "ended": True}})
        scene.run(1)
        scene.bed.set_keys({"another": {"secret": "one", "token": "token-2"}})
        write_keys("another", "one", "token-2")
        over = time.monotonic()
        scene.end(over, "refused")
        scene.expect_failures("refused", 503)
        scene.expect_sentence("refused", "credentials")


SCENES = (killed, paused, slow, throttled, broken, garbage, silent, unprocessed, refused)


if __name__ == "__main__":
    sys.exit(judges.run(SCENES, __doc__))

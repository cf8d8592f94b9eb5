#!/usr/bin/env python3
"""What goes wrong between two steadycache servers and one Redis, while clients write and read.

    faults.py [--seconds N] [--only SCENE] [--build FOLDER]

Always expected: no wrong answer, each failure a 503, 504 or 507 with a sentence, no request that waits beyond
its time, servers that answer /healthz meanwhile, and all well within a second of the engine's own end of the
trouble. See load.py for what is wrong. Exit 77: there is no redis-server.
"""
import argparse
import contextlib
import shutil
import sys
import time

import load
from bed import MISSING, PROGRAM, Bed
from load import Load, Server, ask
from proxy import Proxy

TIMEOUT_S = 2.0
HEALTH_S = 1.0   # on a machine that has more to do
RECOVERY_S = 1.0


class Scene:
    """A Redis behind a proxy, two servers, and their clients."""

    def __init__(self, shape="plain", lines=(), seconds=2.0, **load_options):
        self.seconds = seconds
        self.stack = contextlib.ExitStack()
        self.bed = self.stack.enter_context(Bed(shape, lines))
        self.node = self.bed.nodes[0]
        self.proxy = self.stack.enter_context(Proxy(self.node.port))
        url = f"redis://127.0.0.1:{self.proxy.port}?timeout={TIMEOUT_S}"
        self.servers = [self.stack.enter_context(Server({"STEADYCACHE_BACKEND": url}))
                        for _ in range(2)]
        self.load = self.stack.enter_context(Load(self.servers, **load_options))

    def __enter__(self):
        self.run(self.seconds / 2)
        self.expect_calm(0, "before anything happened")
        return self

    def __exit__(self, *problem):
        self.load.stop()
        self.stack.__exit__(*problem)

    def run(self, seconds):
        time.sleep(seconds)

    def expect_calm(self, since, what):
        errors = self.load.errors_after(since)
        if errors:
            began, ended, status, sentence, key = errors[0]
            sys.exit(f"FAILED: {what}: {len(errors)} requests failed, the first {key} {status} "
                     f"{sentence!r} after {ended - began:.3f} s, begun {began - since:.3f} s after")

    def end(self, over, what, may_fail=True):
        """`over` is when the engine was well again."""
        self.run(self.seconds / 2 + RECOVERY_S)
        self.load.stop()
        self.expect_calm(over + RECOVERY_S, f"{what}: no recovery")
        longest = max((error[1] - error[0] for error in self.load.errors), default=0)
        if longest > TIMEOUT_S + 0.7:
            sys.exit(f"FAILED: {what}: a failure took {longest:.2f} s")
        if self.load.slowest_health > HEALTH_S:
            sys.exit(f"FAILED: {what}: /healthz took {self.load.slowest_health:.2f} s")
        if not may_fail:
            self.expect_calm(0, what)
        self.load.check(what)
        self.load.check_all(what)
        statuses = {}
        for error in self.load.errors:
            statuses[error[2]] = statuses.get(error[2], 0) + 1
        last = max((error[0] for error in self.load.errors), default=over)
        print(f"{what}: {self.load.counts}, failures {statuses}, the last begun {last - over:+.3f} s "
              f"after the trouble, longest {longest:.2f} s, /healthz {self.load.slowest_health:.3f} s")


def killed(seconds):
    """With everything on disk nothing is lost, whatever is under way when it ends."""
    with Scene("aof", seconds=seconds) as scene:
        for _ in range(3):
            scene.run(seconds / 4)
            scene.node.kill()
            scene.run(0.3)
            scene.node.start()
        scene.end(time.monotonic(), "killed and started again")


def restarted_empty(seconds):
    """Without a disk all is gone, and all that is written afterwards is there."""
    with Scene(seconds=seconds) as scene:
        scene.run(seconds / 4)
        scene.node.kill()
        scene.node.start()
        over = time.monotonic()
        scene.run(0.5)
        scene.load.forgive({}, lambda began, _: began < over)
        scene.end(over, "started again without its data")


def flushed(seconds):
    """Somebody empties the Redis, and its functions, while it is in use."""
    with Scene(seconds=seconds) as scene:
        for command in (("FUNCTION", "FLUSH"), ("SCRIPT", "FLUSH"), ("FLUSHALL",)):
            scene.node.ask(*command)
            over = time.monotonic()
            scene.run(seconds / 4)
        scene.load.forgive({}, lambda began, _: began < over)
        scene.end(over, "flushed", may_fail=False)


def paused(seconds):
    with Scene(seconds=seconds) as scene:
        for pause_s in (0.3, TIMEOUT_S + 1):
            scene.node.pause()
            scene.run(pause_s)
            scene.node.resume()
            over = time.monotonic()
            scene.run(seconds / 4 + RECOVERY_S)
        scene.end(over, "paused")


def slow(seconds):
    """Late, in small pieces, and busy: but answers come in time."""
    with Scene(lines=("enable-debug-command yes",), seconds=seconds) as scene:
        scene.proxy.delay_s = 0.02
        scene.run(seconds / 4)
        scene.proxy.delay_s, scene.proxy.piece_bytes = 0, 7
        scene.run(seconds / 4)
        scene.proxy.piece_bytes = 0
        with contextlib.closing(scene.node.client()) as client:
            client("DEBUG", "SLEEP", TIMEOUT_S / 2)
        over = time.monotonic()
        scene.end(over, "slow", may_fail=False)


def cut(seconds):
    """Connections end anywhere in a request or a reply."""
    with Scene(seconds=seconds, size=2000) as scene:
        scene.proxy.cut_after = 60000
        scene.proxy.hang_up()
        scene.run(seconds)
        scene.proxy.cut_after = 0
        scene.proxy.hang_up()
        over = time.monotonic()
        if scene.proxy.cuts < 10:
            sys.exit(f"FAILED: only {scene.proxy.cuts} cuts")
        scene.end(over, f"cut {scene.proxy.cuts} times")


def hung_up(seconds):
    """All connections end at once, with requests under way: each can be sent again."""
    with Scene(seconds=seconds, writers=12, readers=12, keys=48) as scene:
        for _ in range(4):
            scene.proxy.hang_up()
            scene.run(seconds / 8)
        scene.end(time.monotonic(), "hung up", may_fail=False)


def moved(seconds):
    """A fail-over by hand: the replica becomes the master, and the address leads to it."""
    with Scene("replica", seconds=seconds) as scene:
        replica = scene.bed.replicas[0]
        scene.node.pause()
        time.sleep(0.2)  # what it had sent is with the replica
        replica.ask("REPLICAOF", "NO", "ONE")
        kept = {key.name: key.deletes[-1] for key in scene.load.keys}
        kept.update(scene.load.versions_in([replica]))
        scene.proxy.lead_to(replica.port)
        over = time.monotonic()
        scene.run(seconds / 4)
        scene.node.resume()  # and nobody asks it any more
        scene.run(seconds / 4)
        reads, lost = scene.load.forgive(kept, lambda began, _: began < over)
        scene.end(over, f"moved to the replica (Redis lost {lost} versions, {reads} reads saw that)")


def full(seconds):
    """Writes are refused, reads and deletes go on."""
    with Scene(lines=("maxmemory-policy noeviction",), seconds=seconds) as scene:
        scene.node.ask("CONFIG", "SET", "maxmemory", "1mb")
        scene.run(0.2)
        with contextlib.closing(scene.servers[0].client()) as client:
            status, body, _ = ask(client, "PUT", "other", b"x" * 100)
            if status != 507 or b"maxmemory" not in body:
                sys.exit(f"FAILED: full: a write: {status} {body!r}")
            for method, key in (("GET", "k1"), ("DELETE", "other")):
                status, body, _ = ask(client, method, key)
                if status not in (200, 204, 404):
                    sys.exit(f"FAILED: full: {method}: {status} {body!r}")
        scene.run(seconds / 4)
        scene.node.ask("CONFIG", "SET", "maxmemory", "0")
        over = time.monotonic()
        scene.end(over, "full")
        if {error[2] for error in scene.load.errors} != {507}:
            sys.exit("FAILED: full: there were other failures than 507")


SCENES = (killed, restarted_empty, flushed, paused, slow, cut, hung_up, moved, full)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only")
    parser.add_argument("--build")
    options = parser.parse_args()
    if options.build:
        load.BUILD = options.build
    if not shutil.which(PROGRAM):
        print(f"skipped: there is no {PROGRAM}")
        return MISSING
    for scene in SCENES:
        if options.only in (None, scene.__name__):
            scene(options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What goes wrong between two steadycache servers and one Redis, while clients write and read.

    faults.py [--seconds N] [--only SCENE] [--build FOLDER]

Always expected: no wrong answer, each failure a 503, 504 or 507 with a sentence, no request that waits beyond
its time, servers that answer /healthz meanwhile, and all well within a second of the engine's own end of the
trouble. See load.py for what is wrong. Exit 77: there is no redis-server.
"""
import contextlib
import sys
import time

import scene as judges
from bed import Bed
from load import ask
from proxy import Proxy

TIMEOUT_S = 2.0


class Scene(judges.Scene):
    """A Redis behind a proxy."""

    def __init__(self, shape="plain", lines=(), seconds=2.0, **load_options):
        super().__init__(Bed(shape, lines), seconds, TIMEOUT_S, **load_options)

    def environment(self):
        self.node = self.bed.nodes[0]
        self.proxy = self.stack.enter_context(Proxy(self.node.port))
        return {"STEADYCACHE_BACKEND": f"redis://127.0.0.1:{self.proxy.port}?timeout={TIMEOUT_S}"}

    def end(self, over, what, may_fail=True):
        """`over` is when the engine was well again."""
        self.judge(over, what, may_fail)
        errors, statuses = self.load.errors, {}
        for error in errors:
            statuses[error[2]] = statuses.get(error[2], 0) + 1
        longest = max((error[1] - error[0] for error in errors), default=0)
        last = max((error[0] for error in errors), default=over)
        print(f"{what}: {self.load.counts}, failures {statuses}, the last begun {last - over:+.3f} s "
              f"after the trouble, longest {longest:.2f} s, /healthz {self.load.slowest_health:.3f} s")


def killed(options):
    """With everything on disk nothing is lost, whatever is under way when it ends."""
    with Scene("aof", seconds=options.seconds) as scene:
        for _ in range(3):
            scene.run(options.seconds / 4)
            scene.node.kill()
            scene.run(0.3)
            scene.node.start()
        scene.end(time.monotonic(), "killed and started again")


def restarted_empty(options):
    """Without a disk all is gone, and all that is written afterwards is there."""
    with Scene(seconds=options.seconds) as scene:
        scene.run(options.seconds / 4)
        scene.node.kill()
        scene.node.start()
        over = time.monotonic()
        scene.run(0.5)
        scene.load.forgive({}, lambda began, _: began < over)
        scene.end(over, "started again without its data")


def flushed(options):
    """Somebody empties the Redis, and its functions, while it is in use."""
    with Scene(seconds=options.seconds) as scene:
        for command in (("FUNCTION", "FLUSH"), ("SCRIPT", "FLUSH"), ("FLUSHALL",)):
            scene.node.ask(*command)
            over = time.monotonic()
            scene.run(options.seconds / 4)
        scene.load.forgive({}, lambda began, _: began < over)
        scene.end(over, "flushed", may_fail=False)


def paused(options):
    with Scene(seconds=options.seconds) as scene:
        for pause_s in (0.3, TIMEOUT_S + 1):
            scene.node.pause()
            scene.run(pause_s)
            scene.node.resume()
            over = time.monotonic()
            scene.run(options.seconds / 4 + judges.RECOVERY_S)
        scene.end(over, "paused")


def slow(options):
    """Late, in small pieces, and busy: but answers come in time."""
    with Scene(lines=("enable-debug-command yes",), seconds=options.seconds) as scene:
        scene.proxy.delay_s = 0.02
        scene.run(options.seconds / 4)
        scene.proxy.delay_s, scene.proxy.piece_bytes = 0, 7
        scene.run(options.seconds / 4)
        scene.proxy.piece_bytes = 0
        with contextlib.closing(scene.node.client()) as client:
            client("DEBUG", "SLEEP", TIMEOUT_S / 2)
        over = time.monotonic()
        scene.end(over, "slow", may_fail=False)


def cut(options):
    """Connections end anywhere in a request or a reply."""
    with Scene(seconds=options.seconds, size=2000) as scene:
        scene.proxy.cut_after = 60000
        scene.proxy.hang_up()
        scene.run(options.seconds)
        scene.proxy.cut_after = 0
        scene.proxy.hang_up()
        over = time.monotonic()
        if scene.proxy.cuts < 10:
            sys.exit(f"FAILED: only {scene.proxy.cuts} cuts")
        scene.end(over, f"cut {scene.proxy.cuts} times")


def hung_up(options):
    """All connections end at once, with requests under way: each can be sent again."""
    with Scene(seconds=options.seconds, writers=12, readers=12, keys=48) as scene:
        for _ in range(4):
            scene.proxy.hang_up()
            scene.run(options.seconds / 8)
        scene.end(time.monotonic(), "hung up", may_fail=False)


def moved(options):
    """A fail-over by hand: the replica becomes the master, and the address leads to it."""
    with Scene("replica", seconds=options.seconds) as scene:
        replica = scene.bed.replicas[0]
        scene.node.pause()
        time.sleep(0.2)  # what it had sent is with the replica
        replica.ask("REPLICAOF", "NO", "ONE")
        kept = scene.kept_by(replica)
        scene.proxy.lead_to(replica.port)
        over = time.monotonic()
        scene.run(options.seconds / 4)
        scene.node.resume()  # and nobody asks it any more
        scene.run(options.seconds / 4)
        reads, lost = scene.load.forgive(kept, lambda began, _: began < over)
        scene.end(over, f"moved to the replica (Redis lost {lost} versions, {reads} reads saw that)")


def full(options):
    """Writes are refused, reads and deletes go on."""
    with Scene(lines=("maxmemory-policy noeviction",), seconds=options.seconds) as scene:
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
        scene.run(options.seconds / 4)
        scene.node.ask("CONFIG", "SET", "maxmemory", "0")
        over = time.monotonic()
        scene.end(over, "full")
        if {error[2] for error in scene.load.errors} != {507}:
            sys.exit("FAILED: full: there were other failures than 507")


SCENES = (killed, restarted_empty, flushed, paused, slow, cut, hung_up, moved, full)


if __name__ == "__main__":
    sys.exit(judges.run(SCENES, __doc__))

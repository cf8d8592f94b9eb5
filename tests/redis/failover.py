#!/usr/bin/env python3
"""Two steadycache servers over a Redis Cluster of three masters with replicas, whose nodes die, stop for a while,
hand over, restart and move slots, while clients write and read.

    failover.py [--seconds N] [--only SCENE] [--shape cluster|cluster-acl] [--partitions N] [--build FOLDER]

Expected: errors last no longer than the fail-over and a second, and are 503 or 504 with a sentence; no wrong
answer ever; no acknowledged write is lost that Redis kept, by comparison with what the replica had when its
master ended. See load.py for what is wrong. Exit 77: there is no redis-server.
"""
import contextlib
import sys
import time

import scene as judges
from bed import Bed, await_that

TIMEOUT_S = 10.0  # as is usual


class Scene(judges.Scene):
    """A Cluster. `ended` is the node that is away."""

    def __init__(self, options, timeout_s=TIMEOUT_S, **load_options):
        self.ended = None
        super().__init__(Bed(options.shape, query=f"partitions={options.partitions}&timeout={timeout_s}"),
                         options.seconds, timeout_s, keys=48, **load_options)

    def __enter__(self):
        self.run(1)
        self.load.errors.clear()  # of the first moment, when servers learn where slots are
        super().__enter__()
        # The one that most is asked of comes first.
        pairs = sorted(zip(self.bed.masters, self.bed.replicas),
                       key=lambda pair: -len(self.load.versions_in(pair[:1])))
        self.bed.masters, self.bed.replicas = map(list, zip(*pairs))
        return self

    def kept_by(self, replica, others=()):
        others = others or [node for node in self.bed.masters if node.process and node is not self.ended]
        return super().kept_by(replica, others)

    def await_whole(self, owner):
        """Waits until all nodes but the ended one say that all is well, with `owner` as a master."""
        for node in self.bed.nodes:
            if node is self.ended or not node.process:
                continue
            with contextlib.closing(node.client()) as client:
                await_that(lambda client=client: b"cluster_state:ok" in client("CLUSTER", "INFO") and
                           owner.port in [line[2][1] for line in client("CLUSTER", "SLOTS")],
                           f"a whole Cluster with {owner.port} as a master", step=0.005)
        return time.monotonic()

    def report(self, what, began, over, may_fail=True):
        """`began` and `over`: of the trouble."""
        self.judge(over, what, may_fail)
        errors = self.load.errors
        sentences = sorted({(error[2], error[3]) for error in errors})
        last = max((error[0] for error in errors), default=None)
        lasted = f"{last - began:.2f} s" if errors else "no time"
        print(f"{what}: in {over - began:.2f} s, failures for {lasted} ({len(errors)} of "
              f"{sum(self.load.counts.values())}), /healthz {self.load.slowest_health:.3f} s", flush=True)
        for status, sentence in sentences:
            print(f"    {status} {sentence}")


def killed(options, timeout_s=TIMEOUT_S):
    """Whoever can wait for the fail-over sees no failure."""
    with Scene(options, timeout_s) as scene:
        master, replica = scene.bed.masters[0], scene.bed.replicas[0]
        scene.ended = master
        master.kill()
        began = time.monotonic()
        kept = scene.kept_by(replica)
        over = scene.await_whole(replica)
        scene.run(options.seconds / 2)
        reads, lost = scene.load.forgive(kept, lambda start, _: start < began)
        master.start()  # and is a replica from now on
        await_that(lambda: master.info("master_link_status") == "up", "the old master as a replica")
        scene.report(f"a master killed, {timeout_s} s to wait (Redis lost {lost} versions, which {reads} "
                     "reads saw)", began, over, may_fail=timeout_s < TIMEOUT_S)
        if timeout_s < TIMEOUT_S and not scene.load.errors:
            sys.exit("FAILED: nothing failed: the load did not reach the master")


def killed_soon(options):
    """Others fail, in time."""
    killed(options, 0.5)


def paused(options):
    """As the network does it: a master is away for longer than the others wait, and comes back."""
    with Scene(options) as scene:
        master, replica = scene.bed.masters[0], scene.bed.replicas[0]
        scene.ended = master
        master.pause()
        began = time.monotonic()
        kept = scene.kept_by(replica)
        over = scene.await_whole(replica)
        scene.run(1.5)
        master.resume()
        resumed = time.monotonic()

        # The old master has acknowledged what came before the pause, and what it found when it came back.
        def may_be_lost(start, end):
            return start < resumed and (end < began + 0.1 or end >= resumed)
        await_that(lambda: master.info("role") == "slave", "the old master as a replica")
        print(f"the old master is a replica {time.monotonic() - resumed:.3f} s after it came back")
        time.sleep(options.seconds / 2)
        reads, lost = scene.load.forgive(kept, may_be_lost)
        scene.report(f"a master away (Redis lost {lost} versions, which {reads} reads saw)",
                     began, over)


def restarted(options):
    """All nodes, one after the other, a master after it has handed over: nobody notices."""
    with Scene(options) as scene:
        began = time.monotonic()
        for master, replica in zip(scene.bed.masters, scene.bed.replicas):
            replica.stop()
            replica.start()
            await_that(lambda node=replica: node.info("master_link_status") == "up", "a replica")
            replica.ask("CLUSTER", "FAILOVER")
            scene.await_whole(replica)
            master.stop()
            master.start()
            await_that(lambda node=master: node.info("master_link_status") == "up", "a replica")
            scene.run(0.3)
        scene.report("a rolling restart", began, time.monotonic(), may_fail=False)


def resharded(options):
    """Slots that are in use move to another master and back."""
    with Scene(options) as scene:
        began = time.monotonic()
        source, target = scene.bed.masters[:2]
        moves = 0
        for source, target in ((source, target), (target, source)):
            with contextlib.closing(source.client()) as at_source:
                slots = {at_source("CLUSTER", "KEYSLOT", name) for name in at_source("KEYS", "*")}
            for slot in slots:
                move(scene.bed, slot, source, target)
                moves += 1
        if moves < 2:
            sys.exit("FAILED: nothing was moved")
        scene.report(f"{moves} slots moved", began, time.monotonic(), may_fail=False)


def move(bed, slot, source, target):
    with contextlib.ExitStack() as stack:
        clients = {node: stack.enter_context(contextlib.closing(node.client()))
                   for node in (source, target, *bed.masters)}
        ids = {node: clients[node]("CLUSTER", "MYID") for node in (source, target)}
        clients[target]("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        clients[source]("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        port = target.tls_port if bed.has_tls else target.port
        login = ("AUTH2", *target.credentials) if target.credentials else ()
        while True:
            keys = clients[source]("CLUSTER", "GETKEYSINSLOT", slot, 1)
            if not keys:
                break
            clients[source]("MIGRATE", "127.0.0.1", port, "", 0, 5000, *login, "KEYS", *keys)
            time.sleep(0.005)  # in which commands meet a slot that is here and there
        for node in (target, source, *bed.masters):
            clients[node]("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


SCENES = (killed, killed_soon, paused, restarted, resharded)


def add_arguments(parser):
    parser.add_argument("--shape", default="cluster")
    parser.add_argument("--partitions", type=int, default=16)


if __name__ == "__main__":
    sys.exit(judges.run(SCENES, __doc__, add_arguments))

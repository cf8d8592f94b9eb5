"""What the judges of faults have in common: two steadycache servers, their clients, and what is expected of them."""
import argparse
import contextlib
import sys
import time

import load
from bed import MISSING, lacks
from load import Load, Server

RECOVERY_S = 1.0
HEALTH_S = 1.0  # on a machine that has more to do
ANY = 1 << 60   # a version beyond all


class Scene:
    """A bed, two servers over it, and their clients."""

    def __init__(self, bed, seconds, timeout_s, **load_options):
        self.seconds, self.timeout_s = seconds, timeout_s
        self.stack = contextlib.ExitStack()
        self.bed = self.stack.enter_context(bed)
        environment = self.environment()
        self.servers = [self.stack.enter_context(Server(environment)) for _ in range(2)]
        self.load = self.stack.enter_context(Load(self.servers, **load_options))

    def environment(self):
        """Of the servers."""
        return self.bed.environment

    def __enter__(self):
        try:
            self.run(self.seconds / 2)
            self.expect_calm(0, "before anything happened")
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
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

    def kept_by(self, replica, others=()):
        """What a master leaves that has just ended: versions at its replica. Keys of the other masters are not
        concerned; one that is nowhere was deleted, as late as it can be."""
        kept = {key.name: key.deletes[-1] for key in self.load.keys}
        kept.update({name: ANY for name in self.load.versions_in(others)})
        kept.update(self.load.versions_in([replica]))
        return kept

    def judge(self, over, what, may_fail=True):
        """Ends the load; `over` is when the engine was well again."""
        self.run(self.seconds / 2 + RECOVERY_S)
        self.load.stop()
        if not may_fail:
            self.expect_calm(0, what)
        self.expect_calm(over + RECOVERY_S, f"{what}: no recovery")
        longest = max((error[1] - error[0] for error in self.load.errors), default=0)
        if longest > self.timeout_s + 0.7:
            sys.exit(f"FAILED: {what}: a failure took {longest:.2f} s")
        if self.load.slowest_health > HEALTH_S:
            sys.exit(f"FAILED: {what}: /healthz took {self.load.slowest_health:.2f} s")
        self.load.check(what)
        self.load.check_all(what)


def run(scenes, usage, add_arguments=lambda parser: None):
    """Runs scenes, functions of the options of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only")
    parser.add_argument("--build")
    add_arguments(parser)
    options = parser.parse_args()
    load.BUILD = options.build or load.BUILD
    if lacks():
        print(f"skipped: {lacks()}")
        return MISSING
    for scene in scenes:
        if options.only in (None, scene.__name__):
            scene(options)
    return 0

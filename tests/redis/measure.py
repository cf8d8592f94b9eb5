#!/usr/bin/env python3
"""How long the calls of steadycache.lua take with many entries, and what memory an entry takes.

    measure.py [ENTRIES] [--program redis-server]

On a Redis server of its own. For each phase: calls, microseconds of one (on the processor, and by the
clock), and the longest call: on the processor where calls are made one by one, and by slowlog. At the end,
the phases with a call beyond 5 ms. Others who use the machine make calls long by the clock alone; figures
of one run are to be compared with each other."""
import argparse
import random
import time

from bed import Bed
from engine import CAPACITY, FIFO, FRECENCY, LRU, MAX_SIZE, MORE, OK, POLICY, TYPE, Partition

LIMIT_US = 5000

VALUE = b"v" * 100
POLICIES = {FRECENCY: "frecency", LRU: "lru", FIFO: "fifo"}


def info(client, section, name):
    for line in client("INFO", section).decode().split("\r\n"):
        if line.startswith(name + ":"):
            return line.split(":", 1)[1]
    return None


class Phase:
    """Prints calls, microseconds of one (wall clock by the server, and processor), and the longest
    by slowlog, of what happens in the `with` block. Where others use the machine, the time on the
    processor tells what a call takes."""

    pid = None
    beyond = []  # phases with a call that took longer than it may

    def __init__(self, client, title):
        self.client, self.title, self.mean = client, title, 0
        self.longest_us = 0

    @classmethod
    def processor_us(cls):
        with open(f"/proc/{cls.pid}/task/{cls.pid}/schedstat", encoding="ascii") as stat:
            return int(stat.read().split()[0]) / 1000

    def alone(self, call):
        """One call, of which the time on the processor is looked at."""
        before = self.processor_us()
        reply = call()
        self.longest_us = max(self.longest_us, self.processor_us() - before)
        return reply

    def __enter__(self):
        self.client("CONFIG", "RESETSTAT")
        self.client("SLOWLOG", "RESET")
        self.began_us = self.processor_us()
        return self

    def __exit__(self, *_):
        used_us = self.processor_us() - self.began_us
        stats = info(self.client, "commandstats", "cmdstat_fcall")
        if not stats:
            return
        parts = dict(part.split("=") for part in stats.split(","))
        slow = sorted(entry[2] for entry in self.client("SLOWLOG", "GET", 2000)
                      if entry[3][0] == b"FCALL")
        self.mean = used_us / int(parts["calls"])
        if (self.longest_us or (slow[-1] if slow else 0)) > LIMIT_US:
            Phase.beyond.append((self.title, self.longest_us, slow[-1] if slow else 0))
        print(f"{self.title:42} {int(parts['calls']):7} calls, us each: processor {self.mean:7.1f}"
              f" wall {float(parts['usec_per_call']):7.1f}; longest: processor"
              f" {self.longest_us / 1000:6.2f} ms wall {slow[-1] / 1000 if slow else 0:6.2f} ms",
              flush=True)


def fill(part, count, ttl=0, each=20, spread=1, mixed=False):
    """Entries of 20-byte keys, `each` a call, with pipelining. With `spread` > 1 of that many
    frequencies, used at different times."""
    client = part.client
    rng = random.Random(1)
    now = int(time.time() * 1000000)
    calls = []
    for first in range(0, count, each):
        items = []
        for i in range(first, min(first + each, count)):
            history = ""
            value = VALUE if not mixed else b"v" * rng.choice((10, 100, 100, 1000, 10000))
            if spread > 1:
                frequency = 1 + rng.randrange(spread)
                history = f"{frequency} 0 {now - rng.randrange(1000) * frequency * 1000000} -1"
            items.append((b"%020d" % (i * 7919 % count), value, 0, ttl, history, TYPE))
        calls.append(part.set_words(0, items))
        if len(calls) == 50 or first + each >= count:
            for reply in client.pipeline(calls):
                assert not isinstance(reply, Exception) and reply[0] == OK, reply
            calls = []


def evicting_sets(part, title, count=2000):
    with Phase(part.client, title) as phase:
        for _ in range(count):
            key = b"new%017d" % phase_number()
            while phase.alone(lambda: part.set(0, key, VALUE))[0] == MORE:
                pass
    return phase.mean


numbers = 0


def phase_number():
    global numbers
    numbers += 1
    return numbers


def drain(part, title):
    with Phase(part.client, title) as phase:
        while phase.alone(lambda: part.work(0))[2]:
            pass


def run(client, count, pid):
    Phase.pid = pid
    client("CONFIG", "SET", "slowlog-log-slower-than", "1000", "slowlog-max-len", "2000")
    large = Partition(client)
    large.defaults = "0 -1 0 0"
    small = Partition(client, base=b"steadycache:{small:0}:")
    small.defaults = "0 -1 0 0"
    before = int(info(client, "memory", "used_memory"))
    with Phase(client, f"fill with {count}, 20 a call"):
        fill(large, count)
    used = int(info(client, "memory", "used_memory")) - before
    print(f"memory: {used / count:.0f} bytes an entry (key 20, value 100 bytes),"
          f" counted as {large.stats(0)['used'] / count:.0f}")
    fill(small, 1000)
    large.configure(0, CAPACITY, capacity=count)
    small.configure(0, CAPACITY, capacity=1000)
    for policy, name in POLICIES.items():
        with Phase(client, f"change to {name}") as phase:
            reply = phase.alone(lambda: large.configure(0, POLICY, policy=policy))
            while reply[2]:
                reply = phase.alone(lambda: large.work(0))
        small.configure(0, POLICY, policy=policy)
        if policy == LRU:
            used = int(info(client, "memory", "used_memory")) - before
            print(f"memory: {used / count:.0f} bytes an entry under lru")
        ratios = []
        for _ in range(3):
            one = evicting_sets(large, f"evicting set at {count}, {name}")
            ratios.append(one / evicting_sets(small, f"evicting set at 1000, {name}"))
        print(f"ratio of both: {sorted(ratios)[1]:.2f}")
    large.configure(0, POLICY, policy=FRECENCY)
    with Phase(client, "uses, 64 a call") as phase:
        rng = random.Random(2)
        for _ in range(300):
            uses = [(b"%020d" % number, 1 + rng.randrange(5), rng.randrange(1000000))
                    for number in rng.sample(range(count), 64)]
            phase.alone(lambda: large.use(0, uses, 64))
    evicting_sets(large, f"evicting set at {count}, uses behind")
    with Phase(client, "list, 499 a call") as phase:
        after = b""
        for _ in range(50):
            after = phase.alone(lambda: large.call("list", 0, b"", 1, after, 499, 0))[3]
    with Phase(client, "stats"):
        for _ in range(100):
            large.stats(0)
    large.configure(0, CAPACITY | MAX_SIZE, max_size=int(large.stats(0)["used"]) - 1)
    drain(large, "down to 80 % by work")
    with Phase(client, "clear by prefix") as phase:
        reply = [0, 0, 1, b""]
        for _ in range(300):
            if reply[2]:
                reply = phase.alone(
                    lambda: large.call("clear_prefix", 0, "", b"00000", reply[3]))
    with Phase(client, "clear") as phase:
        phase.alone(lambda: large.call("clear", 0, ""))
        small.call("clear", 0, "")
    large.configure(0, CAPACITY | MAX_SIZE)
    with Phase(client, f"fill with {count}, that expire"):
        fill(large, count, ttl=1)
    used = int(info(client, "memory", "used_memory")) - before
    print(f"memory: {used / count:.0f} bytes an entry that expires (freeing may go on)")
    time.sleep(1.1)
    drain(large, "expiry by work")
    large.call("clear", 0, "")
    for frequencies in (1000, 20000):
        some = min(count, 10 * frequencies)
        fill(large, some, spread=frequencies, mixed=True)
        large.configure(0, CAPACITY, capacity=some)
        evicting_sets(large, f"evicting set, {frequencies} frequencies", 500)
        large.configure(0, CAPACITY, capacity=some - frequencies // 10)
        drain(large, f"down a little, {frequencies} frequencies")
        with Phase(client, f"set of what needs a tenth, {frequencies}") as phase:
            large.configure(0, CAPACITY | MAX_SIZE, max_size=int(large.stats(0)["used"]))
            size = int(large.stats(0)["used"]) // 10
            while phase.alone(lambda: large.set(0, b"room", size=size))[0] == MORE:
                pass
        drain(large, f"down to 80 %, {frequencies} frequencies")
        large.call("clear", 0, "")
        large.configure(0, CAPACITY | MAX_SIZE)
    for size in (100, 100000, 1000000, 10000000):
        with Phase(client, f"set of {size} bytes") as phase:
            for i in range(10):
                phase.alone(lambda: large.set(0, b"large %d" % i, b"v" * size))
        with Phase(client, f"delete of {size} bytes") as phase:
            for i in range(10):
                phase.alone(lambda: large.delete(0, b"large %d" % i))
    small.configure(0, CAPACITY)
    for each in (50, 200, 500, 1000, 10000):
        with Phase(client, f"set of {each} items") as phase:
            for first in range(0, 10000, each):
                items = [(b"%d" % i, VALUE, 0, 0, "", TYPE) for i in range(first, first + each)]
                phase.alone(lambda: small.set_items(0, items))
    with Phase(client, "50 sets that share a call") as phase:
        for first in range(0, 5000, 50):
            items = [(b"%d" % i, VALUE, 0, 0, "", TYPE) for i in range(first, first + 50)]
            phase.alone(lambda: small.set_each(0, items))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", type=int, nargs="?", default=1000000)
    parser.add_argument("--program", default="redis-server")
    options = parser.parse_args()
    with Bed("plain", program=options.program) as bed:
        run(bed.masters[0].client(600), options.entries, bed.masters[0].process.pid)
    print(f"\nbeyond {LIMIT_US / 1000:.0f} ms:")
    for title, processor_us, wall_us in Phase.beyond:
        print(f"{title:42} longest: processor {processor_us / 1000:6.2f} ms"
              f" wall {wall_us / 1000:6.2f} ms")


if __name__ == "__main__":
    main()

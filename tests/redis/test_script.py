#!/usr/bin/env python3
"""steadycache.lua against a model of it, on a Redis server of its own.

    test_script.py [--rounds N] [--seed N] [--program redis-server] [--measure [ENTRIES]]
"""
import argparse
import random
import struct
import sys
import time

from engine import ABSENT, CAPACITY, CREATED, FIFO, FRECENCY, FRESH, FULL, HELD, LOST, LRU, MAX_SIZE
from engine import MORE, NONE, OK, POLICY, REFUSED, STALE, TOO_LARGE, TOO_MANY, TTL, TYPE
from engine import Partition, etag_of, static_of
from model import US, Model
from resp import Refused, Server

START = 1700000000 * US
checks = 0


def same(found, expected, what):
    global checks
    checks += 1
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        names = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
        sys.exit(f"FAILED: {what}: {len(names)} differ\n" + "\n".join(
            f"  {name!r}: {found.get(name)!r}, not {expected.get(name)!r}" for name in names[:9]))
    if found != expected:
        sys.exit(f"FAILED: {what}:\n  found    {found!r}\n  expected {expected!r}")


def true(holds, what):
    same(bool(holds), True, what)


# ---- Random operations ----

def keys_for(rng, count):
    keys = [b"", b"\0", b"\0\0", b"\xff", b"\xff\xff", b"\xff\xff\xff", b"a\r\nb", b"%d{x}"]
    while len(keys) < count:
        keys.append(rng.choice((b"a/", b"b/", b"\xff\xff", b"")) + rng.randbytes(rng.randrange(12)))
    return sorted(set(keys))


class Walk:
    """One partition and its model, side by side."""

    def __init__(self, client, seed, as_function):
        self.rng = random.Random(seed)
        self.part = Partition(client, as_function=as_function)
        client("FLUSHALL")
        self.model = Model()
        self.now = START
        self.keys = keys_for(self.rng, 70)
        self.what = ""
        self.settle(self.part.configure(self.now, 0))

    def settle(self, reply):
        """Does what the reply says is to follow."""
        same(reply[0], OK, self.what)
        same(reply[1], self.now, self.what)
        for _ in range(1000):
            if not reply[2]:
                return
            reply = self.part.work(self.now)
        sys.exit(f"FAILED: {self.what}: the work does not end")

    def item(self):
        rng = self.rng
        value = rng.randbytes(rng.choice((0, 1, 30, 200, 900)))
        ttl = rng.choice((-1, -1, -1, 0, 1, 5, 60))
        history = ""
        if rng.random() < 0.15:
            past = [self.now - rng.randrange(rng.choice((10, 10 ** 7, 10 ** 11)))
                    for _ in range(2)]
            history = "%d %d %d %d" % (
                rng.choice((0, 1, 2, 7, rng.randrange(1, 500), 0xffffffff)),
                rng.choice((0, past[0], self.now + 5 * US)),
                rng.choice((0, past[1], self.now + 5 * US)),
                rng.choice((-1, 0, self.now + 3 * US, max(self.now - 3 * US, 1))))
        size = rng.choice((0, 0, rng.randrange(2000)))
        return (rng.choice(self.keys), value, size, ttl, history,
                rng.choice((TYPE, b"text/plain", b"x")))

    def etags(self):
        values = [entry.value for entry in self.model.entries.values()] or [b"none"]
        return [etag_of(self.rng.choice(values)) for _ in range(self.rng.randrange(1, 4))]

    def set_some(self):
        rng = self.rng
        condition, etags = "", []
        items = [self.item()]
        if rng.random() < 0.2:
            condition = rng.choice(("absent", "present", "match", "none_match"))
            etags = self.etags() if "match" in condition else []
        elif rng.random() < 0.3:
            items = list({item[0]: item for item in
                          (self.item() for _ in range(rng.randrange(1, 90)))}.values())
        self.what += f" set of {len(items)} {condition}"
        code, created = self.model.set(items, condition, etags)
        for _ in range(100):
            reply = self.part.set_items(self.now, items, condition, b"".join(etags))
            if reply[0] != MORE:
                break
        same(reply[:2], [code, self.now], self.what)
        same(reply[3], self.model.ttl, self.what)
        if code == OK:
            same(reply[4], b"".join(b"1" if new else b"0" for new in created), self.what)
        reply[0] = OK
        self.settle(reply)

    def use_some(self):
        count = self.rng.choice((0, 1, 1, 3, 70))
        uses = [(key, self.rng.choice((1, 1, 2, 50)), self.rng.choice((0, 0, 1, 999, 10 ** 6)))
                for key in self.rng.sample(self.keys, min(count, len(self.keys)))]
        self.what += f" {len(uses)} uses"
        self.model.use(uses)
        for counter in ("hits", "misses", "stale_hits"):
            self.model.counters[counter] += len(uses)
        same(self.part.use(self.now, uses, len(uses), len(uses), len(uses)), [OK, self.now],
             self.what)

    def delete_some(self):
        rng = self.rng
        condition, etags = "", []
        keys = [rng.choice(self.keys)]
        if rng.random() < 0.4:
            condition = rng.choice(("absent", "present", "match", "none_match"))
            etags = self.etags() if "match" in condition else []
        elif rng.random() < 0.3:
            keys = rng.sample(self.keys, rng.randrange(1, 20))
        self.what += f" delete of {len(keys)} {condition}"
        expected = self.model.delete(keys, condition, etags)
        same(self.part.delete(self.now, *keys, condition=condition, etags=b"".join(etags)),
             [OK, self.now, expected], self.what)

    def clear_some(self):
        prefix = self.rng.choice((b"", b"a/", b"b/", b"\xff\xff", b"\xff", b"\0", b"nothing"))
        self.what += f" clear {prefix}"
        if not prefix:
            same(self.part.call("clear", self.now, ""),
                 [OK, self.now, len(self.model.entries)], self.what)
        else:
            reply = [OK, 0, 1, b""]
            while reply[2]:
                reply = self.part.call("clear_prefix", self.now, "", prefix, reply[3])
        self.model.clear(prefix)

    def configure(self):
        rng = self.rng
        settings = {"max_size": rng.choice((0, 2000, 10003, 30000)),
                    "capacity": rng.choice((-1, -1, 0, 1, 7, 25, 50)),
                    "ttl": rng.choice((0, 0, 2, 100)),
                    "policy": rng.choice((FRECENCY, FRECENCY, LRU, FIFO, NONE)),
                    "stale": rng.choice((0, 3, 1000))}
        mask = rng.randrange(32)
        self.what += f" configure {mask} {settings}"
        reply = self.part.configure(self.now, mask, **settings)
        self.model.configure(mask, **settings)
        self.settle(reply)

    def list_some(self):
        rng = self.rng
        prefix = rng.choice((b"", b"a/", b"\xff\xff", b"\0", b"a"))
        after = rng.choice((None, None, rng.choice(self.keys)))
        expected = [key for key in sorted(self.model.entries)
                    if key.startswith(prefix) and self.model.live(key)
                    and (after is None or key > after)]
        limit, key_bytes = rng.choice((1, 3, 1000)), rng.choice((0, 0, 20))
        found, more = [], 1
        self.what += f" list {prefix} {after} {limit} {key_bytes}"
        while more:
            reply = self.part.call("list", self.now, prefix, 0 if after is None else 1,
                                   after or b"", limit, key_bytes)
            more, after = reply[2], reply[3]
            page = list(zip(reply[4::2], reply[5::2]))
            true(len(page) <= limit and (page or not more or limit > 1), self.what)
            found += page
            if key_bytes:
                true(sum(len(key) for key, _ in page[:-1]) < key_bytes, self.what)
        same([key for key, _ in found], expected, self.what)
        for key, head in found:
            entry = self.model.entries[key]
            same(struct.unpack("<Iqqqqq16s", head),
                 (entry.frequency, self.model.to_wall(entry.last), self.model.to_wall(entry.stamp),
                  entry.expires, entry.used, entry.size, etag_of(entry.value)), self.what)

    def work(self):
        self.what += " work"
        self.model.read_clock()
        self.model.sweep()
        self.model.shrink()
        reply = self.part.work(self.now)
        self.settle(reply)

    def compare(self):
        model, part = self.model, self.part
        entries, dump = model.entries, part.dump()
        heads = {key: (e.frequency, e.last, e.stamp, e.expires, e.used, e.size, etag_of(e.value))
                 for key, e in entries.items()}
        same(dump["h"], heads, self.what + ": heads")
        same(dump["v"], {key: struct.pack("<qqq", e.modified, e.expires, e.size)
                         + static_of(e.value, e.content_type) + e.value
                         for key, e in entries.items()}, self.what + ": values")
        same(dump["n"], sorted(entries), self.what + ": names")

        def number(value, length):
            return value.to_bytes(length, "big")
        orders = {
            "f": [number(e.frequency, 4) + number(e.last, 7) + number(e.stamp, 7) + key
                  for key, e in entries.items()],
            "l": [number(e.last, 7) + number(e.stamp, 7) + key
                  for key, e in entries.items()] if model.policy == LRU else [],
            "i": [number(e.stamp, 7) + key
                  for key, e in entries.items()] if model.policy == FIFO else [],
        }
        for letter, members in orders.items():
            same(dump[letter], sorted(members), self.what + ": order " + letter)
        same(dump["x"], {key: float(e.expires) for key, e in entries.items() if e.expires},
             self.what + ": expiries")
        for entry in entries.values():
            bound = dump["g"].get(entry.frequency)
            octave = entry.frequency.bit_length() - 1
            true(bound is not None and octave * 2 ** 44 <= bound
                 <= octave * 2 ** 44 + entry.last // 1000, self.what + ": bounds of classes")
        stats = part.stats(self.now)
        frequencies = [e.frequency for e in entries.values()]
        expected = {"count": len(entries), "size": sum(e.size for e in entries.values()),
                    "used": model.used(), "frequency_sum": sum(frequencies),
                    "max_frequency": max(frequencies, default=0), "max_size": model.max_size,
                    "capacity": model.capacity, "ttl": model.ttl, "policy": model.policy,
                    "stale": model.stale, "pending": 0, **model.counters}
        same({name: stats[name] for name in expected}, expected, self.what + ": statistics")

    def run(self, rounds):
        rng = self.rng
        for step in range(rounds):
            self.now += rng.choice((0, 0, 1, 999, US, 3 * US, rng.randrange(10 * US),
                                    rng.choice((-50000, -3600 * US, 300 * US, 7200 * US))
                                    if rng.random() < 0.1 else 0))
            self.model.now = self.now
            self.what = f"step {step}:"
            rng.choice((self.set_some,) * 10 + (self.use_some,) * 4 + (self.delete_some,) * 2
                       + (self.list_some,) * 2 + (self.work,) * 2
                       + ((self.configure, self.clear_some) if rng.random() < 0.5 else
                          (self.set_some,)))()
            self.compare()


# ---- Main ----

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default="redis-server")
    parser.add_argument("--measure", type=int, nargs="?", const=1000000)
    options = parser.parse_args()

    with Server(program=options.program) as server:
        client = server.client()
        if options.measure:
            import measure
            measure.run(client, options.measure)
            return
        for as_function in (True, False):
            walk = Walk(client, options.seed, as_function)
            walk.run(options.rounds)
            print(walk.model.counters)
        print(f"{checks} checks")


if __name__ == "__main__":
    main()

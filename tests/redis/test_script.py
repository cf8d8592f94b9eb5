#!/usr/bin/env python3
"""steadycache.lua against a model of it, on a Redis server of its own.

    test_script.py [--rounds N] [--seed N] [--program redis-server]
"""
import argparse
import random
import struct
import sys
import time
from fractions import Fraction

from bed import Bed, await_that
from engine import ABSENT, CAPACITY, CREATED, FIFO, FRECENCY, FRESH, FULL, HELD, IDLE, LOST, LRU, MAX_SIZE
from engine import MORE, NONE, OK, POLICY, REFUSED, STALE, TOO_LARGE, TOO_MANY, TTL, TYPE
from engine import Partition, etag_of, read_head, static_of, text_of
from model import US, Model
from resp import Refused

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
                rng.choice((TYPE, b"text/plain", b"x", b"t" * 300)))

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

    def set_each(self):
        """Sets that share a call are as sets one after the other."""
        rng = self.rng
        items = list({item[0]: item for item in
                      (self.item() for _ in range(rng.randrange(1, 40)))}.values())
        self.what += f" {len(items)} sets"
        words = {FULL: b"F", TOO_LARGE: b"L", TOO_MANY: b"L"}
        expected = []
        for item in items:
            code, created = self.model.set([item])
            expected.append(words.get(code, b"1" if created[0] else b"0"))
        reply = self.part.set_each(self.now, items)
        same(reply[:2], [OK, self.now], self.what)
        same(reply[4], b"".join(expected), self.what)
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

    def expire_some(self):
        rng = self.rng
        condition, etags = "", []
        items = [(rng.choice(self.keys), rng.choice((-1, 0, 1, 5, 60)))]
        if rng.random() < 0.3:
            condition = rng.choice(("absent", "present", "match", "none_match"))
            etags = self.etags() if "match" in condition else []
        elif rng.random() < 0.3:
            items = [(key, rng.choice((-1, 0, 1, 5, 60)))
                     for key in rng.sample(self.keys, rng.randrange(1, 20))]
        self.what += f" another time to live of {len(items)} {condition}"
        expected = self.model.expire(items, condition, etags)
        same(self.part.expire(self.now, *items, condition=condition, etags=b"".join(etags)),
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
                    "stale": rng.choice((0, 3, 1000)),
                    "idle": rng.choice((0, 0, 4, 20))}
        mask = rng.randrange(64)
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
            true(len(page) <= limit and (page or not more), self.what)
            found += page
            if key_bytes:
                true(sum(len(key) for key, _ in page[:-1]) < key_bytes, self.what)
        same([key for key, _ in found], expected, self.what)
        for key, head in found:
            entry = self.model.entries[key]
            same(read_head(head),
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
                  for key, e in entries.items()]
            if model.policy == LRU or model.idle else [],
            "i": [number(e.stamp, 7) + key
                  for key, e in entries.items()] if model.policy == FIFO else [],
        }
        for letter, members in orders.items():
            same(dump[letter], sorted(members), self.what + ": order " + letter)
        same(dump["x"], {key: float(e.expires) for key, e in entries.items() if e.expires},
             self.what + ": expiries")
        for entry in entries.values():
            bound = dump["g"].get(entry.frequency)
            moment = entry.last // 1000 + entry.frequency * 1000 / dump["theta"]
            true(bound is not None and bound <= moment, self.what + ": classes")
        stats = part.stats(self.now)
        frequencies = [e.frequency for e in entries.values()]
        expected = {"count": len(entries), "size": sum(e.size for e in entries.values()),
                    "used": model.used(), "frequency_sum": sum(frequencies),
                    "max_frequency": max(frequencies, default=0), "max_size": model.max_size,
                    "capacity": model.capacity, "ttl": model.ttl, "policy": model.policy,
                    "stale": model.stale, "idle": model.idle, "pending": 0, **model.counters}
        same({name: stats[name] for name in expected}, expected, self.what + ": statistics")

    def run(self, rounds):
        rng = self.rng
        for step in range(rounds):
            self.now += rng.choice((0, 0, 1, 999, US, 3 * US, rng.randrange(10 * US),
                                    rng.choice((-50000, -3600 * US, 300 * US, 7200 * US))
                                    if rng.random() < 0.1 else 0))
            self.model.now = self.now
            self.what = f"step {step}:"
            rng.choice((self.set_some,) * 7 + (self.set_each,) * 3 + (self.use_some,) * 4
                       + (self.delete_some,) * 2 + (self.expire_some,) * 2
                       + (self.list_some,) * 2 + (self.work,) * 2
                       + ((self.configure, self.clear_some) if rng.random() < 0.5 else
                          (self.set_some,)))()
            self.compare()


class DenseWalk(Walk):
    """Under frecency at a capacity, with many frequencies and batches that spare what they set."""

    def __init__(self, client, seed, as_function):
        super().__init__(client, seed, as_function)
        self.keys = [b"%d" % i for i in range(400)]
        settings = {"max_size": 0, "capacity": 150, "ttl": 0, "policy": FRECENCY, "stale": 0}
        self.model.configure(31, **settings)
        self.settle(self.part.configure(self.now, 31, **settings))

    def item(self):
        key, value, size, _, _, kind = super().item()
        history = ""
        if self.rng.random() < 0.6:
            frequency = int(2 ** (self.rng.random() * 31))
            age = int(self.rng.random() * frequency * self.rng.choice((1, 1000, 10 ** 6)))
            history = f"{frequency} 0 {max(self.now - age, 1)} -1"
        return key, value, size, -1, history, kind

    def configure(self):
        self.set_some()

    def clear_some(self):
        if self.rng.random() < 0.03:
            super().clear_some()


# ---- One by one ----

def expect_refusal(part, words, *beginnings):
    """The call is an error, and changes nothing."""
    before = part.client("GET", part.keys[0]), part.dump()
    try:
        reply = part.client(*words)
    except Refused as refusal:
        true(str(refusal).startswith(beginnings), f"{words[:2]}: {refusal}")
    else:
        sys.exit(f"FAILED: {words!r}: taken: {reply!r}")
    same((part.client("GET", part.keys[0]), part.dump()), before, "what was refused")


def test_odd_arguments(part):
    part.set(START, b"key", b"value")
    good = [START, part.defaults, 1, "", "", b"", b"key", text_of(b"x"), -1, ""]
    odd = {
        0: ("", "x", -1, 1.5, "nan", "inf", 2 ** 60),
        1: ("", "1 2 3", "1 2 3 4", "-1 0 0 0", "1 -2 0 0", "1 2 3 0 ", "9" * 30 + " 0 0 0"),
        3: ("x", "pp" * 200),
        4: ("always", "MATCH"),
        5: (b"short",),
        7: (b"", b"x" * 41, text_of(b"")[:42] + b"y" * 9, text_of(b"x", size=2 ** 60),
            text_of(b"", b"t" * 256)[:43], text_of(b"", b"t" * 256)[:-1],
            text_of(b"x" * 9, b"t" * 300)[:16] + struct.pack("<q", 8)
            + text_of(b"x" * 9, b"t" * 300)[24:],
            struct.pack("<qqq", 0, 0, -1) + static_of(b"") + b""),
        8: ("-2", "", "1.5", 2 ** 53),
        9: ("1", "1 2 3", "4294967296 0 0 0", "1 0 0 -2", "1 1 1 1 1", "a b c d"),
    }
    for position, words in odd.items():
        for word in words:
            arguments = list(good)
            arguments[position] = word
            expect_refusal(part, part.words("set", *arguments), "STEADYARG")
    expect_refusal(part, part.words("set", *good, *good[6:]), "STEADYARG")      # twice one key
    expect_refusal(part, part.words("set", *good[:-1]), "STEADYARG")
    expect_refusal(part, part.words("set_each", *good[:4], *good[6:], b"k", b"", -1, ""),
                   "STEADYARG")
    expect_refusal(part, part.words("set"), "STEADYARG")
    for call, words in {
            "use": (START, 0, 0, 0, b"\1\0\0\0", b"k"), "delete": (START, "", "match", b"1", b"k"),
            "list": (START, b"", 0, b"", 0, 0), "stats": (START, ""), "work": ("", ""),
            "configure": (START, part.defaults, 1, 256, 0, 0, 0, 0, 0, 0, 0, 0),
            "expire": (START, part.defaults, "", "", b"", b"k"), "drop": (START, "x"),
            "lease_take": (START, b"k", b"t", 0), "clear": (START, "x")}.items():
        expect_refusal(part, part.words(call, *words), "STEADYARG")
    expect_refusal(part, ("FCALL", "steadycache_2_stats", 3, *part.keys[:3], START, part.defaults)
                   if part.as_function else
                   ("EVALSHA", part.sha, 3, *part.keys[:3], "stats", START, part.defaults),
                   "STEADYARG")
    for damage in (b"", b"short", b"\0" * 400):
        kept = part.client("GET", part.keys[0])
        part.client("SET", part.keys[0], damage)
        expect_refusal(part, part.set_words(START, [(b"key", b"v", 0, 0, "", TYPE)]), "STEADY")
        part.client("SET", part.keys[0], kept)


def test_absent(part):
    same(part.set(START, b"key", create=0), [ABSENT, START], "set in no namespace")
    same(part.use(START, [(b"key", 1, 0)], 1), [ABSENT, START], "use in no namespace")
    same(part.delete(START, b"key", b"other"), [OK, START, b"11"], "delete in no namespace")
    same(part.call("clear", START, ""), [OK, START, 0], "clear in no namespace")
    same(part.call("list", START, b"", 0, b"", 10, 0), [OK, START, 0, b""], "list of none")
    same(part.stats(START), None, "stats of none")
    same(part.work(START)[0], ABSENT, "work in none")
    same(part.client("DBSIZE"), 0, "nothing was made")


def test_names(part):
    def name(*words):
        names = b"steadycache:namespaces"
        if part.as_function:
            return part.client("FCALL", "steadycache_2_name", 1, names, *words)[0]
        return part.client("EVALSHA", part.sha, 1, names, "name", *words)[0]
    same([name("a", 2), name("b", 2), name("a", 2), name("c", 2), name("c", 0)],
         [CREATED, CREATED, OK, TOO_MANY, CREATED], "names")
    same(part.client("ZRANGE", b"steadycache:namespaces", 0, -1), [b"a", b"b", b"c"], "names")


def test_drop(part):
    names = b"steadycache:namespaces"
    same(part.call("drop", START, "")[0], ABSENT, "drop of none")
    part.client("ZADD", names, 0, "n")
    same(part.call("drop", START, ""), [OK, START], "drop of a name alone")
    part.set(START, b"key", ttl=5)
    same(part.client("ZRANGE", names, 0, -1), [b"n"], "whoever creates it sees to the name")
    part.configure(START, POLICY | TTL, policy=LRU, ttl=9)
    part.call("lease_take", START, b"other", b"me", US)
    same(part.call("drop", START, ""), [OK, START], "drop")
    same(part.client("EXISTS", names, *part.keys[:9], part.keys[11]), 0, "nothing is left")
    same(part.call("lease_take", START, b"other", b"", 0)[0], HELD, "but leases")
    part.set(START, b"key")
    stats = part.stats(START)
    same([stats[name] for name in ("mask", "policy", "ttl", "count", "sets")],
         [0, FRECENCY, 0, 1, 1], "it begins anew")


def test_later_settings(part):
    """They stand above the bits that an older library knows of `mask`, and leaves as they are."""
    part.configure(START, 31 | IDLE | 64 | 128, max_size=5000, idle=3153600000, compression=1,
                   put_status=200)
    kept = struct.unpack_from("<32d", part.client("GET", part.keys[0]))[6]
    same([kept % 32, kept // 1048576], [31, 3153600000], "mask")
    part.set(START, b"key")
    part.call("clear", START, "")
    stats = part.stats(START)
    same([stats[name] for name in ("max_size", "mask", "idle", "compression", "put_status")],
         [5000, 255, 3153600000, 1, 200], "settings")
    part.configure(START, IDLE | 128)
    stats = part.stats(START)
    same([stats[name] for name in ("mask", "idle", "compression", "put_status")],
         [255, 0, 1, 0], "settings")


def test_leases(part):
    def call(which, now, *words):
        return part.call("lease_" + which, now, *words)[0]
    same(call("take", START, b"k\0", b"one", US), OK, "free")
    same(part.call("lease_take", START, b"k\0", b"two", US), [HELD, START, START + US], "held")
    same(call("take", START, b"other", b"two", US), OK, "another key")
    same(call("end", START, b"k\0", b"two", "", b""), LOST, "not its own")
    same(call("take", START + US - 1, b"k\0", b"one", US), OK, "taken again")
    same(part.call("lease_take", START + US, b"k\0", b"", 0), [HELD, START + US, START + 2 * US - 1],
         "only asked")
    same(call("end", START + US, b"k\0", b"one", "", b""), OK, "ended")
    same(call("end", START + US, b"k\0", b"one", "", b""), LOST, "twice")
    same(part.call("lease_take", START + US, b"k\0", b"", 0), [OK, START + US, 0], "only asked")
    same(call("take", START + US, b"k\0", b"two", US), OK, "free again")
    same(call("end", START + 2 * US, b"k\0", b"two", "", b""), LOST, "it has lapsed")
    same(call("take", START + 2 * US, b"k\0", b"four", US), OK, "lapsed ones are free")
    part.set(START + 2 * US, b"k\0", b"v", ttl=1)
    same(call("take", START + 2 * US, b"k\0", b"five", US), FRESH, "computed meanwhile")
    same(call("take", START + 2 * US, b"k\0", b"", 0), FRESH, "only asked")
    same(call("end", START + 2 * US, b"k\0", b"four", "", b""), LOST, "the value has ended it")
    same(call("take", START + 3 * US, b"k\0", b"five", US), OK, "it has expired")
    part.set_items(START + 3 * US, [(b"k\0", b"v", 0, 1, "", TYPE), (b"z", b"v", 0, 1, "", TYPE)])
    same(part.client("HKEYS", part.keys[9]), [b"other"], "a batch ends leases too")
    same(call("take", START + 4 * US, b"k\0", b"six", 90 * US), OK, "it has expired")
    part.work(START + 4 * US)
    same(part.work(START + 100 * US), [OK, START + 100 * US, 0, START + 154 * US, 0, 0],
         "what comes next")
    same(part.client("HKEYS", part.keys[9]), [b"k\0"], "what lapsed is removed")
    same(part.work(START + 154 * US)[2:4], [0, 0], "nothing is left")
    same(part.client("EXISTS", *part.keys[9:]), 0, "lapsed leases are removed")


def test_news(part, listener):
    listener.send("SUBSCRIBE", part.keys[0])
    listener.read()

    def heard(letter, *words):
        same(listener.read(), [b"message", part.keys[0], letter + b"\2me" + b"".join(
            struct.pack("<I", len(word)) + word for word in words)], "news")
    part.notify = "pme"
    part.set(START, b"a\0b")
    heard(b"W", b"a\0b")
    part.set(START, b"a", condition="present")      # refused: nobody hears
    part.delete(START, b"none")
    part.delete(START, b"a\0b")
    heard(b"D", b"a\0b")
    part.call("clear", START, "pme")
    heard(b"C")
    part.call("clear_prefix", START, "pme", b"a", b"")
    heard(b"P", b"a")
    part.call("lease_take", START, b"k", b"t", US)
    part.call("lease_end", START, b"k", b"t", "pme", b"stored")
    heard(b"L", b"k", b"stored")
    part.notify = "sme"
    part.set(START, b"a")                           # SPUBLISH, which this one does not hear
    part.notify = ""
    part.set(START, b"b")
    listener.send("UNSUBSCRIBE")
    same(listener.read()[0], b"unsubscribe", "no more news")


def test_full_memory(part):
    """maxmemory is reached: what makes room works, and a set has done nothing."""
    for i in range(50):
        part.set(START, b"%d" % i, b"v" * 1000)
    part.client("CONFIG", "SET", "maxmemory", 1)
    if part.as_function:
        expect_refusal(part, part.set_words(START, [(b"0", b"v" * 1001, 0, 0, "", TYPE)]), "OOM")
        expect_refusal(part, part.set_words(START, [(b"new", b"v", 0, 0, "", TYPE)]), "OOM")
    else:
        expect_refusal(part, part.set_words(START, [(b"new", b"v", 0, 0, "", TYPE)]), "OOM")
    same(part.use(START, [(b"1", 1, 0)], 1), [OK, START], "use")
    same(part.delete(START, b"0"), [OK, START, b"0"], "delete")
    same(part.call("clear_prefix", START, "", b"1", b"")[:3], [OK, START, 0], "clear by prefix")
    same(part.configure(START, CAPACITY, capacity=5)[0], OK, "configure")
    same(part.stats(START)["count"], 5, "it evicts")
    same(part.call("clear", START, ""), [OK, START, 5], "clear")
    part.client("CONFIG", "SET", "maxmemory", 0)


def test_steps(part):
    """What takes long goes on in steps; no step removes many, and all agrees in the end."""
    count = 3000
    part.defaults = "0 -1 0 1"
    for first in range(0, count, 500):
        items = [(b"%05d" % i, b"v", 0, 0, "", TYPE) for i in range(first, first + 500)]
        same(part.set_items(START, items)[0], OK, "set")
    used = part.stats(START)["used"]

    def drain(reply):
        calls = 0
        while reply[2]:
            before = part.stats(START)["count"]
            reply = part.work(START)
            true(before - part.stats(START)["count"] <= 256, "a step is short")
            calls += 1
        return calls
    part.configure(START, MAX_SIZE, max_size=used)
    true(drain(part.set(START, b"new")) > 1, "down to 80 % in steps")
    stats = part.stats(START)
    true(used * 0.8 - 200 < stats["used"] <= used * 0.8, "80 %")
    same(part.client("ZRANGE", part.keys[3], 0, 0), [b"%05d" % (count + 1 - stats["count"])],
         "the oldest went")

    # A set that needs the room of very many.
    calls = 1
    while True:
        reply = part.set(START, b"huge", size=used - 500)
        if reply[0] != MORE:
            break
        calls += 1
    same(reply[0], OK, "a huge one")
    true(calls > 5, "in steps")
    true(part.stats(START)["count"] <= 3, "all went for it")

    # An order that is built while entries come, go and are used; till then the old one holds.
    part.configure(START, MAX_SIZE, max_size=0)
    drain(part.configure(START, POLICY, policy=FRECENCY))
    for first in range(0, count, 500):
        items = [(b"%05d" % i, b"v", 0, 0, "", TYPE) for i in range(first, first + 500)]
        same(part.set_items(START, items)[0], OK, "set")
    rng = random.Random(4)
    for policy, letter, former in ((LRU, "l", "i"), (FIFO, "i", "l"), (LRU, "l", "i")):
        true(part.configure(START, POLICY, policy=policy)[2] == 1, "a large order takes steps")
        for i in range(40):
            part.set(START + i, b"more %d %d" % (policy, i))
            part.use(START + i, [(b"%05d" % number, 3, 0)
                                 for number in rng.sample(range(count), 20)])
            part.delete(START + i, b"%05d" % rng.randrange(count))
        true(drain([0, 0, 1]) > 1, "built in steps")
        dump = part.dump()
        same(dump[former], [], "the former order is gone")
        same(dump[letter], sorted(
            (head[1].to_bytes(7, "big") if policy == LRU else b"") + head[2].to_bytes(7, "big")
            + key for key, head in dump["h"].items()), "the new order")

    # Expiry, and a clear by prefix, of many.
    part.call("clear", START, "")
    for first in range(0, count, 500):
        items = [(b"%05d" % i, b"v", 0, 5, "", TYPE) for i in range(first, first + 500)]
        same(part.set_items(START, items)[0], OK, "set")
    same(part.work(START)[2:4], [0, START + 5 * US], "the next expiry")
    reply, calls = part.work(START + 5 * US), 1
    while reply[2]:
        reply, calls = part.work(START + 5 * US), calls + 1
    true(calls > 5, "expiry in steps")
    same(part.stats(START)["count"], 0, "all have expired")
    for first in range(0, count, 500):
        items = [(b"%05d" % i, b"v", 0, 0, "", TYPE) for i in range(first, first + 500)]
        part.set_items(START, items)
    reply, calls = [0, 0, 1, b""], 0
    while reply[2]:
        reply, calls = part.call("clear_prefix", START, "", b"00", reply[3]), calls + 1
    true(calls > 3, "a clear by prefix in steps")
    same(part.stats(START)["count"], count - 1000, "the others stay")


def test_ties(part):
    """Of equal scores the one that was used first goes; then the one that was made first."""
    def history(frequency, created, age):
        return f"{frequency} {START - created} {START - age} 0"
    # 1 / 1 s, 2 / 2 s, 3 / 3 s, and so on: all score 1; the oldest created was used last.
    part.set(START, b"other", history=history(9, 1, 1))
    for frequency in (3, 1, 4, 2, 5):
        part.set(START, b"%d" % frequency, history=history(
            frequency, 60 * US - frequency * US, (frequency - 1) * US or 1))
    # The score of 1, which was used a microsecond ago, is the least; then by age.
    for frequency in (1, 5, 4, 3, 2):
        part.configure(START, CAPACITY, capacity=part.stats(START)["count"] - 1)
        true(part.value(b"%d" % frequency) is None, f"{frequency} was to go")
    # Large numbers, which differ by less than a double tells.
    part.call("clear", START, "")
    part.configure(START, CAPACITY, capacity=-1)
    age = (1 << 50) - US
    ranked = sorted((Fraction((1 << 31) + i, US + age + i * offset), -i * offset, i, offset)
                    for i in range(1, 20) for offset in (524287, 524288, 524289))
    for _, _, i, offset in ranked[::2] + ranked[1::2]:
        part.set(START, b"%d %d" % (i, offset), history="%d 1 %d 0" % (
            (1 << 31) + i, START - age - i * offset))
    for position, (_, _, i, offset) in enumerate(ranked[:-1]):
        part.configure(START, CAPACITY, capacity=len(ranked) - 1 - position)
        true(part.value(b"%d %d" % (i, offset)) is None, f"{i} {offset} was to go")


def test_engine_clock(part):
    before = time.time() * US
    reply = part.set(0, b"key", ttl=100)
    true(before - 1000 <= reply[1] <= time.time() * US + 1000, "the engine's clock")
    modified, expires = part.value(b"key")[:2]
    same((modified, expires), (reply[1], reply[1] + 100 * US), "times of the value")


def test_times_of_the_front(part):
    """Times that a front gives are taken where they are near and right."""
    def stored(modified, expires, ttl):
        part.call("set", START, part.defaults, 1, "", "", b"", b"k",
                  text_of(b"v", modified=modified, expires=expires), ttl, "")
        times = part.value(b"k")[:2]
        same(part.dump()["h"][b"k"][3], times[1], "head and value expire together")
        return times
    for away in (-100000, 0, 100000):
        near = START + away
        same(stored(near, near + 9 * US, 9), (near, near + 9 * US), "near")
        same(stored(near, 0, 0), (near, 0), "near, and never")
        same(stored(near, START + 9 * US + 1, 9), (near, near + 9 * US), "near, another expiry")
        same(stored(near, near + 9 * US, -1), (near, 0), "the default is another")
    for away in (-100001, 100001, -START):
        same(stored(START + away, START + away + 9 * US, 9), (START, START + 9 * US), "not near")


# What the user of a server needs, and no more.
ACL = ("reset", "on", ">secret", "~steadycache:*", "&steadycache:*", "-@all", "+fcall", "+evalsha",
       "+script|load", "+function|load", "+time", "+get", "+set", "+hget", "+hmget", "+hset",
       "+hdel", "+zadd", "+zrem", "+zrange", "+zrevrange", "+zrangebyscore", "+zrangebylex",
       "+zscore", "+zcard", "+zrandmember", "+rename", "+unlink", "+publish", "+spublish", "+subscribe", "+psubscribe",
       "+ping", "+info", "+auth", "+hello", "+select", "+config|get")


def test_acl(part, client):
    """The calls work for a user who may do nothing else."""
    part.client("ACL", "SETUSER", "cache", *ACL)
    client("AUTH", "cache", "secret")
    limited = Partition(client, as_function=part.as_function)
    limited.notify = "pme"
    for policy in (LRU, FIFO, FRECENCY):
        limited.configure(START, POLICY | CAPACITY, policy=policy, capacity=3)
        for i in range(6):
            same(limited.set(START, b"%d" % i, ttl=5)[0], OK, "set of the limited user")
        same(limited.use(START, [(b"5", 1, 0)], 1), [OK, START], "use of the limited user")
        same(limited.call("list", START, b"", 0, b"", 9, 0)[4::2], [b"3", b"4", b"5"], "list")
        same(limited.work(START + 6 * US)[0], OK, "work of the limited user")
    limited.notify = "sme"
    limited.set(START, b"k")
    limited.delete(START, b"k")
    same(limited.call("lease_take", START, b"k", b"t", US)[0], OK, "a lease")
    same(limited.call("lease_end", START, b"k", b"t", "sme", b"t")[0], OK, "its end")
    limited.call("clear_prefix", START, "sme", b"a", b"")
    limited.call("clear", START, "sme")
    try:
        client("SET", "other", "v")
    except Refused as refusal:
        true(str(refusal).startswith("NOPERM"), "nothing else is allowed")
    else:
        sys.exit("FAILED: the limited user is not limited")


def test_cluster(program):
    """In a Cluster all keys of a call are of one slot; one that moves refuses it as a whole."""
    lines = ("cluster-enabled yes", "cluster-port {node.bus_port}",
             "cluster-require-full-coverage no")
    with Bed("plain", lines, program=program) as one, Bed("plain", lines, program=program) as two:
        node = two.nodes[0]
        client, other = one.nodes[0].client(), node.client()
        client("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        client("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        other_id = other("CLUSTER", "MYID").decode()
        await_that(lambda: other_id in client("CLUSTER", "NODES").decode() and
                   b"cluster_state:ok" in client("CLUSTER", "INFO"), "a Cluster of two")
        parts = [Partition(client, b"steadycache:{n:%d}:" % i, in_cluster=True) for i in range(16)]
        for part in parts:
            part.notify = "pme"
            same(part.set(START, b"key")[0], OK, "set in a Cluster")
            part.notify = "sme"
            same(part.set(START, b"key")[0], OK, "set in a Cluster, SPUBLISH")
            same(part.delete(START, b"key"), [OK, START, b"0"], "delete in a Cluster")
            same(part.set(START, b"key")[0], OK, "set in a Cluster")
        part = parts[0]
        slot = client("CLUSTER", "KEYSLOT", part.keys[0])
        before = part.dump()
        client("CLUSTER", "SETSLOT", slot, "MIGRATING", other_id)
        for words in (part.set_words(START, [(b"new", b"v", 0, 0, "", TYPE)]),
                      part.words("delete", START, "", "", b"", b"key"),
                      part.words("clear", START, ""), part.words("work", START, part.defaults)):
            reply = client.pipeline([words])[0]
            true(isinstance(reply, Refused) and str(reply).startswith(("TRYAGAIN", "ASK")), reply)
        true(part.value(b"key"), "reads go on")
        client("CLUSTER", "SETSLOT", slot, "STABLE")
        same(part.dump(), before, "what was refused has changed nothing")
        same(part.delete(START, b"key"), [OK, START, b"0"], "it stayed")


def test_restart(program, seed):
    """What the log of a server brings back is what was there, functions included."""
    with Bed("plain", ("appendonly yes",), program=program) as bed:
        server = bed.nodes[0]
        walk = Walk(server.client(), seed, True)
        walk.run(80)
        before = walk.part.client("GET", walk.part.keys[0]), walk.part.dump()
        server.stop()
        server.start()
        walk.part.client = server.client()
        same((walk.part.client("GET", walk.part.keys[0]), walk.part.dump()), before, "restart")
        walk.compare()
        walk.run(20)


DIRECTED = (test_odd_arguments, test_absent, test_names, test_drop, test_later_settings, test_leases, test_news, test_full_memory,
            test_steps, test_ties, test_engine_clock,
            test_times_of_the_front, test_acl)


# ---- Main ----

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default="redis-server")
    options = parser.parse_args()

    with Bed("plain", program=options.program) as bed:
        server = bed.nodes[0]
        client = server.client()
        for as_function in (True, False):
            for test in DIRECTED:
                client("FLUSHALL")
                part = Partition(client, as_function=as_function)
                if test in (test_news, test_acl):
                    test(part, server.client())
                else:
                    test(part)
            for kind, rounds in ((Walk, options.rounds), (DenseWalk, options.rounds // 4)):
                walk = kind(client, options.seed, as_function)
                walk.run(rounds)
                print(f"{kind.__name__}: {walk.model.counters}")
        test_restart(options.program, options.seed)
        test_cluster(options.program)
        print(f"{checks} checks")


if __name__ == "__main__":
    main()

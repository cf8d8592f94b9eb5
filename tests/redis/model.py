"""What a partition has to be like, the slow way: a dictionary, of which the victim is found by
looking at all."""
from dataclasses import dataclass, field
from fractions import Fraction

from engine import CAPACITY, FIFO, FRECENCY, FULL, IDLE, LRU, MAX_SIZE, NONE, OK, POLICY, REFUSED, STALE
from engine import TOO_LARGE, TOO_MANY, TTL, etag_of

US = 1000000
HUGE = 1 << 60


@dataclass
class Entry:
    value: bytes
    content_type: bytes
    frequency: int
    last: int
    stamp: int
    expires: int
    used: int
    size: int
    modified: int


@dataclass
class Model:
    max_size: int = 104857600
    capacity: int = -1
    ttl: int = 0
    policy: int = FRECENCY
    stale: int = 0
    idle: int = 0
    entries: dict = field(default_factory=dict)
    counters: dict = field(default_factory=lambda: dict.fromkeys(
        ("hits", "misses", "stale_hits", "sets", "deletes", "evictions", "expirations"), 0))
    now: int = 0
    ahead: int = 0
    since: int = 0
    latest: int = 0
    last_stamp: int = 0

    # ---- Clock ----

    def read_clock(self):
        order = self.now + self.ahead
        if self.ahead and self.now >= self.latest + 1000:
            self.ahead, order = 0, self.now
        if order < self.latest:
            if self.latest - order <= 100000:
                order = self.latest
            else:
                order = self.since = self.latest + 1000
                self.ahead = order - self.now
        self.latest = order
        return order

    def of_past(self, then, order):
        if then >= self.now:
            return order
        if self.ahead and then + self.ahead >= self.since:
            return then + self.ahead
        return then

    def to_wall(self, reading):
        if self.ahead and reading >= self.since:
            reading -= self.ahead
        return min(reading, self.now)

    # ---- Rules ----

    def used(self):
        return sum(entry.used for entry in self.entries.values())

    def used_lately(self, key):
        """The entry, if it is not idle."""
        entry = self.entries.get(key)
        is_idle = entry and self.idle and entry.last + self.idle * US <= self.now + self.ahead
        return None if is_idle else entry

    def live(self, key):
        entry = self.used_lately(key)
        return entry if entry and (not entry.expires or entry.expires > self.now) else None

    def kept(self, key):
        entry = self.used_lately(key)
        return entry if entry and (not entry.expires or
                                   entry.expires + self.stale * US > self.now) else None

    def max_used(self):
        return self.max_size or HUGE

    def max_count(self):
        return self.capacity if self.capacity >= 0 else HUGE

    def low_water(self):
        return self.max_size * 4 // 5 if self.max_size else HUGE

    def victim(self, order, spared):
        def rank(key):
            entry = self.entries[key]
            if self.policy == FIFO:
                return (entry.stamp, key)
            recent = (entry.last, entry.stamp, key)
            if self.policy == LRU:
                return recent
            return (Fraction(entry.frequency, US + max(order - entry.last, 0)), *recent)
        return min((key for key in self.entries if key not in spared), key=rank, default=None)

    def evict(self, order, max_used, max_count, spared=()):
        while self.policy != NONE and (self.used() > max_used or len(self.entries) > max_count):
            key = self.victim(order, spared)
            if key is None:
                return
            del self.entries[key]
            self.counters["evictions"] += 1

    def sweep(self):
        for key in [key for key in self.entries if not self.kept(key)]:
            del self.entries[key]
            self.counters["expirations"] += 1

    def shrink(self):
        if self.policy == NONE:
            return
        if self.used() <= self.max_used() and len(self.entries) <= self.max_count():
            return
        order = self.latest
        self.sweep()
        self.evict(order, self.low_water() if self.used() > self.max_used() else HUGE,
                   self.max_count())

    def holds(self, condition, etags, key):
        entry = self.live(key)
        is_one = entry is not None and etag_of(entry.value) in etags
        return {"": True, "absent": not entry, "present": bool(entry), "match": is_one,
                "none_match": not is_one}[condition]

    # ---- Operations ----

    def measure(self, items):
        news = sum(len(key) + len(kind) + max(size, len(value)) + 128
                   for key, value, size, _, _, kind in items)
        olds = [self.entries[item[0]] for item in items if item[0] in self.entries]
        replaced = sum(entry.used for entry in olds)
        too_big = self.used() - replaced + news > self.max_used()
        too_many = len(self.entries) + len(items) - len(olds) > self.max_count()
        if self.policy == NONE:
            kept = [self.entries[item[0]] for item in items if self.kept(item[0])]
            too_big = too_big and news > sum(entry.used for entry in kept)
            too_many = too_many and len(items) > len(kept)
        return news, replaced, len(items) - len(olds), too_big, too_many

    def set(self, items, condition="", etags=()):
        """Code, and which are new."""
        keys = [item[0] for item in items]
        order = self.read_clock()
        created = [self.live(key) is None for key in keys]
        if condition and not self.holds(condition, etags, keys[0]):
            return REFUSED, created
        if self.capacity == 0:
            for key in keys:
                if key in self.entries:
                    self.counters["evictions" if self.live(key) else "expirations"] += 1
                    del self.entries[key]
            return OK, created
        news, replaced, count, too_big, too_many = self.measure(items)
        if news > self.max_used():
            return TOO_LARGE, created
        if len(items) > self.max_count():
            return TOO_MANY, created
        if too_big or too_many:
            self.sweep()
            news, replaced, count, too_big, too_many = self.measure(items)
            if (too_big or too_many) and self.policy == NONE:
                return FULL, created
            if too_big or too_many:
                self.evict(order, (self.low_water() if too_big else HUGE) - news + replaced,
                           self.max_count() - count, keys)
        for position, item in enumerate(items):
            self.store(item, order + position)
        if len(items) > 1:
            self.latest = max(self.latest, order + len(items))
        self.counters["sets"] += len(items)
        return OK, created

    def store(self, item, order):
        key, value, size, ttl, history, kind = item
        old = self.entries.get(key)
        frequency, stamp, last = 1, None, order
        ttl = self.ttl if ttl < 0 else ttl
        expires = self.now + ttl * US if ttl > 0 else 0
        if history:
            wanted, created, access, until = (int(word) for word in history.split())
            frequency = wanted or 1
            last = self.of_past(access, order) if 0 < access < self.now else order
            stamp = self.of_past(created, order) if 0 < created < self.now else None
            expires = expires if until < 0 else until
        elif self.live(key):
            frequency, stamp = min(old.frequency + 1, 0xffffffff), old.stamp
        if old and not self.live(key):
            self.counters["expirations"] += 1
        if stamp is None:
            stamp = self.last_stamp = max(order, self.last_stamp + 1)
        size = max(size, len(value))
        self.entries[key] = Entry(value, kind, frequency, last, stamp, expires,
                                  len(key) + len(kind) + size + 128, size, self.now)

    def use(self, uses):
        order = self.read_clock()
        last = 0
        for key, count, age in uses:
            entry = self.entries.get(key)
            if entry:
                last = max(order - age, last + 1)
                entry.frequency = min(entry.frequency + count, 0xffffffff)
                entry.last = max(entry.last, last)
                self.latest = max(self.latest, last)

    def delete(self, keys, condition="", etags=()):
        told = b""
        for key in keys:
            live = self.live(key)
            if condition and not self.holds(condition, etags, key):
                told += b"2"
                continue
            told += b"0" if live else b"1"
            if key in self.entries:
                self.counters["deletes" if live else "expirations"] += 1
                del self.entries[key]
        return told

    def expire(self, items, condition="", etags=()):
        told = b""
        for key, ttl in items:
            live = self.live(key)
            if condition and not self.holds(condition, etags, key):
                told += b"2"
                continue
            told += b"0" if live else b"1"
            if live:
                ttl = self.ttl if ttl < 0 else ttl
                live.expires = self.now + ttl * US if ttl > 0 else 0
        if b"0" in told:
            self.read_clock()
        return told

    def clear(self, prefix=b""):
        for key in [key for key in self.entries if key.startswith(prefix)]:
            self.counters["deletes" if not prefix or self.live(key) else "expirations"] += 1
            del self.entries[key]

    def configure(self, mask, max_size, capacity, ttl, policy, stale, idle=0):
        self.max_size = max_size if mask & MAX_SIZE else self.max_size
        self.capacity = capacity if mask & CAPACITY else self.capacity
        self.ttl = ttl if mask & TTL else self.ttl
        self.policy = policy if mask & POLICY else self.policy
        self.stale = stale if mask & STALE else self.stale
        self.idle = idle if mask & IDLE else self.idle
        self.read_clock()
        self.shrink()

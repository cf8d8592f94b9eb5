"""The calls of steadycache.lua as methods of a partition (backends/redis/script/10_model.lua)."""
import glob
import hashlib
import os
import struct

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../backends/redis/script")

OK, ABSENT, REFUSED, TOO_LARGE, TOO_MANY, FULL, MORE, HELD, FRESH, LOST, CREATED = range(11)
FRECENCY, LRU, FIFO, NONE = range(4)
MAX_SIZE, CAPACITY, TTL, POLICY, STALE, IDLE = 1, 2, 4, 8, 16, 32
STATS = ("max_size", "capacity", "ttl", "policy", "stale", "mask", "count", "size", "used",
         "frequency_sum", "hits", "misses", "stale_hits", "sets", "deletes", "evictions",
         "expirations", "created", "idle", "compression", "put_status", "max_frequency", "pending")
TYPE = b"application/octet-stream"


def source():
    parts = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.lua"))):
        with open(path, encoding="ascii") as part:
            parts.append(part.read())
    return "".join(parts)


def etag_of(value):
    return hashlib.sha256(value).digest()[:16]


def static_of(value, content_type=TYPE):
    if len(content_type) > 255:     # the later form (10_model.lua)
        return etag_of(value) + struct.pack("<BBH", 1 + 4 + 32, 0, len(content_type)) + content_type
    return etag_of(value) + struct.pack("BB", 1, len(content_type)) + content_type


def text_of(value, content_type=TYPE, size=0, modified=0, expires=0):
    return (struct.pack("<qqq", modified, expires, max(size, len(value)))
            + static_of(value, content_type) + value)


def read_head(head):
    """frequency, last access, stamp, expires, used, size, etag"""
    return (int.from_bytes(head[:4], "big"), int.from_bytes(head[4:11], "big"),
            int.from_bytes(head[11:18], "big"), *struct.unpack("<qqq16s", head[18:]))


class Partition:
    def __init__(self, client, base=b"steadycache:{n:0}:", as_function=True, in_cluster=False):
        self.client = client
        self.keys = [base + letter.encode() for letter in "mvhnfgxliwtj"]
        self.given = self.keys if in_cluster else self.keys[:1]
        self.as_function = as_function
        self.defaults = "104857600 -1 0 0"
        self.notify = ""
        if as_function:
            client("FUNCTION", "LOAD", "REPLACE", source())
        else:
            self.sha = client("SCRIPT", "LOAD", source().split("\n", 1)[1])

    def words(self, call, *arguments):
        if self.as_function:
            return ("FCALL", "steadycache_2_" + call, len(self.given), *self.given, *arguments)
        return ("EVALSHA", self.sha, len(self.given), *self.given, call, *arguments)

    def call(self, call, *arguments):
        return self.client(*self.words(call, *arguments))

    def set_words(self, now, items, condition="", etags=b"", create=1):
        words = [now, self.defaults, create, self.notify, condition, etags]
        for key, value, size, ttl, history, content_type in items:
            words += [key, text_of(value, content_type, size, now), ttl, history]
        return self.words("set", *words)

    def set_items(self, now, items, condition="", etags=b"", create=1):
        return self.client(*self.set_words(now, items, condition, etags, create))

    def set_each(self, now, items, create=1):
        words = [now, self.defaults, create, self.notify]
        for key, value, size, ttl, history, content_type in items:
            words += [key, text_of(value, content_type, size, now), ttl, history]
        return self.call("set_each", *words)

    def set(self, now, key, value=b"v", size=0, ttl=-1, history="", content_type=TYPE, **more):
        return self.set_items(now, [(key, value, size, ttl, history, content_type)], **more)

    def use_words(self, now, uses, hits=0, misses=0, stale_hits=0):
        numbers = b"".join(struct.pack("<II", count, age) for _, count, age in uses)
        return self.words("use", now, hits, misses, stale_hits, numbers,
                          *[key for key, _, _ in uses])

    def use(self, now, uses, hits=0, misses=0, stale_hits=0):
        return self.client(*self.use_words(now, uses, hits, misses, stale_hits))

    def delete(self, now, *keys, condition="", etags=b""):
        return self.call("delete", now, self.notify, condition, etags, *keys)

    def expire(self, now, *items, condition="", etags=b""):
        """Of pairs of a key and a time to live."""
        return self.call("expire", now, self.defaults, self.notify, condition, etags,
                         *[word for item in items for word in item])

    def configure(self, now, mask, max_size=0, capacity=-1, ttl=0, policy=0, stale=0, idle=0,
                  compression=0, put_status=0):
        return self.call("configure", now, self.defaults, 1, mask, max_size, capacity, ttl,
                         policy, stale, idle, compression, put_status)

    def work(self, now):
        return self.call("work", now, self.defaults)

    def stats(self, now):
        reply = self.call("stats", now, self.defaults)
        return dict(zip(STATS, reply[2:])) if reply[0] == OK else None

    def value(self, key):
        """As a front reads it: modified, expires, size, etag, flags, type, bytes; or None."""
        text = self.client("HGET", self.keys[1], key)
        if text is None:
            return None
        modified, expires, size, etag, flags, length = struct.unpack_from("<qqq16sBB", text)
        return modified, expires, size, etag, flags, text[42:42 + length], text[42 + length:]

    def dump(self):
        """All that is stored."""
        m, v, h, n, f, g, x, l, i, w, t, j = self.keys

        def pairs(flat):
            return dict(zip(flat[::2], flat[1::2]))
        state = self.client("GET", m)
        return {
            "theta": struct.unpack_from("<32d", state)[27] if len(state or b"") >= 256 else None,
            "v": pairs(self.client("HGETALL", v)),
            "h": {key: read_head(head)
                  for key, head in pairs(self.client("HGETALL", h)).items()},
            "n": self.client("ZRANGE", n, 0, -1),
            "f": self.client("ZRANGE", f, 0, -1),
            "g": {int(frequency): float(score) for frequency, score in
                  pairs(self.client("ZRANGE", g, 0, -1, "WITHSCORES")).items()},
            "x": {key: float(score) for key, score in
                  pairs(self.client("ZRANGE", x, 0, -1, "WITHSCORES")).items()},
            "l": self.client("ZRANGE", l, 0, -1),
            "i": self.client("ZRANGE", i, 0, -1),
        }

"""Makes cache files of the shapes that SteadyText's have, and knows what is in them."""
import base64
import collections
import datetime
import decimal
import hashlib
import math
import pickle
import random
import sqlite3
import time
from pathlib import Path

import numpy

TEXTS = [
    "plain", "it's", 'say "it"', "'both\" of them", "back\\slash", "\n\r\t\0\x07\x1b\x7f", "\x80\x85\xa0\xad",
    "é", "e\u0301 combining", "\u0301", "\u200b\u200d\u2028\u2029\u202e\u2066", "مرحبا שלום", "日本語 한국어",
    "\ue000\uf8ff private", "\u0378 unassigned", "\ufdd0\uffff", "\ufeff", "\u3000 wide", "👩\u200d👩\u200d👧 😀",
    "\U000e0001", "\U0010ffff", "\U000f0000", "\U00020000", "a::b", "YWJj", "YQ==::Yg==", "('a', 'b')", "%00/..?#",
    "long " * 1000,
]
# Keys of a pickle keep their types. A lone surrogate is no UTF-8, and its repr is.
TUPLES = [
    (), ("one",), ("a", "b"), ("a", 1), (1, -2, 3), (None, True, False), ("a", None, 7), (("nested", ("deep", 1)), "x"),
    ("it's", 'a "b"', "'\""), (2 ** 100, -(2 ** 64)), (1.5, -0.0, 1e300, math.inf, -math.inf, 1e-7, 123456789.123),
    (b"bytes \x00\xff'", b""), ("\ud800 alone", "\udfff"), (((), ((),)),),
    *[(text,) for text in TEXTS], *[(text, 5) for text in TEXTS],
]
SCALARS = [0, -1, 42, 2 ** 70, None, True, 1.25, b"as bytes"]


def embedding(seed):
    values = numpy.random.default_rng(seed).standard_normal(1024).astype(numpy.float32)
    return values / numpy.linalg.norm(values)


def values():
    shared = ["shared"]
    loop = [1]
    loop.append(loop)
    knot = {"me": None}
    knot["me"] = (knot, [knot])
    return [
        "", *TEXTS, "\ud800", "long " * 20000, b"", b"\0\xff\n" * 100, bytes(range(256)) * 300,
        0, 1, 255, 256, 65535, 65536, -1, -129, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 63 - 1, 2 ** 63, -(2 ** 63),
        -(2 ** 63) - 1, 2 ** 200, -(2 ** 2040), 2 ** 8200, 0.0, -0.0, 1.5, -2.5e-300, math.inf, -math.inf, math.nan,
        None, True, False, [], [1, [2, [3, ()]]], list(range(2500)), (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {},
        {"a": 1, 2: "b", (1, "2"): [3], None: {}}, {n: str(n) for n in range(2100)}, set(), {1, "a", (2,)},
        set(range(1500)), frozenset(), frozenset({1, "a"}), bytearray(), bytearray(b"changing"), 1 + 2j,
        [shared, shared, (shared,)], loop, knot, collections.OrderedDict([("z", 1), ("a", 2)]),
        collections.deque([1, 2], 5), datetime.datetime(2026, 1, 2, 3, 4, 5, 6), decimal.Decimal("1.10"), range(1, 9, 2),
        ("generated text", {"tokens": ["a", "b"], "token_logprobs": [-0.1, None]}),
        embedding(1), numpy.zeros(1024, numpy.float32), numpy.float32(0.5), numpy.int64(-3), numpy.arange(6).reshape(2, 3),
        numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)), numpy.array([], numpy.float32), numpy.array(["é", "bc"]),
        [("a document", 0.75), ("another", 0.5)], {"query": "q", "top_k": 3, "results": [{"text": "t", "score": 0.1}]},
    ]


def same(a, b, seen=None):
    """Whether two values are equal and of the same types, all the way down; shared and cyclic alike."""
    seen = {} if seen is None else seen
    if type(a) is not type(b):
        return False
    if id(a) in seen:
        return seen[id(a)] == id(b)
    if isinstance(a, (list, tuple, dict, set, frozenset, collections.deque)):
        if not isinstance(a, tuple) or a:
            seen[id(a)] = id(b)
        if len(a) != len(b):
            return False
        if isinstance(a, dict):
            return all(same(x, y, seen) for x, y in zip(a.items(), b.items()))
        if isinstance(a, (set, frozenset)):
            return a == b and sorted(map(repr, a)) == sorted(map(repr, b))
        return all(same(x, y, seen) for x, y in zip(a, b))
    if isinstance(a, numpy.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.flags.f_contiguous == b.flags.f_contiguous and \
            a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or a != a and b != b
    return a == b


class Entry:
    """What is expected of an entry: its key as SteadyText uses it, and how often and when it was used (in
    microseconds; None: it has no clock time)."""

    def __init__(self, key, value, frequency, last_access_us):
        self.key, self.value, self.frequency, self.last_access_us = key, value, frequency, last_access_us


def entries(keys, seed=0):
    """One for each key; each of the values is used, if there are enough keys."""
    all_values, now = values(), int(time.time() * 1e6)
    return [Entry(key, all_values[(i + seed) % len(all_values)], 1 + i % 7, now - 3_600_000_000 - i * 1_000_003)
            for i, key in enumerate(keys)]


# ---- SQLite ----


def column_key(key):
    """The key column: base64 of a string, or of each part of a tuple."""
    def encode(part):
        return base64.b64encode(str(part).encode()).decode()
    return "::".join(encode(part) for part in key) if isinstance(key, tuple) else encode(key)


def open_db(path):
    db = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "cache_size=10000",
                    "wal_autocheckpoint=100", "read_uncommitted=1"):
        db.execute("PRAGMA " + setting)
    db.executescript("""
        CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value BLOB NOT NULL, frequency INTEGER DEFAULT 1,
            last_access INTEGER NOT NULL, size INTEGER NOT NULL);
        CREATE INDEX IF NOT EXISTS idx_frecency ON cache (frequency ASC, last_access ASC);
        CREATE TABLE IF NOT EXISTS metadata (property TEXT PRIMARY KEY, value TEXT NOT NULL);
        INSERT OR REPLACE INTO metadata VALUES ('max_size_bytes', '52428800');""")
    return db


def store(db, entry):
    packed = pickle.dumps(entry.value, pickle.HIGHEST_PROTOCOL)
    db.execute("INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?)",
               (column_key(entry.key), packed, entry.frequency, entry.last_access_us, len(packed)))


def make_db(path, content):
    db = open_db(path)
    db.execute("BEGIN")
    for entry in content:
        store(db, entry)
    db.execute("COMMIT")
    db.close()


def use_db(path):
    """A SteadyText that goes on using its cache: prints a line once it does, until it is killed."""
    db = open_db(path)
    for count in range(10 ** 9):
        store(db, Entry(f"new {count % 50}", random.randbytes(3000), 1, int(time.time() * 1e6)))
        db.execute("UPDATE cache SET frequency = frequency + 1 WHERE key = ?", (column_key("new 0"),))
        if count == 20:
            print("writing", flush=True)


# ---- Pickles ----


def make_pkl(path, content, protocol):
    """Values that several entries have are one object, which the pickle has once."""
    cache = {"data": {entry.key: entry.value for entry in content},
             "meta": {entry.key: (entry.frequency, counter) for counter, entry in enumerate(content)},
             "counter": len(content)}
    Path(path).write_bytes(pickle.dumps(cache, protocol))


# ---- All of it ----


def make_folder(folder):
    """The files of a folder, and their entries by namespace."""
    folder = Path(folder)
    folder.mkdir()
    content = {
        "generation_cache": entries(["", *TEXTS, *(f"prompt {n}" for n in range(120))]),
        "embedding_cache": [Entry(e.key, embedding(i), e.frequency, e.last_access_us) for i, e in enumerate(entries(
            [*((text,) for text in TEXTS), *((text, text) for text in TEXTS), ("a", "", "c")]))],
        "reranking_cache": entries([("query " + text, text, "") for text in TEXTS], 40),
        "index_search_cache": entries([("/home/it's/index.faiss", text, n) for n, text in enumerate(TEXTS)], 80),
    }
    for name, listed in content.items():
        make_db(folder / f"{name}.db", listed)
    for protocol in range(6):
        name = f"legacy{protocol}"
        texts = [text for text in TEXTS if text != str(("a", "b"))]  # which is of another key here
        content[name] = entries([*texts, *TUPLES, *SCALARS], protocol * 13)
        make_pkl(folder / f"{name}.pkl", content[name], protocol)
    return content


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()

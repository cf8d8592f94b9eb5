"""SteadyText's interface of a cache backend over libsteadycache, with nothing but ctypes.

    from steadycache_backend import SteadyCacheBackend
    cache = SteadyCacheBackend(cache_name="generation_cache", url="sqlite:///var/cache/texts")
    cache.set("a prompt", "a text")

`url` is whatever steadycache_open() takes (memory://, redis://host/0, ...); without it the cache is a
database in `cache_dir`, or in memory if that is missing too. Processes and threads may share it, and so may
a server: an entry is stored as SteadyText's D1 client stores it, under str(key) as the base64 of its pickle.
As everywhere in SteadyText, whoever can write to the store can run code here (pickle).

A failure is an exception, SteadyCacheError, and never a miss. The library is looked for as
$STEADYCACHE_LIBRARY, and then where the system has its libraries."""
import base64
import ctypes
import os
import pickle
import urllib.parse
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

try:
    from steadytext.cache.base import CacheBackend
except ImportError:  # as well without SteadyText
    class CacheBackend:
        def __init__(self, capacity=128, cache_name="cache", max_size_mb=100.0, cache_dir=None, **kwargs):
            self.capacity, self.cache_name, self.max_size_mb = capacity, cache_name, max_size_mb
            self.cache_dir, self._config = cache_dir, kwargs

OK, NOT_FOUND = 0, 1
GET, SET, DELETE = 0, 1, 2
MAX_SIZE, CAPACITY = 1, 2
BATCH_ITEMS = 1000
CONTENT_TYPE = b"text/plain; charset=utf-8"


class Settings(ctypes.Structure):
    _fields_ = [("bits", c_uint32), ("policy", c_uint32), ("max_size_bytes", c_uint64), ("capacity", c_int64),
                ("default_ttl_s", c_int64), ("reserved", c_uint64 * 4)]


class Item(ctypes.Structure):
    _fields_ = [("key", c_char_p), ("key_len", c_size_t), ("value", c_char_p), ("value_len", c_size_t),
                ("content_type", c_char_p), ("ttl_s", c_int64), ("found", c_void_p), ("status", c_uint32),
                ("created", c_uint32), ("reserved", c_uint64 * 4)]


class Stats(ctypes.Structure):
    _fields_ = [("name", c_char * 72), ("settings", Settings), ("entry_count", c_uint64),
                ("total_size_bytes", c_uint64), ("used_bytes", c_uint64), ("avg_frequency", c_double),
                ("max_frequency", c_uint64), ("hits", c_uint64), ("misses", c_uint64), ("sets", c_uint64),
                ("deletes", c_uint64), ("evictions", c_uint64), ("expirations", c_uint64),
                ("reserved", c_uint64 * 8)]


def load():
    library = ctypes.CDLL(os.environ.get("STEADYCACHE_LIBRARY") or "libsteadycache.so.0")
    key = [c_void_p, c_char_p, c_char_p, c_size_t]  # store, namespace, key and its length
    for name, result, arguments in (
            ("open", c_int, [c_char_p, c_void_p, POINTER(c_void_p)]),
            ("close", c_int, [c_void_p]),
            ("error", c_char_p, []),
            ("backend_name", c_char_p, [c_void_p]),
            ("get", c_int, key + [POINTER(c_void_p)]),
            ("set", c_int, key + [c_char_p, c_size_t, c_char_p, c_int64]),
            ("delete", c_int, key),
            ("exists", c_int, key),
            ("batch", c_int, [c_void_p, c_char_p, c_int, POINTER(Item), c_size_t]),
            ("clear", c_int, key),
            ("configure", c_int, [c_void_p, c_char_p, POINTER(Settings)]),
            ("stats", c_int, [c_void_p, c_char_p, POINTER(Stats)]),
            ("sync", c_int, [c_void_p]),
            ("value_data", c_void_p, [c_void_p]),
            ("value_len", c_size_t, [c_void_p]),
            ("value_release", None, [c_void_p])):
        function = getattr(library, "steadycache_" + name)
        function.restype, function.argtypes = result, arguments
    return library


class SteadyCacheError(RuntimeError):
    pass


def text_of(key):
    return str(key).encode("utf-8", "surrogatepass")


def dumps(value):
    return base64.b64encode(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))


class SteadyCacheBackend(CacheBackend):
    library = None

    def __init__(self, capacity=128, cache_name="cache", max_size_mb=100.0, cache_dir=None, url=None, **kwargs):
        super().__init__(capacity, cache_name, max_size_mb, cache_dir, **kwargs)
        self._store, self._name = c_void_p(), cache_name.encode()
        if SteadyCacheBackend.library is None:
            SteadyCacheBackend.library = load()
        if url is None and cache_dir is None:
            url = "memory://"
        elif url is None:
            os.makedirs(cache_dir, mode=0o700, exist_ok=True)
            url = "sqlite://" + urllib.parse.quote(os.path.abspath(cache_dir))
        self._check(self.library.steadycache_open(url.encode(), None, byref(self._store)))
        settings = Settings(bits=MAX_SIZE | CAPACITY, capacity=capacity, max_size_bytes=int(max_size_mb * 1024 * 1024))
        self._call("configure", byref(settings))

    def _check(self, status, *answers):
        if status != OK and status not in answers:
            raise SteadyCacheError(self.library.steadycache_error().decode())
        return status

    def _call(self, function, *arguments, answers=()):
        if not self._store:
            raise SteadyCacheError("the cache is closed")
        return self._check(getattr(self.library, "steadycache_" + function)(self._store, self._name, *arguments),
                           *answers)

    def _take(self, value):
        try:
            data = ctypes.string_at(self.library.steadycache_value_data(value),
                                    self.library.steadycache_value_len(value))
        finally:
            self.library.steadycache_value_release(value)
        return pickle.loads(base64.b64decode(data))

    def get(self, key):
        text, value = text_of(key), c_void_p()
        if self._call("get", text, len(text), byref(value), answers=(NOT_FOUND,)) == NOT_FOUND:
            return None
        return self._take(value)

    def set(self, key, value):
        text, data = text_of(key), dumps(value)
        self._call("set", text, len(text), data, len(data), CONTENT_TYPE, 0)

    def delete(self, key):
        text = text_of(key)
        self._call("delete", text, len(text), answers=(NOT_FOUND,))

    def exists(self, key):
        text = text_of(key)
        return self._call("exists", text, len(text), answers=(NOT_FOUND,)) == OK

    def _batches(self, kind, texts, values=None):
        """Arrays of items that are done; the caller sees them before the next is asked for."""
        for at in range(0, len(texts), BATCH_ITEMS):
            part = texts[at:at + BATCH_ITEMS]
            items = (Item * len(part))()
            for item, text in zip(items, part):
                item.key, item.key_len = text, len(text)
                if values is not None:
                    item.value, item.value_len = values[text], len(values[text])
                    item.content_type = CONTENT_TYPE
            # As with one of them, NOT_FOUND is an answer.
            self._call("batch", kind, items, len(part), answers=(NOT_FOUND,))
            yield part, items

    def batch_get(self, keys):
        found = {}
        for part, items in self._batches(GET, list({text_of(key): None for key in keys})):
            for text, item in zip(part, items):
                if item.found:
                    found[text] = self._take(item.found)
        return {key: found[text_of(key)] for key in keys if text_of(key) in found}

    def batch_set(self, items):
        values = {text_of(key): dumps(value) for key, value in items.items()}
        for _ in self._batches(SET, list(values), values):
            pass

    def batch_delete(self, keys):
        for _ in self._batches(DELETE, list({text_of(key): None for key in keys})):
            pass

    def clear(self):
        self._call("clear", None, 0)

    def sync(self):
        if not self._store:
            raise SteadyCacheError("the cache is closed")
        self._check(self.library.steadycache_sync(self._store))

    def _stats(self):
        stats = Stats()
        self._call("stats", byref(stats))
        return stats

    def get_stats(self):
        stats = self._stats()
        return {
            "backend": self.library.steadycache_backend_name(self._store).decode(),
            "cache_name": self.cache_name,
            "entries": stats.entry_count,
            "capacity": self.capacity,
            "max_size_mb": self.max_size_mb,
            "total_size_mb": stats.total_size_bytes / (1024 * 1024),
            "hits": stats.hits,
            "misses": stats.misses,
            "evictions": stats.evictions,
        }

    def __len__(self):
        return self._stats().entry_count

    def close(self):
        store, self._store = self._store, c_void_p()
        if store:
            self._check(self.library.steadycache_close(store))

    def __del__(self):
        if getattr(self, "_store", None):
            self.library.steadycache_close(self._store)

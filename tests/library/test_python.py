#!/usr/bin/python3
"""examples/python over the installed library, in the spirit of SteadyText's own tests of its backends.

usage: test_python.py EXAMPLES (STEADYCACHE_LIBRARY names the library)"""
import ctypes
import os
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv.pop(1)) / "python"))
sys.dont_write_bytecode = True
import steadycache_backend  # noqa: E402
from steadycache_backend import SteadyCacheBackend, SteadyCacheError  # noqa: E402


class Interface:
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.cache = self.make()

    def tearDown(self):
        self.cache.close()
        self.folder.cleanup()

    def test_methods(self):
        cache = self.cache
        cache.set("key", "value")
        self.assertEqual(cache.get("key"), "value")
        cache.set("key", "another")
        self.assertEqual(cache.get("key"), "another")
        self.assertIsNone(cache.get("missing"))
        cache.delete("key")
        cache.delete("key")
        self.assertIsNone(cache.get("key"))
        cache.set("key", "value")
        cache.clear()
        self.assertEqual(len(cache), 0)
        cache.sync()
        self.assertEqual(cache.get_stats()["backend"], self.backend)
        cache.close()
        cache.close()
        with self.assertRaises(SteadyCacheError):
            cache.get("key")

    def test_none_is_a_value(self):
        self.cache.set("none", None)
        self.assertIsNone(self.cache.get("none"))
        self.assertTrue(self.cache.exists("none"))
        self.assertFalse(self.cache.exists("missing"))

    def test_values_of_many_types(self):
        value = {"text": "ü\0\ud800", "number": 2 ** 100, "float": -0.0, "list": [1, [2]], "tuple": (1, ()),
                 "set": {1, 2}, "bytes": bytes(range(256)), "none": None, 3: {"nested": True}}
        self.cache.set("complex", value)
        self.assertEqual(self.cache.get("complex"), value)

    def test_keys_of_many_types(self):
        keys = ["text", 123, 1.5, ("tuple", "key"), ("tuple", 3, None), "ü\0\ud800", "", b"bytes", None]
        for number, key in enumerate(keys):
            self.cache.set(key, number)
        for number, key in enumerate(keys):
            self.assertEqual(self.cache.get(key), number, key)
        self.assertEqual(len(self.cache), len(keys))

    def test_batches(self):
        cache = self.cache
        self.cache.batch_set({("k", number): number for number in range(100)})
        self.assertEqual(len(cache), 100)
        self.assertEqual(cache.batch_get([("k", 7), "missing", ("k", 99), ("k", 7)]), {("k", 7): 7, ("k", 99): 99})
        cache.batch_delete([("k", 7), "missing", ("k", 7)])
        self.assertFalse(cache.exists(("k", 7)))
        self.assertEqual(cache.batch_get([]), {})

    def test_a_batch_larger_than_one_operation(self):
        cache = self.make(capacity=-1, cache_name="large")
        cache.batch_set({number: number for number in range(2500)})
        self.assertEqual(cache.batch_get(range(2500)), {number: number for number in range(2500)})
        cache.close()

    def test_capacity(self):
        cache = self.make(capacity=2, cache_name="small", max_size_mb=5.0)
        for number in range(3):
            cache.set(f"key{number}", number)
        self.assertEqual(len(cache), 2)
        self.assertEqual([cache.get(f"key{number}") for number in range(3)], [None, 1, 2])
        stats = cache.get_stats()
        self.assertEqual((stats["entries"], stats["capacity"], stats["max_size_mb"]), (2, 2, 5.0))
        cache.close()

    def test_threads(self):
        failures = []

        def run(me):
            for number in range(50):
                self.cache.set((me, number), [me] * number)
                if self.cache.get((me, number)) != [me] * number:
                    failures.append((me, number))
        threads = [threading.Thread(target=run, args=(me,)) for me in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_errors_are_no_misses(self):
        with self.assertRaisesRegex(SteadyCacheError, "name of a namespace"):
            self.make(cache_name="no/slash")
        with self.assertRaisesRegex(SteadyCacheError, "names no backend"):
            SteadyCacheBackend(url="nothing://")

    def test_a_child_is_refused(self):
        child = os.fork()
        if child == 0:
            try:
                self.cache.get("key")
            except SteadyCacheError as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)


class Memory(Interface, unittest.TestCase):
    backend = "memory"

    def make(self, capacity=1000, **options):
        return SteadyCacheBackend(capacity, **options)


class SQLite(Interface, unittest.TestCase):
    backend = "sqlite"

    def make(self, capacity=1000, **options):
        return SteadyCacheBackend(capacity, cache_dir=Path(self.folder.name) / "a folder", **options)

    def test_it_is_there_when_it_is_opened_again(self):
        self.cache.set("kept", [1, 2])
        self.cache.close()
        self.cache = self.make()
        self.assertEqual(self.cache.get("kept"), [1, 2])

    def test_two_caches_in_one_folder(self):
        other = self.make(cache_name="other")
        other.set("key", "other")
        self.cache.set("key", "this")
        self.assertEqual(other.get("key"), "other")
        other.close()


class Layouts(unittest.TestCase):
    def test_they_are_those_of_the_library(self):  # library/version.c
        self.assertEqual([ctypes.sizeof(kind) for kind in (steadycache_backend.Settings, steadycache_backend.Item,
                                                           steadycache_backend.Stats)], [64, 96, 288])


if __name__ == "__main__":
    print(steadycache_backend.load()._name)
    unittest.main()

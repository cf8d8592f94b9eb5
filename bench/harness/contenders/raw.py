"""The best that SQLite can do on this disk: a plain table, 64 rows a transaction (bench/store.c)."""

from ..store_process import run_store
from .base import Contender


class RawSqlite(Contender):
    def __init__(self, setup, durability):
        super().__init__(setup)
        self.durability = durability
        self.name = "raw" if durability == "commit" else f"raw-{durability}"
        self.title = "SQLite in process" if durability == "commit" else f"SQLite in process ({durability})"

    def launch_all(self):
        pass  # each run is a process of its own

    def measure(self, load):
        result = run_store("raw", "sqlite", self.durability, 0, load.keys, load.seconds)
        return {"rate": result["sets_per_s"], "cpu_us": None, "p50_us": None, "p99_us": None, "p999_us": None}

"""How figures change as a cache grows, in process (bench/store.c): first entries, then namespaces.

Entries have 100 bytes. A database is opened by a separate process, from files that are still in the page
cache."""

import shutil
import tempfile
from pathlib import Path

from .goals import at_most
from .store_process import run_store

BACKENDS = ("memory", "sqlite")
ENTRIES = [10 ** power for power in range(3, 7)]
LARGE = 10 ** 7
NAMESPACES = [10 ** power for power in range(0, 5)]
OPEN_GOAL_S = 1.0


def folder_bytes(folder):
    return sum(file.stat().st_size for file in Path(folder).iterdir())


def grow(backend, entries, seconds):
    folder = tempfile.mkdtemp(prefix="steadycache-bench-")
    try:
        point = run_store("grow", backend, "commit", 0, entries, seconds, folder)
        point["overhead_per_entry"] = point["bytes_per_entry"] - point["payload_per_entry"]
        if backend != "memory":
            point["file_bytes"] = folder_bytes(folder)
            point |= run_store("open", backend, "commit", 0, entries, seconds, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"backend": backend, "entries": entries, **point}


def run(options, say):
    seconds = min(options.seconds, 2)
    entries, namespaces, goals = [], [], []
    for backend in options.backends_in_process(BACKENDS):
        for count in [*ENTRIES, *([LARGE] if options.large else [])]:
            say(f"growth of {backend}: {count:,} entries")
            entries.append(grow(backend, count, seconds))
        for count in NAMESPACES:
            say(f"growth of {backend}: {count:,} namespaces")
            namespaces.append({"backend": backend, "namespaces": count,
                               **run_store("namespaces", backend, "commit", 0, count, seconds)})
    goals += [at_most(f"sqlite: open a file of {LARGE:,} entries", point["open_us"] / 1e6, OPEN_GOAL_S, "s")
              for point in entries if point["entries"] == LARGE and point["backend"] == "sqlite"]
    return {"entries": entries, "namespaces": namespaces, "goals": goals}

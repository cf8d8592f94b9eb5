"""Resident memory: of an idle server, and of an entry in the memory backend."""

import time

from .contenders import Steadycache
from .store_suite import run_store


def idle_bytes(backend):
    server = Steadycache(backend)
    try:
        server.start()
        time.sleep(1)  # what start-up leaves to its threads has happened by then
        return server.resident_bytes()
    finally:
        server.stop()


def run(quick, say):
    say("memory")
    entries = 200_000 if quick else 1_000_000
    entry = run_store("resident", "memory", "commit", 0, entries, 0)
    return {
        "idle_bytes": {backend: idle_bytes(backend) for backend in ("sqlite", "memory")},
        "idle_goal_bytes": 10 * 1024 * 1024,
        "entries": entries,
        "overhead_per_entry": entry["bytes_per_entry"] - entry["payload_per_entry"],
        "overhead_goal": 200,
    }

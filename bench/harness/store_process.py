"""One run of build/bench_store (bench/store.c); the store suites and the raw contender use it."""

import json
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run_store(mode, backend, durability, group_max, entries, seconds, folder=None):
    """Returns its output. Without `folder` it uses a temporary one."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="steadycache-bench-") as own:
            return run_store(mode, backend, durability, group_max, entries, seconds, own)
    done = subprocess.run(
        [ROOT / "build/bench_store", mode, backend, folder, durability, str(group_max), str(entries),
         str(seconds)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"bench_store {mode} {backend}: {done.stderr.strip()}")
    return json.loads(done.stdout)

"""The store alone, in process (bench/store.c): group commit, and sets into a full cache."""

import json
import statistics
import subprocess
import tempfile

from .contenders import ROOT


def run_store(mode, backend, durability, group_max, entries, seconds):
    with tempfile.TemporaryDirectory(prefix="steadycache-bench-") as folder:
        output = subprocess.run(
            [ROOT / "build/bench_store", mode, backend, folder, durability, str(group_max), str(entries),
             str(seconds)],
            capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def compare(rounds, first, second, say):
    """Interleaved runs of two; their medians and the median of first / second."""
    rates = {"first": [], "second": []}
    for round_number in range(rounds):
        say(f"{first[0]} {first[1]}: round {round_number + 1} of {rounds}")
        rates["first"].append(run_store(*first)["sets_per_s"])
        rates["second"].append(run_store(*second)["sets_per_s"])
    ratios = [a / b for a, b in zip(rates["first"], rates["second"])]
    return {"first": statistics.median(rates["first"]), "second": statistics.median(rates["second"]),
            "ratio": statistics.median(ratios)}


def run(rounds, quick, say):
    seconds = 1 if quick else 3
    small = 1_000
    large = 100_000 if quick else 1_000_000
    rounds = min(rounds, 3)
    figures = [{
        "what": "sqlite, FULL: group commit against one transaction a set, 64 under way",
        "first_is": "groups", "second_is": "one by one", "goal": 3.0,
        **compare(rounds, ("put", "sqlite", "full", 0, 20_000, seconds),
                  ("put", "sqlite", "full", 1, 20_000, seconds), say)}]
    for backend in ("memory", "sqlite"):
        figures.append({
            "what": f"{backend}: set into a full cache of {large:,} against one of {small:,}",
            "first_is": f"{large:,}", "second_is": f"{small:,}", "goal": 0.5,
            **compare(rounds, ("full", backend, "commit", 0, large, seconds),
                      ("full", backend, "commit", 0, small, seconds), say)})
    return figures

"""The store alone, in process (bench/store.c): group commit, and sets into a full cache."""

import statistics

from .goals import at_least, at_most
from .http_suite import ratio
from .store_process import run_store

SMALL = 1_000
GROUP_GOAL = 3.0
FULL_GOAL = 1.5


def compare(rounds, first, second, say):
    """Interleaved runs of two: the rates of each."""
    runs = ([], [])
    for round_number in range(rounds):
        say(f"{first[0]} {first[1]}: round {round_number + 1} of {rounds}")
        for results, arguments in zip(runs, (first, second)):
            results.append({"rate": run_store(*arguments)["sets_per_s"]})
    return runs


def figure(what, names, runs):
    rates = [statistics.median(run["rate"] for run in results) for results in runs]
    return {"what": what, "first_is": names[0], "first": rates[0], "second_is": names[1], "second": rates[1],
            "ratio": ratio(*runs)["median"]}


def run(options, say):
    seconds = min(options.seconds, 3)
    rounds = min(options.rounds, 1 if options.quick else 3)
    large = 100_000 if options.quick else 1_000_000
    what = "sqlite, FULL: group commit against one transaction a set, 64 under way"
    groups = figure(what, ("groups", "one by one"),
                    compare(rounds, ("put", "sqlite", "full", 0, 20_000, seconds),
                            ("put", "sqlite", "full", 1, 20_000, seconds), say))
    figures, goals = [groups], [at_least(what, groups["ratio"], GROUP_GOAL)]
    for backend in ("memory", "sqlite"):
        full = figure(f"{backend}: set into a full cache of {SMALL:,}, and of {large:,}",
                      (f"{SMALL:,}", f"{large:,}"),
                      compare(rounds, ("full", backend, "commit", 0, SMALL, seconds),
                              ("full", backend, "commit", 0, large, seconds), say))
        figures.append(full)
        goals.append(at_most(f"{backend}: time of a set into a full cache of {large:,}, of one of {SMALL:,}",
                             full["ratio"], FULL_GOAL))
    return {"figures": figures, "goals": goals}

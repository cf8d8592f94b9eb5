"""Requests per second over loopback, every scenario against nginx in the same run.

Runs are interleaved (A B C A B C ...): the machine's speed drifts by a fifth, so only ratios taken side by
side count. A ratio is the median of the rounds' ratios."""

import statistics
from dataclasses import replace

from .contenders import REFERENCE
from .contenders.base import Unavailable
from .goals import at_least
from .pool import Pool
from .scenarios import QUICK_CONTENDERS, SCENARIOS
from .wrk import Load

FIGURES = ("rate", "cpu_us", "p50_us", "p99_us", "p999_us")


def median_of(runs, figure):
    known = [run[figure] for run in runs if run[figure] is not None]
    return statistics.median(known) if known else None


def ratio(runs, others, factor=1):
    """Median, lowest and highest of the rounds' ratios, or None if there is nothing to compare with."""
    ratios = [factor * run["rate"] / other["rate"] for run, other in zip(runs, others)]
    if not ratios:
        return None
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def measure_rounds(contenders, load, singles, rounds, say, title, pool):
    """The runs of each contender by name, and those of single requests. A contender that fails has none."""
    runs = {contender.name: [] for contender in contenders}
    single_runs = {contender.name: [] for contender in contenders if singles and contender.name != REFERENCE}
    for round_number in range(rounds):
        say(f"{title}: round {round_number + 1} of {rounds}")
        for contender in contenders:
            name = contender.name
            if name not in runs:
                continue
            try:
                runs[name].append(contender.measure(load))
                if name in single_runs:
                    single_runs[name].append(contender.measure(replace(load, kind=singles)))
            except Unavailable as reason:
                pool.leave_out(name, f"in \"{title}\": {reason}", for_good=False)
                del runs[name]
    return runs, single_runs


def run_scenario(scenario, contenders, rounds, seconds, pool, say):
    load = Load(scenario.kind, scenario.keys, scenario.value_bytes, scenario.distribution, scenario.connections,
                seconds)
    runs, single_runs = measure_rounds(contenders, load, scenario.singles, rounds, say, scenario.title, pool)
    rows = []
    for contender in contenders:
        results = runs.get(contender.name)
        if not results:
            continue
        rows.append({
            "name": contender.name, "contender": contender.title,
            **{figure: median_of(results, figure) for figure in FIGURES},
            "ratio": ratio(results, runs.get(REFERENCE, [])),
            "of_singles": ratio(results, single_runs.get(contender.name, []), scenario.items),
            "resident_bytes": contender.resident_bytes() if contender.processes else None,
        })
    goals = [at_least(f"{scenario.title}: {goal.contender}, of {goal.against}",
                      ratio(runs[goal.contender], runs[goal.against])["median"], goal.bound)
             for goal in scenario.goals if goal.contender in runs and goal.against in runs]
    goals += [at_least(f"{scenario.title}: {goal.contender}, keys a second of single requests",
                       ratio(runs[goal.contender], single_runs[goal.contender], scenario.items)["median"],
                       goal.bound)
              for goal in scenario.singles_goals if goal.contender in runs]
    return {"scenario": scenario.title, "kind": scenario.kind, "group": scenario.group, "keys": scenario.keys,
            "distribution": scenario.distribution, "value_bytes": scenario.value_bytes,
            "connections": scenario.connections, "items": scenario.items, "rows": rows, "goals": goals}


def chosen(names, quick):
    return [scenario for scenario in SCENARIOS
            if (scenario.kind in names or scenario.group in names if names else scenario.quick or not quick)]


def run(options, kinds, say, figures):
    """Appends to `figures`, scenario by scenario. kinds: of requests, or groups; none: all."""
    with Pool(options.allowed(QUICK_CONTENDERS), say) as pool:
        for scenario in chosen(kinds, options.quick):
            names = pool.allowed_of([*scenario.contenders, *options.backends])
            if not names:
                continue
            say(f"{scenario.title}: starting and filling")
            contenders = pool.get([REFERENCE, *names], scenario.keys, scenario.value_bytes)
            # The reference alone is not worth a run.
            if any(contender.name != REFERENCE for contender in contenders):
                figures.append(run_scenario(scenario, contenders, options.rounds, options.seconds, pool, say))

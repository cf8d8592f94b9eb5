"""Requests per second over loopback, every scenario against nginx in the same run.

Runs are interleaved (A B C A B C ...): the machine's speed drifts by a fifth, so only ratios taken side by
side count. A ratio is the median of the rounds' ratios."""

import json
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .contenders import Nginx, Steadycache

SCRIPT = Path(__file__).resolve().parent.parent / "requests.lua"


@dataclass
class Scenario:
    kind: str  # of requests.lua
    title: str
    contenders: list  # of names
    goals: dict = field(default_factory=dict)  # contender -> least ratio to nginx
    keys: int = 100_000
    value_bytes: int = 1024
    connections: int = 64
    reference_kind: str = "get"  # what nginx is asked meanwhile


SCENARIOS = [
    Scenario("get", "GET hit", ["memory", "sqlite"], {"memory": 0.90, "sqlite": 0.70}),
    Scenario("api_get", "POST /api/get hit", ["memory", "sqlite"], {"memory": 0.70, "sqlite": 0.55}),
    Scenario("miss", "GET miss", ["memory", "sqlite"]),
    Scenario("put", "PUT", ["memory", "sqlite", "sqlite (full)"], keys=20_000),
    Scenario("api_set", "POST /api/set", ["memory", "sqlite"], keys=20_000),
    Scenario("mix", "90 % GET, 10 % PUT", ["memory", "sqlite"], keys=10_000),
]


def make(name, value_bytes):
    if name == "nginx":
        return Nginx(value_bytes)
    backend, _, durability = name.partition(" ")
    return Steadycache(backend, durability.strip("()") or "commit")


def run_wrk(contender, scenario, kind, seconds):
    command = ["wrk", "-t2", f"-c{scenario.connections}", f"-d{seconds}s", "-s", str(SCRIPT),
               contender.url(), "--", kind, str(scenario.keys), str(scenario.value_bytes)]
    before_s = contender.cpu_s()
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    expected_misses = result["requests"] if kind == "miss" else 0
    if result["socket_errors"] or result["non_2xx"] > expected_misses:
        raise RuntimeError(f"{contender.name}, {scenario.title}: {result}")
    result["rate"] = result["requests"] * 1e6 / result["duration_us"]
    result["cpu_us"] = (contender.cpu_s() - before_s) * 1e6 / result["requests"]
    return result


def summarise(name, runs, reference):
    ratios = [run["rate"] / other["rate"] for run, other in zip(runs, reference)]
    middle = {key: statistics.median(run[key] for run in runs)
              for key in ("rate", "cpu_us", "p50_us", "p99_us", "p999_us")}
    return {"contender": name, **middle, "ratio": statistics.median(ratios),
            "ratio_low": min(ratios), "ratio_high": max(ratios)}


def run_scenario(scenario, rounds, seconds, say):
    say(f"{scenario.title}: filling")
    contenders = [make(name, scenario.value_bytes) for name in ["nginx", *scenario.contenders]]
    runs = {contender.name: [] for contender in contenders}
    try:
        for contender in contenders:
            contender.start()
            contender.load(scenario.keys, scenario.value_bytes)
        for round_number in range(rounds):
            say(f"{scenario.title}: round {round_number + 1} of {rounds}")
            for contender in contenders:
                kind = scenario.reference_kind if contender.name == "nginx" else scenario.kind
                runs[contender.name].append(run_wrk(contender, scenario, kind, seconds))
        resident = {contender.name: contender.resident_bytes() for contender in contenders}
    finally:
        for contender in contenders:
            contender.stop()
    rows = []
    for name, results in runs.items():
        row = summarise(name, results, runs["nginx"])
        row["resident_bytes"] = resident[name]
        row["goal"] = scenario.goals.get(name)
        rows.append(row)
    return {"scenario": scenario.title, "kind": scenario.kind, "keys": scenario.keys,
            "value_bytes": scenario.value_bytes, "connections": scenario.connections, "rows": rows}


def run(rounds, seconds, only, say):
    return [run_scenario(scenario, rounds, seconds, say) for scenario in SCENARIOS
            if not only or scenario.kind in only]

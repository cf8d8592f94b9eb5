"""Latency at a fixed offered rate (h2load --h1 --rps): at 50 % and 80 % of the peak of this same run.

At its peak a server's latency is the length of its queue and says nothing. So each contender's peak is
measured first, then it and nginx are offered the same fraction of it. The peak is h2load's, not wrk's: h2load
takes more time of the shared cores, and cannot offer a rate that it cannot reach.

h2load writes a line for each request; percentiles are computed from these lines."""

import random
import re
import statistics
import subprocess

from .contenders import REFERENCE
from .contenders.base import NAMESPACE, Unavailable
from .goals import at_most
from .placement import generator
from .pool import Pool

CONNECTIONS = 64
KEYS = 100_000
VALUE_BYTES = 1024
LEVELS = (0.5, 0.8)
# Without webdis: its answers fail an assertion in h2load.
CONTENDERS = ("memory", "sqlite", "nginx-memcached")
P99_GOAL = 1.5
GOAL_LEVEL = 0.8


def write_urls(contender):
    """The contender's keys in random order, for h2load -i; each connection asks for all of them in turn."""
    numbers = list(range(KEYS))
    random.Random(1).shuffle(numbers)
    file = contender.folder / "urls"
    prefix = f"{contender.url()}/cache/{NAMESPACE}/key-"
    file.write_text("".join(f"{prefix}{number}\n" for number in numbers), encoding="utf-8")
    return file


def percentile(sorted_values, part):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * part))]


def run_h2load(contender, urls, seconds, rate=None):
    """Achieved rate and latencies; `rate` None: as fast as possible."""
    log = contender.folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", "--h1", f"-c{CONNECTIONS}", "-t1", f"-D{seconds}", f"--log-file={log}", "-i", str(urls)]
    if rate:
        command.append(f"--rps={rate / CONNECTIONS:.3f}")
    done = subprocess.run(generator(command), capture_output=True, text=True, check=False)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if done.returncode or not codes:
        raise Unavailable(f"h2load ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
    if any(int(count) for count in codes.groups()[1:]):
        raise Unavailable(f"answers are errors: {codes.group(0)}")
    starts_us, times_us = [], []
    for line in log.read_text(encoding="utf-8").splitlines():
        start, _status, took = line.split("\t")
        starts_us.append(int(start))
        times_us.append(int(took))
    log.unlink()
    if len(times_us) < 2:
        raise Unavailable(f"no answer in {seconds} s")
    times_us.sort()
    return {"rate": len(times_us) * 1e6 / (max(starts_us) - min(starts_us)),
            "p50_us": percentile(times_us, 0.5), "p99_us": percentile(times_us, 0.99),
            "p999_us": percentile(times_us, 0.999)}


def measure_level(pair, urls, seconds, rounds, offered, say, level):
    """Median figures of nginx and the contender at the offered rate, and the rounds' ratios of the p99."""
    runs = {contender.name: [] for contender in pair}
    for round_number in range(rounds):
        say(f"latency of {pair[-1].name} at {level:.0%} of its peak: round {round_number + 1} of {rounds}")
        for contender in pair:
            runs[contender.name].append(run_h2load(contender, urls[contender.name], seconds, offered))
    medians = {name: {figure: statistics.median(run[figure] for run in results) for figure in results[0]}
               for name, results in runs.items()}
    ratios = [run["p99_us"] / max(1, reference["p99_us"])
              for run, reference in zip(runs[pair[-1].name], runs[REFERENCE])]
    return medians, statistics.median(ratios)


def measure(contender, nginx, urls, seconds, rounds, say):
    peaks = {name: statistics.median(run_h2load(server, urls[name], seconds)["rate"] for _ in range(rounds))
             for name, server in ((REFERENCE, nginx), (contender.name, contender))}
    rows, goals = [], []
    for level in LEVELS:
        offered = level * min(peaks.values())
        medians, p99_ratio = measure_level([nginx, contender], urls, seconds, rounds, offered, say, level)
        rows.append({"contender": contender.title, "level": level, "peak": peaks[contender.name],
                     "offered": offered, **medians[contender.name], "nginx": medians[REFERENCE],
                     "p99_ratio": p99_ratio})
        if contender.name == "memory" and level == GOAL_LEVEL:
            goals.append(at_most(f"p99 of GET at {level:.0%} of the peak: memory, of nginx", p99_ratio, P99_GOAL))
    return rows, goals


def run(options, say):
    rows, goals = [], []
    with Pool(options.allowed(None), say) as pool:
        say("latency: starting and filling")
        contenders = pool.get([REFERENCE, *CONTENDERS, *options.backends], KEYS, VALUE_BYTES)
        if not contenders or contenders[0].name != REFERENCE:
            say("latency is left out: there is no nginx to compare with")
            return {"rows": [], "goals": []}
        urls = {contender.name: write_urls(contender) for contender in contenders}
        for contender in contenders[1:]:
            try:
                more_rows, more_goals = measure(contender, contenders[0], urls, options.seconds,
                                                min(options.rounds, 3), say)
            except Unavailable as reason:
                pool.leave_out(contender.name, f"latency: {reason}")
                continue
            rows += more_rows
            goals += more_goals
    return {"connections": CONNECTIONS, "keys": KEYS, "value_bytes": VALUE_BYTES, "rows": rows, "goals": goals}

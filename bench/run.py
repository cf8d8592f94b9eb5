#!/usr/bin/env python3
"""./dev bench: measures this server against others and writes tables and charts; see bench/README.md."""

import argparse
import json
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import (charts, growth_suite, http_suite, large_suite, latency_suite, memory_suite,  # noqa: E402
                     parts_suite, placement, report, store_suite)
from harness.contenders import FACTORIES, REFERENCE  # noqa: E402
from harness.scenarios import GROUPS, KINDS  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SUITES = {"latency": latency_suite, "store": store_suite, "memory": memory_suite, "growth": growth_suite,
          "large": large_suite, "parts": parts_suite}
QUICK_SUITES = ("store", "memory")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Options:
    quick: bool
    large: bool
    rounds: int
    seconds: int
    contenders: tuple  # names; empty for all
    backends: tuple  # more backends of this server

    def allowed(self, of_quick):
        """Names of contenders to measure, or None for all; the reference of the ratios is always one."""
        if self.contenders:
            return {REFERENCE, *self.contenders}
        return {*of_quick, *self.backends} if self.quick and of_quick else None

    def backends_in_process(self, usual):
        every = (*usual, *self.backends)
        return [name for name in every if name in self.contenders] if self.contenders else every


def names(text):
    return tuple(name for name in text.split(",") if name)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT",
                        help=f"quick (a part of all, in under 3 minutes); a suite: http, {', '.join(SUITES)}; a "
                             f"kind of request: {', '.join(sorted(KINDS))}; or a group of scenarios: "
                             f"{', '.join(sorted(GROUPS))}; all where none is named")
    parser.add_argument("--contenders", type=names, default=(), metavar="A,B",
                        help=f"only these beside {REFERENCE}: {', '.join(FACTORIES)}")
    parser.add_argument("--backends", type=names, default=(), metavar="A,B",
                        help="more backends of this server to measure; they are set up by STEADYCACHE_...")
    parser.add_argument("--rounds", type=int, help="interleaved runs of each contender (5)")
    parser.add_argument("--seconds", type=int, help="length of one run (3; quick: 1)")
    parser.add_argument("--large", action="store_true", help="growth up to 10,000,000 entries")
    parser.add_argument("--pinned", action="store_true",
                        help="servers on one core and the load generator on another: less speed, steadier ratios")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench",
                        help="folder for figures.md, figures.json and charts")
    given = parser.parse_args(arguments)
    wanted = set(given.what) - {"quick"}
    for what, name in ([("WHAT", name) for name in wanted - KINDS - GROUPS - {"http"} - set(SUITES)] +
                       [("contender", name) for name in
                        set(given.contenders) - set(FACTORIES) - set(given.backends)]):
        parser.error(f"there is no {what} \"{name}\"")
    return given, wanted


def measure(figures, options, wanted):
    """Fills `figures` suite by suite, so that an interrupted run can report what it has."""
    kinds = wanted & (KINDS | GROUPS)
    if not wanted or "http" in wanted or kinds:
        figures["http"] = []
        http_suite.run(options, set() if "http" in wanted else kinds, say, figures["http"])
    for name, suite in SUITES.items():
        if name in wanted or (not wanted and (not options.quick or name in QUICK_SUITES)):
            figures[name] = suite.run(options, say)


def write(figures, folder):
    folder.mkdir(parents=True, exist_ok=True)
    text = report.markdown(figures)
    (folder / "figures.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    (folder / "figures.md").write_text(text, encoding="utf-8")
    for name, svg in charts.charts(figures):
        (folder / name).write_text(svg, encoding="utf-8")
    print(text)
    say(f"wrote {folder}")


def main():
    given, wanted = parse(sys.argv[1:])
    quick = "quick" in given.what
    options = Options(quick, given.large, given.rounds or 5, given.seconds or (1 if quick else 3),
                      given.contenders, given.backends)
    # 1,000 connections take descriptors on both sides. SIGTERM ends the run as Ctrl-C does: with all children
    # stopped.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if given.pinned:
        placement.pin()
    figures = {}
    try:
        measure(figures, options, wanted)
    except KeyboardInterrupt:
        say("interrupted; what was measured so far:")
        write(figures, given.out)
        return 130
    write(figures, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

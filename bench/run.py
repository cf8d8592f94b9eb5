#!/usr/bin/env python3
"""./dev bench: measures this server against others and prints tables; see bench/README.md."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import http_suite, memory_suite, report, store_suite  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="SUITE",
                        help="quick (all, in under 3 minutes), http, store, memory, or a kind of request "
                             "such as get; all where none is named")
    parser.add_argument("--rounds", type=int, help="interleaved runs of each contender")
    parser.add_argument("--seconds", type=int, help="length of one run")
    parser.add_argument("--json", type=Path, default=ROOT / "build/bench.json",
                        help="where the figures are written too")
    arguments = parser.parse_args()
    quick = "quick" in arguments.what
    rounds = arguments.rounds or (3 if quick else 5)
    seconds = arguments.seconds or (1 if quick else 5)
    kinds = {scenario.kind for scenario in http_suite.SCENARIOS}
    wanted = set(arguments.what) - {"quick"}
    unknown = wanted - kinds - {"http", "store", "memory"}
    if unknown:
        parser.error(f"there is no suite {', '.join(sorted(unknown))}")

    figures = {}
    if not wanted or "http" in wanted or wanted & kinds:
        figures["http"] = http_suite.run(rounds, seconds, wanted & kinds, say)
    if not wanted or "store" in wanted:
        figures["store"] = store_suite.run(rounds, quick, say)
    if not wanted or "memory" in wanted:
        figures["memory"] = memory_suite.run(quick, say)
    arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    print(report.markdown(figures))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""./dev bench instructions: counts instructions per request and compares with the kept figures; see bench/README.md."""

import argparse
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.contenders.base import ROOT, Unavailable  # noqa: E402
from instructions import baseline, counting, versions  # noqa: E402

BROKEN = 2


def say(text):
    print(f"instructions: {text}", file=sys.stderr, flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench instructions", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--update", action="store_true", help=f"write what is counted to {baseline.FILE_TITLE}")
    what.add_argument("--gate", action="store_true",
                      help="for ctest: count nothing and exit with 77 where the figures cannot be compared")
    parser.add_argument("--binary", type=Path, default=ROOT / "build/steadycache", help="the server (build/steadycache)")
    return parser.parse_args(arguments)


def compare(given, here, count):
    """Returns the exit code. `count()` counts."""
    kept = baseline.read()
    if kept is None:
        say(f"there is no {baseline.FILE_TITLE}: run {baseline.UPDATE}")
        return baseline.FAILED
    obstacles = baseline.differences(kept.made_with, here)
    for obstacle in obstacles:
        say(f"NOT COMPARED: {obstacle}")
    if obstacles and given.gate:
        return baseline.NOT_COMPARED
    counted = count()
    print(baseline.table(kept.instructions, counted))
    if obstacles:
        return baseline.NOT_COMPARED
    code, sentences = baseline.judge(kept.instructions, counted)
    for sentence in sentences:
        say(sentence)
    return code


def update(here, count):
    kept = baseline.read()
    counted = count()
    baseline.write(baseline.Baseline(here, counted))
    say(f"wrote {baseline.FILE_TITLE}")
    print(baseline.table(kept.instructions if kept else {}, counted))
    return baseline.PASSED


def main(arguments):
    given = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the server, as Ctrl-C does
    if not shutil.which("valgrind"):
        say("NOT COMPARED: valgrind is not installed")
        return baseline.NOT_COMPARED
    try:
        here = versions.versions(given.binary)
        count = lambda: counting.count(given.binary, say)  # noqa: E731
        return update(here, count) if given.update else compare(given, here, count)
    except (Unavailable, OSError, subprocess.CalledProcessError) as error:
        say(error)
        return BROKEN
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

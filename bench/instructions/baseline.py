"""The kept figures: reads and writes the file, and judges new figures."""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parent / "baseline.json"
FILE_TITLE = "bench/instructions/baseline.json"
UPDATE = "./dev bench instructions --update"
TOLERANCE_PERCENT = 5.0

PASSED, FAILED, NOT_COMPARED = 0, 1, 77  # exit codes; ctest shows 77 as a skipped test


@dataclass(frozen=True)
class Baseline:
    made_with: dict  # versions.versions() of the machine that counted
    instructions: dict  # {name of a path: instructions of one request}


def read(file=FILE):
    """None if there is no file."""
    if not file.exists():
        return None
    kept = json.loads(file.read_text(encoding="utf-8"))
    return Baseline(kept["made_with"], kept["instructions"])


def write(baseline, file=FILE):
    kept = {"made_with": baseline.made_with, "instructions": baseline.instructions}
    file.write_text(json.dumps(kept, indent="\t") + "\n", encoding="utf-8")


def differences(kept, here):
    """Why figures cannot be compared: sentences, none if all versions are equal."""
    return [f"{name} is {here.get(name)} here and {kept.get(name)} in {FILE_TITLE}"
            for name in sorted({*kept, *here}) if kept.get(name) != here.get(name)]


def change_percent(old, new):
    return 100 * (new - old) / old


def judge(kept, counted):
    """(exit code, sentences) for counted figures against kept ones of the same versions."""
    failures, hints = [], []
    for name in {**kept, **counted}:
        if name not in kept:
            failures.append(f"{name} has no figure in {FILE_TITLE}: run {UPDATE}.")
        elif name not in counted:
            failures.append(f"{name} has a figure in {FILE_TITLE} and is not counted any more: run {UPDATE}.")
        else:
            old, new = kept[name], counted[name]
            change = change_percent(old, new)
            if change > TOLERANCE_PERCENT:
                failures.append(f"{name} grew from {old:,} to {new:,} instructions a request ({change:+.1f} %, "
                                f"{TOLERANCE_PERCENT:g} % are allowed): make it cheaper again, or accept it with "
                                f"{UPDATE} in the same commit.")
            elif change < -TOLERANCE_PERCENT:
                hints.append(f"{name} shrank from {old:,} to {new:,} instructions a request ({change:+.1f} %): keep "
                             f"that with {UPDATE}.")
    return (FAILED if failures else PASSED), failures + hints


def table(kept, counted):
    """Markdown; `kept` may be empty."""
    lines = ["| path | now | baseline | change |", "|---|---:|---:|---:|"]
    for name, new in counted.items():
        old = kept.get(name)
        change = f"{change_percent(old, new):+.2f} %" if old else ""
        lines.append(f"| {name} | {new:,} | {f'{old:,}' if old else 'none'} | {change} |")
    return "\n".join(lines)

"""Which metrics and labels a text in Prometheus's format has, and which of those in a PromQL expression are
missing from it. By regular expressions: for the expressions of this project, not for all of PromQL."""
import re

# Added by Prometheus itself: the metric `up`, and the labels of the target.
OWN_METRICS = {"up": set()}
TARGET_LABELS = {"instance", "job"}
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\()(?![\w:])")
WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right"}


def parse_metrics(text):
    """A dict of the names of samples to the sets of their labels. A metric without any sample yet is found by
    its TYPE line; the text may leave out labels there."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            if kind != "histogram":
                found.setdefault(name, set())
        elif line and not line.startswith("#"):
            name, labels = re.match(r"([\w:]+)(?:\{(.*)\})? ", line).groups()
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
    return found


def check_expression(exported, expression):
    """A list of faults; empty if every metric is exported and has the labels that select it, and every label
    that groups belongs to a metric of the expression."""
    known = {**OWN_METRICS, **exported}
    faults, labels = [], set(TARGET_LABELS)
    # Strings may contain anything; durations ([5m]) are not names.
    bare = re.sub(r"\[[^\]]*\]", "", STRING.sub('""', expression))
    grouped = [label.strip() for group in LABEL_LIST.findall(bare) for label in group.split(",")]
    bare = LABEL_LIST.sub(" ", bare)
    names = 0
    for name, matchers in SELECTOR.findall(bare):
        if name in WORDS:
            continue
        names += 1
        if name not in known:
            faults.append(f"no metric {name}")
            continue
        labels |= known[name]
        for label in re.findall(r"(\w+)\s*[=!]", matchers):
            if label not in known[name] | TARGET_LABELS:
                faults.append(f"{name} has no label {label}")
    faults += [f"no label {label} to group by" for label in grouped if label and label not in labels]
    if names == 0:
        faults.append("no metric at all")
    return faults

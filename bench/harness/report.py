"""The figures as Markdown."""

from .scenarios import size_text


def table(title, head, rows):
    yield f"\n### {title}\n"
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def number(value, digits=0, unit=""):
    return "" if value is None else f"{value:,.{digits}f}{unit}"


def time_text(value_us):
    if value_us is None:
        return ""
    if value_us < 1000:
        return f"{value_us:.0f} µs" if value_us >= 10 else f"{value_us:.1f} µs"
    return f"{value_us / 1e3:,.2f} ms" if value_us < 1e6 else f"{value_us / 1e6:,.2f} s"


def range_text(ratio):
    digits = 2 if ratio and ratio["median"] >= 0.1 else 4
    return "{median:.{0}f} ({low:.{0}f} to {high:.{0}f})".format(digits, **ratio) if ratio else ""


def goals_table(goals):
    yield from table("Goals", ("what", "measured", "goal", ""), [
        (goal["what"], f"{goal['measured']:,.3f} {goal['unit']}".strip(),
         f"{goal['is']} {goal['bound']:g} {goal['unit']}".strip(), "met" if goal["met"] else "MISSED")
        for goal in goals])


def http_table(scenario):
    singles = any(row["of_singles"] for row in scenario["rows"])
    keys = "1 key" if scenario["keys"] == 1 else f"{scenario['keys']:,} {scenario['distribution']} keys"
    connections = f"{scenario['connections']:,} connection{'s' if scenario['connections'] > 1 else ''}"
    head = ["contender", "requests/s", "of nginx (lowest to highest)", "p50", "p99", "p99.9", "CPU a request",
            "resident"]
    if singles:
        head.append("keys/s, of single requests")
    rows = []
    for row in scenario["rows"]:
        resident = row["resident_bytes"]
        cells = [row["contender"], number(row["rate"]), range_text(row["ratio"]), time_text(row["p50_us"]),
                 time_text(row["p99_us"]), time_text(row["p999_us"]), number(row["cpu_us"], 1, " µs"),
                 number(resident / (1 << 20), 0, " MiB") if resident else ""]
        rows.append(cells + [range_text(row["of_singles"])] if singles else cells)
    yield from table(f"{scenario['scenario']}: {size_text(scenario['value_bytes'])}, {keys}, {connections}", head,
                     rows)


def backends_table(scenarios):
    """One row for each backend, of the scenarios that measure all of them."""
    titles, rows = [], {}
    for scenario in scenarios:
        what, unit = scenario["scenario"].split(", ", 1)[1].rsplit(", ", 1)
        titles.append(f"{what}: {'p50 / p99' if unit == 'latency' else 'a second'}")
        for row in scenario["rows"]:
            rows.setdefault(row["contender"], {})[titles[-1]] = (
                f"{time_text(row['p50_us'])} / {time_text(row['p99_us'])}" if unit == "latency"
                else number(row["rate"]))
    yield from table("Every backend: latency with 1 connection, throughput with 64", ("backend", *titles),
                     [(name, *(cells.get(title, "") for title in titles)) for name, cells in rows.items()])


def latency_table(figures):
    rows = []
    for row in figures["rows"]:
        nginx = row["nginx"]
        rows.append((row["contender"], number(row["peak"]), f"{row['level']:.0%}: {row['offered']:,.0f}",
                     number(row["rate"]), time_text(row["p50_us"]), time_text(row["p99_us"]),
                     time_text(row["p999_us"]),
                     " / ".join(time_text(nginx[part]) for part in ("p50_us", "p99_us", "p999_us")),
                     f"{row['p99_ratio']:.2f}"))
    yield from table("Latency of GET hits at an offered rate (h2load, 64 connections)",
                     ("contender", "peak/s", "offered/s", "achieved/s", "p50", "p99", "p99.9",
                      "nginx at this rate: p50 / p99 / p99.9", "p99 of nginx's"), rows)


def store_table(figures):
    yield from table("The store in process, 1 KiB values", ("what", "sets/s", "ratio"), [
        (figure["what"], f"{figure['first_is']}: {figure['first']:,.0f}; {figure['second_is']}: "
         f"{figure['second']:,.0f}", f"{figure['ratio']:.2f}") for figure in figures["figures"]])


def memory_table(figures):
    rows = []
    for backend, sizes in figures["idle"].items():
        rows.append((f"idle server on {backend}, resident", f"{sizes['server'] / (1 << 20):.1f} MiB"))
        rows.append((f"{backend}: an idle connection", f"{sizes['connection']:,.0f} bytes"))
    rows.append((f"memory backend, an entry beside key and value ({figures['entries']:,} entries of 100 bytes)",
                 f"{figures['overhead_per_entry']:.0f} bytes"))
    yield from table("Memory", ("what", "measured"), rows)


def large_table(figures):
    yield from table("Values of 64 MiB, 8 connections (PUT: 1)", ("what", "contender", "MiB/s", "ratio", "CPU a MiB"), [
        (row["what"], row["contender"], number(row["mib_per_s"]), range_text(row["ratio"]),
         number(row["cpu_ms_per_mib"], 3, " ms")) for row in figures["rows"]])
    yield (f"\n{figures['long_bytes'] / (1 << 20):,.0f} MiB in and out: {figures['most_memory_bytes'] / (1 << 20):.1f} "
           "MiB of memory at most.")


def parts_table(figures):
    yield from table("PUT of 2.8 KB after a GET on a kept connection, Nagle's algorithm on",
                     ("contender", "head and body apart, median", "in one, median"),
                     [(row["contender"], time_text(row["apart_us"]), time_text(row["one_us"])) for row in figures["rows"]])


def growth_tables(figures):
    yield from table(
        "Growth: entries of 100 bytes, in process",
        ("backend", "entries", "filled in", "open", "GET/s", "PUT/s", "set with eviction/s", "stats",
         "page of 1,000 keys", "resident beside an entry", "file"),
        [(point["backend"], f"{point['entries']:,}", number(point["fill_s"], 2, " s"),
          time_text(point.get("open_us")), number(point["gets_per_s"]), number(point["sets_per_s"]),
          number(point["evicting_sets_per_s"]), time_text(point["stats_us"]), time_text(point["list_us"]),
          number(point["overhead_per_entry"], 0, " bytes") if point["backend"] == "memory" else "",
          number(point["file_bytes"] / (1 << 20), 1, " MiB") if "file_bytes" in point else "")
         for point in figures["entries"]])
    yield from table(
        "Growth: namespaces of ten entries, in process",
        ("backend", "namespaces", "made and filled in", "GET/s", "PUT/s", "stats of one", "stats of all",
         "resident of one"),
        [(point["backend"], f"{point['namespaces']:,}", time_text(point["create_us"]), number(point["gets_per_s"]),
          number(point["sets_per_s"]), time_text(point["stats_us"]), time_text(point["all_stats_us"]),
          number(point["bytes_per_namespace"], 0, " bytes")) for point in figures["namespaces"]])


def all_goals(figures):
    for suite in figures.values():
        for part in suite if isinstance(suite, list) else [suite]:
            yield from part["goals"]


def markdown(figures):
    lines = []
    goals = list(all_goals(figures))
    if goals:
        lines += goals_table(goals)
    for scenario in figures.get("http", []):
        lines += http_table(scenario)
    of_backends = [scenario for scenario in figures.get("http", []) if scenario["group"] == "backends"]
    if of_backends:
        lines += backends_table(of_backends)
    for suite, tables in (("latency", latency_table), ("store", store_table), ("memory", memory_table),
                          ("growth", growth_tables), ("large", large_table), ("parts", parts_table)):
        if suite in figures:
            lines += tables(figures[suite])
    return "\n".join(lines) + "\n"

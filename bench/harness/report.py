"""The figures as Markdown."""


def verdict(goal, met):
    return "" if goal is None else f"{goal:g}: {'met' if met else 'MISSED'}"


def http_tables(scenarios):
    for scenario in scenarios:
        yield (f"\n### {scenario['scenario']}, {scenario['value_bytes']:,} bytes, {scenario['keys']:,} random keys, "
               f"{scenario['connections']} connections\n")
        yield "| contender | requests/s | of nginx (lowest to highest) | least | p50 | p99 | p99.9 | CPU a request |"
        yield "|---|---|---|---|---|---|---|---|"
        for row in scenario["rows"]:
            yield (f"| {row['contender']} | {row['rate']:,.0f} | {row['ratio']:.2f} ({row['ratio_low']:.2f} to "
                   f"{row['ratio_high']:.2f}) | {verdict(row['goal'], row['ratio'] >= (row['goal'] or 0))} | "
                   f"{row['p50_us'] / 1000:.2f} ms | {row['p99_us'] / 1000:.2f} ms | {row['p999_us'] / 1000:.2f} ms | "
                   f"{row['cpu_us']:.1f} µs |")


def store_table(figures):
    yield "\n### The store in process, 1 KiB values\n"
    yield "| what | sets/s | ratio | least |"
    yield "|---|---|---|---|"
    for figure in figures:
        yield (f"| {figure['what']} | {figure['first_is']}: {figure['first']:,.0f}; {figure['second_is']}: "
               f"{figure['second']:,.0f} | {figure['ratio']:.2f} | "
               f"{verdict(figure['goal'], figure['ratio'] >= figure['goal'])} |")


def memory_table(figures):
    yield "\n### Memory\n"
    yield "| what | measured | at most |"
    yield "|---|---|---|"
    for backend, idle in figures["idle_bytes"].items():
        yield (f"| idle server on {backend}, resident | {idle / 1048576:.1f} MiB | "
               f"{verdict(10, idle <= figures['idle_goal_bytes'])} |")
    overhead = figures["overhead_per_entry"]
    yield (f"| memory backend, an entry beside key and value ({figures['entries']:,} entries of 100 bytes) | "
           f"{overhead:.0f} bytes | {verdict(figures['overhead_goal'], overhead <= figures['overhead_goal'])} |")


def markdown(figures):
    lines = []
    if "http" in figures:
        lines += http_tables(figures["http"])
    if "store" in figures:
        lines += store_table(figures["store"])
    if "memory" in figures:
        lines += memory_table(figures["memory"])
    return "\n".join(lines)

"""Charts as plain SVG: bars with their ranges for rates, lines on logarithmic axes for growth.

A chart has its own background and takes its colours from the reader's light or dark setting, so that it is
readable wherever it is embedded."""

import math
from xml.sax.saxutils import escape

from .contenders import FACTORIES, REFERENCE

LIGHT = ("#2563c9", "#c2571a", "#1b8560", "#8b44b8", "#b3304e", "#5f6b7a", "#94770a", "#0e7f96", "#6b4f3a")
DARK = ("#6ea3f5", "#f0955c", "#52c79b", "#c48ae6", "#f27a94", "#a5b1c0", "#d9bb45", "#4fc4da", "#c8a78c")
FONT = "font-family='system-ui, sans-serif'"


def style():
    def rules(colours, back, text, rule):
        series = "".join(f".f{i}{{fill:{colour}}}.s{i}{{stroke:{colour}}}" for i, colour in enumerate(colours))
        return f".back{{fill:{back}}}text{{fill:{text}}}.rule{{stroke:{rule}}}.mark{{stroke:{text}}}{series}"

    return ("<style>" + rules(LIGHT, "#ffffff", "#1f2328", "#d5dae0") +
            "@media (prefers-color-scheme: dark){" + rules(DARK, "#12161c", "#e4e8ed", "#343b45") + "}</style>")


def text(x, y, content, size=12, anchor="start"):
    return f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}'>{escape(str(content))}</text>"


def line(x1, y1, x2, y2, css, width=1):
    return (f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' class='{css}' "
            f"stroke-width='{width}'/>")


def document(width, height, title, parts):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
            f"height='{height}' role='img' {FONT}><title>{escape(title)}</title>{style()}"
            f"<rect class='back' width='{width}' height='{height}'/>" + "\n".join(parts) + "</svg>\n")


def legend(x, y, colours):
    """Draws a row of names with their colours; returns where the next row starts."""
    parts, at, left = [], y, x
    for name, colour in colours.items():
        width = 38 + 7 * len(name)
        if left + width > 940:
            at, left = at + 20, x
        parts.append(f"<rect x='{left}' y='{at - 10}' width='12' height='12' rx='2' class='f{colour}'/>")
        parts.append(text(left + 17, at, name))
        left += width
    return parts, at + 20


def nice_step(largest):
    """A step that divides the axis into four to eight parts."""
    power = 10 ** math.floor(math.log10(largest / 4))
    return next(power * factor for factor in (1, 2, 5, 10) if largest / (power * factor) <= 8)


def bar_chart(title, groups, colours):
    """groups: [(label, {name: (value, low, high)})]; colours: {name: number}; a rule marks 1, which is nginx.

    Bars are horizontal, because labels are long and many. A bar longer than the axis is cut and labelled with
    its value."""
    width, left, right, bar = 960, 210, 70, 14
    highs = sorted(high for _label, values in groups for _value, _low, high in values.values())
    largest = max(1.1, highs[-1])
    if largest > 2.5:  # so that a few bars cannot shrink all others
        largest = max(2.5, min(largest, 2 * highs[len(highs) // 2]))
    parts = [text(16, 28, title, 16)]
    keys, top = legend(16, 54, colours)
    parts += keys
    height = top + sum(len(values) * (bar + 3) + 16 for _label, values in groups) + 40
    step = nice_step(largest)

    def place(value):
        return left + (width - left - right) * min(value, largest) / largest

    for i in range(int(largest / step) + 1):
        parts.append(line(place(i * step), top, place(i * step), height - 34, "rule"))
        parts.append(text(place(i * step), height - 18, f"{i * step:g}", 11, "middle"))
    at = top + 8
    for label, values in groups:
        parts.append(text(left - 10, at + len(values) * (bar + 3) / 2 + 3, label, 12, "end"))
        for name, (value, low, high) in values.items():
            middle = at + bar / 2
            parts.append(f"<rect x='{left}' y='{at}' width='{max(1, place(value) - left):.1f}' height='{bar}' "
                         f"rx='2' class='f{colours[name]}'/>")
            if low < high and value <= largest:
                parts.append(line(place(low), middle, place(high), middle, "mark"))
                parts += [line(place(end), middle - 4, place(end), middle + 4, "mark") for end in (low, high)]
            parts.append(text(place(max(value, high)) + 6, middle + 4, f"{value:.2f}", 11))
            at += bar + 3
        at += 16
    parts.append(line(place(1), top, place(1), height - 34, "mark", 1.5))
    return document(width, height, title, parts)


def http_charts(scenarios):
    """File name and SVG for each group of scenarios. A contender has the same colour in all of them."""
    known = [name for name in FACTORIES if name != REFERENCE]
    for group in dict.fromkeys(scenario["group"] for scenario in scenarios):
        groups, colours = [], {}
        for scenario in scenarios:
            if scenario["group"] != group:
                continue
            rows = [row for row in scenario["rows"] if row["ratio"] and row["name"] != REFERENCE]
            for row in rows:
                number = known.index(row["name"]) if row["name"] in known else len(known)
                colours[row["contender"]] = number % len(LIGHT)
            if rows:
                groups.append((scenario["scenario"],
                               {row["contender"]: tuple(row["ratio"][part] for part in ("median", "low", "high"))
                                for row in rows}))
        if groups:
            yield (f"http-{group}.svg",
                   bar_chart(f"Requests a second, {group}: nginx's constant answer is 1", groups, colours))


SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def short(value):
    factor, suffix = next((pair for pair in SUFFIXES if value >= 0.999 * pair[0]), (1, ""))
    return f"{value / factor:.3g}{suffix}"


def line_panel(x, y, width, height, title, series, colours):
    """series: {name: [(x, y)]}, all positive; both axes are logarithmic."""
    points = [point for values in series.values() for point in values]
    x_low, x_high = (f(math.log10(point[0]) for point in points) for f in (min, max))
    y_low = math.floor(min(math.log10(point[1]) for point in points))
    y_high = max(y_low + 1, math.ceil(max(math.log10(point[1]) for point in points)))
    left, top, bottom = x + 50, y + 28, y + height - 26

    def place(point):
        return (left + (x + width - 16 - left) * (math.log10(point[0]) - x_low) / max(1e-9, x_high - x_low),
                bottom - (bottom - top) * (math.log10(point[1]) - y_low) / (y_high - y_low))

    parts = [text(x + 8, y + 14, title, 13)]
    for power in range(y_low, y_high + 1):
        height_of = place((10 ** x_low, 10 ** power))[1]
        parts.append(line(left, height_of, x + width - 16, height_of, "rule"))
        parts.append(text(left - 6, height_of + 4, short(10.0 ** power), 11, "end"))
    for value in sorted({point[0] for point in points}):
        parts.append(text(place((value, 10 ** y_low))[0], bottom + 17, short(value), 11, "middle"))
    for name, values in series.items():
        colour = colours[name]
        path = " ".join("%.1f,%.1f" % place(point) for point in values)
        parts.append(f"<polyline points='{path}' fill='none' class='s{colour}' stroke-width='2'/>")
        parts += ["<circle cx='%.1f' cy='%.1f' r='3.5' class='f%d'/>" % (*place(point), colour)
                  for point in values]
    return parts


def line_charts(title, points, variable, panels):
    """One panel for each (figure, its title, factor) of the points."""
    names = list(dict.fromkeys(point["backend"] for point in points))
    colours = {name: number % len(LIGHT) for number, name in enumerate(names)}
    width, columns, panel_height = 960, 3, 220
    parts = [text(16, 28, title, 16)]
    keys, top = legend(16, 54, colours)
    parts += keys
    shown = 0
    for figure, panel_title, factor in panels:
        series = {name: [(point[variable], point[figure] * factor) for point in points
                         if point["backend"] == name and point.get(figure, 0) > 0] for name in names}
        series = {name: values for name, values in series.items() if values}
        if not series:
            continue
        column, row = shown % columns, shown // columns
        parts += line_panel(16 + column * 312, top + row * panel_height, 304, panel_height - 8, panel_title, series,
                            colours)
        shown += 1
    return document(width, top + math.ceil(shown / columns) * panel_height + 8, title, parts)


ENTRY_PANELS = (("gets_per_s", "GET/s", 1), ("sets_per_s", "PUT/s", 1),
                ("evicting_sets_per_s", "set with eviction/s", 1), ("stats_us", "stats, seconds", 1e-6),
                ("list_us", "page of 1,000 keys, seconds", 1e-6), ("open_us", "open, seconds", 1e-6),
                ("bytes_per_entry", "resident bytes an entry", 1), ("file_bytes", "file, bytes", 1))
NAMESPACE_PANELS = (("gets_per_s", "GET/s", 1), ("sets_per_s", "PUT/s", 1),
                    ("create_us", "made and filled, seconds each", 1e-6), ("stats_us", "stats of one, seconds", 1e-6),
                    ("all_stats_us", "stats of all, seconds", 1e-6),
                    ("bytes_per_namespace", "resident bytes each", 1))


def charts(figures):
    """File name and SVG of everything that can be drawn."""
    yield from http_charts(figures.get("http", []))
    growth = figures.get("growth", {})
    if growth.get("entries"):
        yield "growth.svg", line_charts("Growth with the number of entries", growth["entries"], "entries", ENTRY_PANELS)
    if growth.get("namespaces"):
        yield "namespaces.svg", line_charts("Growth with the number of namespaces", growth["namespaces"],
                                            "namespaces", NAMESPACE_PANELS)

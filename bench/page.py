#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: page.py RESULTS.json PAGE.html

One self-contained page of what bench/compare measured: what must hold, tables, and plots by gnuplot as inline SVG. Without gnuplot
the page says so where a plot would be. Sections of which nothing was measured are left out.
"""
import html
import json
import math
import re
import shutil
import statistics
import subprocess
import sys

OURS = "#0b5cad"
OURS_2 = "#5aa0e0"
FLOOR = "#9aa3ad"
# Of bars: maps with locks; with RCU, epochs or quiescent states.
LOCKS = "#d0ae86"
RCU = "#86b39b"
# Of lines.
OTHERS = ["#c2571a", "#3c8a4a", "#8a4fa3", "#b8860b", "#9c3a4b", "#4a6b6b", "#7a5c3e", "#5b6abf", "#a0527d"]
# In plots one flavor of each is enough; tables have all.
PLOTTED = ["rcumap-bp", "find-bp", "mutex", "64 mutexes", "GHashTable", "lfht-qsbr", "ck_ht", "ck_hs", "TBB", "libcuckoo", "rte_hash", "floor"]
SCALED = ["rcumap-bp", "64 mutexes", "lfht-qsbr", "ck_ht", "TBB", "libcuckoo", "rte_hash", "floor"]
LATENCIES = ["rcumap-bp", "lfht-qsbr", "ck_ht", "ck_hs", "TBB", "libcuckoo", "rte_hash"]
PERCENTS = ["p50", "p90", "p99", "p99.9", "p99.99", "p99.999"]

STYLE = """
:root { --ink: #1c2430; --soft: #5c6773; --line: #e2e6ea; --ours: #eef5fc; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); margin: 0 auto; max-width: 1180px; padding: 32px 28px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 44px 0 6px; padding-top: 14px; border-top: 2px solid var(--line); }
h3 { font-size: 15px; margin: 22px 0 6px; }
p { margin: 4px 0 12px; max-width: 82ch; }
.soft { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 14px 0 0; font-size: 14px; }
dt { color: var(--soft); }
dd { margin: 0; }
nav { margin: 18px 0 0; font-size: 14px; }
nav a { color: #0b5cad; margin-right: 16px; text-decoration: none; white-space: nowrap; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: 8px 0 4px; }
th, td { padding: 4px 9px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); border-bottom: 2px solid #cfd6dd; }
th:first-child, td:first-child { text-align: left; }
tr.ours td { background: var(--ours); }
tr.floor td { color: var(--soft); font-style: italic; }
td.best { font-weight: 700; }
td.none { color: #b9c1c9; }
td.text, th.text { text-align: left; }
.holds, .missed { display: inline-block; min-width: 62px; text-align: center; border-radius: 10px; padding: 0 9px; font-size: 12px; font-weight: 600; }
.holds { background: #dff2e3; color: #1d6b32; }
.missed { background: #fbe2df; color: #a32a1c; }
.tally { font-size: 16px; margin: 10px 0 2px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(350px, 1fr)); gap: 14px 22px; margin: 10px 0; }
.two { grid-template-columns: repeat(auto-fill, minmax(500px, 1fr)); }
figure { margin: 0; max-width: 860px; }
figcaption { font-size: 13px; font-weight: 600; margin: 0 0 2px; }
svg { width: 100%; height: auto; display: block; }
details { margin: 14px 0; }
summary { font-size: 15px; font-weight: 600; cursor: pointer; }
.noplot { color: var(--soft); border: 1px dashed #c6ced6; padding: 12px; font-size: 13px; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; border-top: 1px solid var(--line); padding-top: 12px; }
"""


# ---------------------------------------------------------------------------------------- figures as people read them


def three_digits(value, unit):
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def ns(value):
    for limit, scale, unit in ((999.5, 1, "ns"), (999.5e3, 1e3, "µs"), (999.5e6, 1e6, "ms")):
        if value < limit:
            return f"{value:.0f} ns" if unit == "ns" else three_digits(value / scale, unit)
    return three_digits(value / 1e9, "s")


def size(value):
    return three_digits(value / 1e6, "MB") if value < 999.5e6 else three_digits(value / 1e9, "GB")


def count(value):
    return f"{value:,.0f}"


def median(values):
    return statistics.median(values)


# ---------------------------------------------------------------------------------------- HTML


def text(value):
    return html.escape(str(value))


class Table:
    """Rows of cells; a cell is text, or (text, class)."""

    def __init__(self, *heads):
        self.heads, self.rows = heads, []

    def row(self, *cells, kind=""):
        self.rows.append((kind, cells))

    def html(self):
        def cell(tag, content):
            content, style = content if isinstance(content, tuple) else (content, "")
            return f'<{tag}{f" class={chr(34)}{style}{chr(34)}" if style else ""}>{content}</{tag}>'

        head = "".join(cell("th", h) for h in self.heads)
        body = "".join(f'<tr class="{kind}">{"".join(cell("td", c) for c in cells)}</tr>\n' for kind, cells in self.rows)
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>\n'


def row_kind(subject):
    return {"ours": "ours", "floor": "floor"}.get(subject.get("kind"), "")


# ---------------------------------------------------------------------------------------- plots


class Plotter:
    def __init__(self):
        self.gnuplot = shutil.which("gnuplot")
        self.made = 0
        self.colors = {}

    def color(self, name):
        if name == "floor":
            return FLOOR
        if name.startswith("rcumap"):
            return OURS
        if name.startswith("find"):
            return OURS_2
        return self.colors.setdefault(name, OTHERS[len(self.colors) % len(OTHERS)])

    def bar_color(self, name):
        if name == "floor" or name.startswith(("rcumap", "find")):
            return self.color(name)
        return RCU if name.startswith(("lfht", "ck_", "rte_")) else LOCKS

    def svg(self, caption, width, height, script):
        """A figure of what the script draws. Its names get a prefix: one page has many."""
        if not self.gnuplot:
            return '<div class="noplot">No plot: gnuplot was not there when this page was made.</div>'
        self.made += 1
        head = (
            f"set terminal svg size {width},{height} dynamic font 'DejaVu Sans,12' noenhanced\n"
            "set border 3 lc rgb '#9aa3ad'\nset tics nomirror textcolor rgb '#3a4450'\nset grid lc rgb '#e6e9ed' lt 1\n"
        )
        made = subprocess.run([self.gnuplot], input=head + script, capture_output=True, text=True, check=False)
        if made.returncode != 0 or "<svg" not in made.stdout:
            sys.exit(f"page.py: gnuplot: {made.stderr.strip()}")
        drawn = made.stdout[made.stdout.index("<svg") :]
        drawn = re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", drawn, flags=re.S)
        prefix = f"p{self.made}_"
        drawn = re.sub(r'\bid="', f'id="{prefix}', drawn)
        drawn = re.sub(r"href='#|href=\"#", lambda m: m.group(0) + prefix, drawn)
        drawn = re.sub(r"url\(#", f"url(#{prefix}", drawn)
        return f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"

    def bars(self, caption, values, label=lambda v: f"{v:.1f}", log=False, less_is_better=False):
        """Horizontal bars, one for each (name, value), the best at the top."""
        values = sorted(values, key=lambda v: v[1], reverse=less_is_better)
        most = max(v for _, v in values)
        least = min(v for _, v in values if v > 0) / 2 if log else 0
        lines = ["$bars << EOD"]
        for i, (name, value) in enumerate(values):
            lines.append(f'{i} {value} 0x{self.bar_color(name)[1:]} "{label(value)}"')
        tics = ", ".join(f'"{name}" {i}' for i, (name, _) in enumerate(values))
        lines += [
            "EOD",
            "set key off\nunset xtics\nset border 0\nunset grid\nset style fill solid 1 noborder",
            f"set yrange [-0.6:{len(values) - 0.4}]\nset ytics ({tics}) scale 0",
            f"set xrange [{least}:{most ** 1.25 / least ** 0.25 if log else most * 1.22}]",
            "set logscale x" if log else "",
            f"plot $bars using ({least}):1:({least}):2:($1-0.36):($1+0.36):3 with boxxyerrorbars lc rgb variable, "
            f"$bars using 2:1:4 with labels left offset 0.6,0 tc rgb '#3a4450'",
        ]
        return self.svg(caption, 380, 40 + 21 * len(values), "\n".join(lines))

    def lines(self, caption, series, settings, style="linespoints", size=(820, 400)):
        """series: (name, color, dash, [(x, y)])."""
        data, plots = [], []
        for i, (name, color, dash, points) in enumerate(series):
            data.append(f"$s{i} << EOD\n" + "\n".join(f"{x} {y}" for x, y in points) + "\nEOD")
            wide = 3 if color == OURS else 1.6
            mark = f" pt 7 ps {0.55 if color == OURS else 0.4}" if style == "linespoints" else ""
            plots.append(f"$s{i} using 1:2 with {style} lc rgb '{color}' lw {wide} dt {dash}{mark} title '{name}'")
        key = "set key outside right top vertical Left reverse samplen 2 spacing 1.25 noenhanced\n"
        return self.svg(caption, *size, "\n".join(data) + "\n" + key + settings + "\nplot " + ", ".join(plots))


# ---------------------------------------------------------------------------------------- sections


def bounds_section(results, _plotter):
    bounds = results["bounds"]
    if not bounds:
        return ""
    held = sum(b["holds"] for b in bounds)
    table = Table((f'for {text(results["judged"])}', "text"), "measured", "bound", "margin", ("", "text"))
    for b in bounds:
        margin = b["value"] / b["limit"] if b["must_be"] == "at least" else b["limit"] / b["value"] if b["value"] else 0
        badge = '<span class="holds">holds</span>' if b["holds"] else '<span class="missed">missed</span>'
        table.row(text(b["what"]), text(b["value_text"]), f'{b["must_be"]} {text(b["limit_text"])}', f"{margin:.2f} ×", (badge, "text"))
    return f'<p class="tally"><b>{held} of {len(bounds)}</b> hold. Margin: below 1 is the wrong side.</p>{table.html()}'


def rate_of(subject, mix):
    for m in subject["mixes"]:
        if m["mix"] == mix:
            return median(m["operations_per_second"])
    return None


def mix_names(at):
    names = []
    for subject in at["subjects"]:
        names += [m["mix"] for m in subject["mixes"] if m["mix"] not in names]
    order = {m["mix"]: i for i, m in enumerate(at["subjects"][0]["mixes"])}
    return sorted(names, key=lambda n: order.get(n, len(order)))


def rates_table(at):
    mixes = [m for m in mix_names(at) if not m.startswith("timed")]
    best = {m: max((rate_of(s, m) or 0 for s in at["subjects"] if s["kind"] != "floor"), default=0) for m in mixes}
    table = Table("", *(text(m) for m in mixes))
    for s in at["subjects"]:
        cells = []
        for m in mixes:
            rate = rate_of(s, m)
            cells.append(("–", "none") if rate is None else (f"{rate / 1e6:.2f}", "best" if rate == best[m] and s["kind"] != "floor" else ""))
        table.row(text(s["subject"]), *cells, kind=row_kind(s))
    return table.html()


SHOWN = ["get 2t", "miss 1t", "batch 2t", "95/5 2t", "50/50 2t", "zipf 2t"]


def rates_plots(at, plotter):
    figures = []
    for mix in SHOWN:
        values = [(s["subject"], rate_of(s, mix) / 1e6) for s in at["subjects"] if s["subject"] in PLOTTED and rate_of(s, mix)]
        if values:
            figures.append(plotter.bars(f"{mix}, {count(at['pairs'])} pairs", values))
    return f'<div class="grid">{"".join(figures)}</div>' if figures else ""


def rates_section(results, plotter):
    sizes = results.get("sizes", [])
    out = "<p>Millions of operations a second, all threads together; medians of interleaved rounds. Bold: the best, but for the floor, "
    out += "which has the same memory as librcumap and no concurrency control at all. Bars: librcumap (get, find) blue, the floor grey, maps with "
    out += "RCU, epochs or quiescent states green, maps with locks sand. What must hold is judged round by round, of rounds in which a cache line "
    out += "took about as long from one processor to another: the median ratio, not the ratio of these medians.</p>" if sizes else ""
    for i, at in enumerate(reversed(sizes)):
        out += f"<h3>{count(at['pairs'])} pairs</h3>" + (rates_plots(at, plotter) if i == 0 else "") + rates_table(at)
    return out if sizes else ""


def scaling_section(results, plotter):
    if not results.get("sizes"):
        return ""
    at = results["sizes"][-1]
    kinds = {}
    for m in (m for s in at["subjects"] if s["kind"] == "ours" for m in s["mixes"] if "get" not in m):
        kinds.setdefault(m["mix"].rsplit(" ", 1)[0], set()).add(m["threads"])
    figures = []
    for kind, threads in kinds.items():
        if len(threads) < 4:
            continue
        series = []
        for s in (s for s in at["subjects"] if s["subject"] in SCALED):
            points = [(n, rate_of(s, f"{kind} {n}t") / 1e6) for n in sorted(threads) if rate_of(s, f"{kind} {n}t")]
            if points:
                series.append((s["subject"], plotter.color(s["subject"]), 2 if s["kind"] == "floor" else 1, points))
        tics = ", ".join(str(n) for n in sorted(threads))
        settings = f"set logscale x 2\nset xrange [{min(threads)}:{max(threads) * 1.03}]\nset xtics ({tics})\nset yrange [0:*]\nset xlabel 'threads'"
        figures.append(plotter.lines(f"{kind}, {count(at['pairs'])} pairs, millions a second", series, settings, size=(620, 320)))
    return f'<div class="grid two">{"".join(figures)}</div>' if figures else ""


def latency_rows(at, mix, table):
    for s in at["subjects"]:
        for m in (m for m in s["mixes"] if m["mix"] == mix and "get" in m):
            for verb in ("get", "put"):
                h = m[verb]
                first = text(s["subject"]) if verb == "get" else ""
                switches = count(m["involuntary_switches"]) if verb == "get" else ""
                table.row(first, verb, *(ns(h[f"{p}_ns"]) for p in PERCENTS), ns(h["max_ns"]), switches, kind=row_kind(s))


def latency_plot(at, mix, verb, plotter):
    series = []
    for s in (s for s in at["subjects"] if s["subject"] in LATENCIES):
        for m in (m for m in s["mixes"] if m["mix"] == mix and "get" in m):
            points = [(i, m[verb][f"{p}_ns"]) for i, p in enumerate(PERCENTS)] + [(len(PERCENTS), m[verb]["max_ns"])]
            series.append((s["subject"], plotter.color(s["subject"]), 1, points))
    tics = ", ".join(f"'{p}' {i}" for i, p in enumerate(PERCENTS + ["max"]))
    settings = (
        f"set logscale y\nset xtics ({tics})\nset yrange [100:*]\nset xrange [-0.2:{len(PERCENTS) + 0.2}]\n"
        "set ytics ('100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8)"
    )
    return plotter.lines(f"{verb} under {mix.replace('timed', '95/5')}, {count(at['pairs'])} pairs", series, settings) if series else ""


def latency_section(results, plotter):
    if not results.get("sizes"):
        return ""
    at = results["sizes"][-1]
    mixes = [m for m in mix_names(at) if m.startswith("timed")]
    if not mixes:
        return ""
    out = "<p>95 gets to 5 overwrites, each operation timed. Switches: involuntary context switches of all threads, all rounds together; "
    out += "on a machine with fewer free cores than threads they are what the longest ones are made of.</p>"
    out += "".join(latency_plot(at, mixes[0], verb, plotter) for verb in ("get", "put"))
    for mix in mixes:
        table = Table("", ("", "text"), *PERCENTS, "longest", "switches")
        latency_rows(at, mix, table)
        summary = f"{text(mix.replace('timed', '95/5'))}, {count(at['pairs'])} pairs: all figures"
        out += f"<details{' open' if mix == mixes[0] else ''}><summary>{summary}</summary>{table.html()}</details>"
    depend = [(s["subject"], 1e9 / rate_of(s, "depend 1t")) for s in at["subjects"] if s["subject"] in PLOTTED and rate_of(s, "depend 1t")]
    if depend:
        out += "<h3>A get of the pair that the value before names</h3><p>Nothing overlaps: what is left is the misses, one after another.</p>"
        out += f'<div class="grid">{plotter.bars("ns a get", depend, label=lambda v: f"{v:.0f} ns", less_is_better=True)}</div>'
    return out


def paired_section(results, _plotter):
    if not results.get("paired"):
        return ""
    table = Table("pairs", ("", "text"), "threads", "median", "upper 95 % bound")
    for p in results["paired"]:
        table.row(count(p["pairs"]), (f'{text(p["get"])} by {text(p["find"])}', "text"), p["threads"], f'{p["median"]:.3f}', f'{p["upper_95"]:.3f}')
    return (
        "<p>Time of a get that opens its own section by that of a find in a section of the caller's: the same map, short rounds by turns, "
        f"the median of their ratios and its upper 95 % bound, which assumes nothing of how they are distributed.</p>{table.html()}"
    )


def growth_section(results, plotter):
    growth = results.get("growth")
    if not growth:
        return ""
    table = Table("", ("", "text"), "rounds", "seconds", "longest put", "least", "most", "undisturbed", "puts over 1 ms", "put p99.9", "longest get", "writer's switches")
    longest = []
    for s in growth["subjects"]:
        for i, way in enumerate(w for w in ("growing", "reserved") if w in s):
            r = s[way]
            table.row(
                text(s["subject"]) if i == 0 else "", (way, "text"), len(r["seconds"]), f'{median(r["seconds"]):.2f}',
                ns(median(r["longest_put_ns"])), ns(min(r["longest_put_ns"])), ns(max(r["longest_put_ns"])),
                ns(median(r["undisturbed_put_ns"])), f'{median(r["puts_over_1_ms"]):.0f}', ns(median(r["put_p99.9_ns"])), ns(median(r["longest_get_ns"])), f'{median(r["writer_involuntary_switches"]):.0f}',
                kind="ours" if s["subject"].startswith("rcumap") else "",
            )
            if way == "growing":
                longest.append((s["subject"], median(r["longest_put_ns"]) / 1e6))
    plot = plotter.bars("longest put while growing, ms (log scale)", longest, label=lambda v: three_digits(v, "ms"), log=True, less_is_better=True)
    return (
        f"<p>{count(growth['pairs'])} pairs are stored by one writer, readers beside him: {growth['readers']}, into maps that begin small and into maps that were "
        f'told the size, by turns; medians of rounds. Undisturbed: of the puts among which the writer was not switched away from.</p><div class="grid">{plot}</div>{table.html()}'
    )


def stalled_section(results, plotter):
    stalled = results.get("stalled")
    if not stalled:
        return ""
    table = Table("", "before", "at most", "at the end", "overwrites while he stayed", "bytes each", "longest put")
    series = []
    for s in stalled["subjects"]:
        each = (s["peak_bytes"] - s["before_bytes"]) / s["overwrites"] if s["overwrites"] else 0
        table.row(
            text(s["subject"]), size(s["before_bytes"]), size(s["peak_bytes"]), size(s["after_bytes"]), count(s["overwrites"]),
            f"{each:.1f}", ns(s["longest_put_ns"]), kind="ours" if s["subject"].startswith("rcumap") else "",
        )
        points = [(t, b / 1e6) for t, b in zip(s["seconds"], s["bytes"])]
        series.append((s["subject"], plotter.color(s["subject"]), 1, points))
    settings = (
        f"set xlabel 'seconds'\nset ylabel 'resident MB'\nset yrange [0:*]\nset xrange [0:{stalled['ends_s']}]\n"
        f"set object 1 rectangle from {stalled['enters_s']}, graph 0 to {stalled['leaves_s']}, graph 1 fc rgb '#f3f0e6' fs solid noborder behind\n"
        f"set label 1 'a reader stays in his section' at {stalled['enters_s'] + 0.05}, graph 0.96 tc rgb '#7a6f4a'"
    )
    caption = f"memory of {count(stalled['pairs'])} pairs, {count(stalled['overwrites_per_second'])} overwrites a second"
    return (
        "<p>Nothing that a reader may have found can be given back while he stays. Maps whose readers hold locks are not here: there a writer "
        "waits for him instead; and so he does where garbage has a fixed room (rte_hash).</p>"
        + plotter.lines(caption, series, settings, style="lines") + table.html()
    )


def overhead_section(results, plotter):
    overhead = results.get("overhead")
    if not overhead:
        return ""
    pairs = overhead["pairs"]
    table = Table("", "mean", "worst", "mean resident", "peak while growing", "of resident")
    series = []
    for s in overhead["subjects"]:
        name = s["subject"] + (", with lives" if s["lives"] else "")
        ours = s["subject"].startswith("rcumap")
        table.row(
            text(name), f'{statistics.mean(s["settled_bytes"]):.1f}', f'{max(s["settled_bytes"]):.1f}',
            f'{statistics.mean(s["resident_bytes"]):.1f}', f'{s["peak"]:.2f} ×' if s["peak"] else ("–", "none"), f'{s["resident_peak"]:.2f} ×',
            kind="ours" if ours else "",
        )
        series.append((name, plotter.color(s["subject"]), 3 if s["lives"] else 1, [(n / 1e6, b) for n, b in zip(pairs, s["settled_bytes"])]))
    top = max(max(s["settled_bytes"]) for s in overhead["subjects"])
    tics = ", ".join(f"'{round(n / 1e6, 1):g}' {n / 1e6}" for n in pairs[::3])
    settings = (
        f"set logscale x\nset xlabel 'million pairs'\nset ylabel 'bytes a pair beyond key and value'\nset yrange [0:{math.ceil(top / 10) * 10 + 5}]\n"
        f"set xrange [{pairs[0] / 1e6}:{pairs[-1] / 1e6}]\nset xtics ({tics})"
    )
    return (
        "<p>One map grows through 16 sizes. By its own account, when nothing is put off any more; peak: what it has at any moment, by the least "
        "that it has at any later one.</p>" + plotter.lines("", series, settings) + table.html()
    )


SECTIONS = [
    ("hold", "What must hold", bounds_section),
    ("rates", "Throughput", rates_section),
    ("scaling", "Threads", scaling_section),
    ("latency", "Latency", latency_section),
    ("paired", "Get beside find", paired_section),
    ("growth", "Growth", growth_section),
    ("stalled", "A reader who stays", stalled_section),
    ("overhead", "Bytes a pair", overhead_section),
]


def page(results):
    plotter, machine = Plotter(), results["machine"]
    made = [(key, title, make(results, plotter)) for key, title, make in SECTIONS]
    made = [m for m in made if m[2]]
    facts = [
        ("machine", f"{machine['cpu']}, {machine['cores']} cores, {size(machine['memory_bytes'])}, {machine['kernel']}, huge pages: {machine['huge_pages']}"),
        ("commit", machine["commit"]),
        ("compiler", f"{machine['compiler']} {machine['flags']}"),
        ("measured", f"{machine['date']}; seed {results['seed']:.0f}"),
    ]
    nav = "".join(f'<a href="#{key}">{title}</a>' for key, title, _ in made)
    body = "".join(f'<section id="{key}"><h2>{title}</h2>{content}</section>\n' for key, title, content in made)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>rcumap beside other maps</title><style>{STYLE}</style></head><body>\n"
        "<h1>rcumap beside other concurrent maps</h1>"
        '<p class="soft">Pairs of 16-byte keys and 32-byte values. One machine, one run: compare ratios, not absolute figures.</p>'
        f"<dl>{''.join(f'<dt>{k}</dt><dd>{text(v)}</dd>' for k, v in facts)}</dl><nav>{nav}</nav>\n{body}"
        "<footer>Made by bench/page.py from what bench/compare measured; doc/performance.md says how.</footer></body></html>\n"
    )


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: page.py RESULTS.json PAGE.html")
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(page(results))
    print(f"{sys.argv[2]}: written")


if __name__ == "__main__":
    main()

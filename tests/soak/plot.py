# SPDX-License-Identifier: Apache-2.0
"""Draws the figures of a soak over time as an SVG, one panel below another, with the trends that were judged. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from tests.soak.figures import Figures
from tests.soak.judging import MB, Finding, points, warm_from
from tests.soak.trend import Trend

WIDTH, LEFT, RIGHT = 900, 70, 20
PANEL, GAP, TOP, BOTTOM = 96, 34, 54, 34
COLOURS = ("#1f5fa8", "#c2571a", "#4a7d2c")
LEGEND = 160  # the width of a name
TICKS = 3
MOST_POINTS = 1800  # of a line: more than the picture has columns


@dataclass(frozen=True, slots=True)
class Panel:
    """Some figures of one unit."""

    title: str
    names: Mapping[str, str]
    """The figures, and their names in the legend."""
    scale: float = 1.0
    from_zero: bool = True


PANELS = (
    Panel("the daemon's own memory, MB", {"memory": "memory"}, MB, from_zero=False),
    Panel("descriptors and threads", {"descriptors": "descriptors", "threads": "threads"}),
    Panel("WAL, MB", {"wal": "WAL"}, MB),
    Panel("files, MB", {"ledger": "ledger", "log": "log", "transcripts": "transcripts"}, MB),
    Panel("loop lag in the last minute, ms", {"lag_p99": "99 %", "lag_p50": "median"}, 1e-3),
    Panel("cycle: median of the attempts that passed since the sample before, s", {"cycle": "cycle"}),
    Panel("units that passed", {"passed": "passed"}),
    Panel(
        "memory beside it, MB",
        {"resident": "daemon with shared files", "bench_memory": "bench", "pki_memory": "PKI"},
        MB,
    ),
    Panel("load of the machine in the last minute", {"load": "load"}),
)


def drawn(rows: Sequence[Figures], findings: Sequence[Finding], title: str) -> str:
    """The SVG document. A run without samples has none."""
    if not rows:
        raise ValueError("there is nothing to draw")
    height = TOP + len(PANELS) * (PANEL + GAP) + BOTTOM
    trends = {found.figure: found.trend for found in findings if found.trend is not None}
    bad = sum(not found.good for found in findings)
    verdict = "flat" if not bad else f"{bad} of {len(findings)} findings are bad"
    body = [
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}: {escape(verdict)}</text>',
    ]
    for number, panel in enumerate(PANELS):
        body += _panel(panel, rows, trends, TOP + number * (PANEL + GAP))
    body += _hours(rows[-1].seconds, height - BOTTOM - GAP + 16)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="11" fill="#222">\n' + "\n".join(body) + "\n</svg>\n"
    )


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where a moment and a value of a panel are in the picture."""

    seconds: float
    low: float
    high: float
    top: float

    def x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / (self.seconds or 1)

    def y(self, value: float) -> float:
        return self.top + PANEL * (self.high - value) / (self.high - self.low)


def _panel(panel: Panel, rows: Sequence[Figures], trends: Mapping[str, Trend], top: float) -> Iterator[str]:
    series = {name: [(at, value / panel.scale) for at, value in points(rows, name)] for name in panel.names}
    values = [value for line in series.values() for _, value in line] or [0.0]
    least = min(0.0, *values) if panel.from_zero else min(values)
    step = _step(max(values) - least)
    low = step * floor(least / step)
    axes = _Axes(rows[-1].seconds, low, max(low + step, step * ceil(max(values) / step)), top)
    yield f'<text x="{LEFT}" y="{top - 6}" font-weight="bold">{escape(panel.title)}</text>'
    yield from _grid(axes, step, rows)
    for number, (name, label) in enumerate(panel.names.items()):
        colour = COLOURS[number]
        if line := series[name]:
            yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="{_path(axes, line)}"/>'
        if (trend := trends.get(name)) is not None:
            yield _straight(axes, trend, panel.scale)
        if len(panel.names) > 1:
            x = WIDTH - RIGHT - LEGEND * (len(panel.names) - number)
            yield f'<rect x="{x}" y="{top - 11}" width="10" height="3" fill="{colour}"/>'
            yield f'<text x="{x + 14}" y="{top - 6}">{escape(label)}</text>'


def _grid(axes: _Axes, step: float, rows: Sequence[Figures]) -> Iterator[str]:
    begin = warm_from(rows)
    warm = axes.x(axes.seconds if begin is None else begin)
    yield f'<rect x="{LEFT}" y="{axes.top}" width="{warm - LEFT:.1f}" height="{PANEL}" fill="#f1f1f1"/>'
    for number in range(round((axes.high - axes.low) / step) + 1):
        value = axes.low + number * step
        y = axes.y(value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{round(value, 9):g}</text>'


def _path(axes: _Axes, line: Sequence[tuple[float, float]]) -> str:
    every = max(1, len(line) // MOST_POINTS)
    return " ".join(f"{axes.x(at):.1f},{axes.y(value):.1f}" for at, value in line[::every])


def _straight(axes: _Axes, trend: Trend, scale: float) -> str:
    begin, end = axes.seconds - trend.seconds, axes.seconds
    (x1, y1), (x2, y2) = ((axes.x(at), axes.y((trend.middle + trend.slope * at) / scale)) for at in (begin, end))
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#000" stroke-dasharray="5 3" '
        'stroke-width="0.8"/>'
    )


def _hours(seconds: float, y: float) -> Iterator[str]:
    step = _step(seconds / 60, ticks=8)
    axes = _Axes(seconds, 0, 1, 0)
    for number in range(floor(seconds / 60 / step) + 1):
        yield f'<text x="{axes.x(number * step * 60):.1f}" y="{y}" text-anchor="middle">{number * step:g}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{y + 14}" text-anchor="end">minutes; the warm-up is grey, a dashed line is a trend</text>'


def _step(span: float, ticks: int = TICKS) -> float:
    """A round number of which about so many are in the span."""
    rough = max(span, 1e-9) / ticks
    power = 10.0 ** floor(log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough)

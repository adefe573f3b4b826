"""Curves as one inline SVG."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ganlib.evaluation.page.axes import Iterations, limits, tick_text, ticks
from ganlib.evaluation.page.markup import e

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 340, 190, 46, 24, 8, 16
DOT = 2.5  # pixels, the radius of a curve of one point


class Curve(NamedTuple):
    """A line of a panel: the classes of its row, what it is called, its points."""

    classes: str
    name: str
    points: list[tuple[float, float]]


def panel(name: str, curves: Sequence[Curve], axis: Iterations) -> str:
    """A figure of curves over this axis."""
    low, high = limits([y for curve in curves for _, y in curve.points])
    values = [y for curve in curves for _, y in curve.points]
    cut = " <span>(a few outliers lie outside)</span>" if _outside(values, low, high) else ""
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        far = min(max((y - low) / (high - low), -5.0), 6.0)  # cut points stay near the frame
        return axis.place(x) * inner_width, (1 - far) * inner_height

    drawn = "".join(_line(curve, [place(x, y) for x, y in curve.points]) for curve in curves)
    axes = _axes(axis, low, high)
    summary = f"{name} over iterations. " + _summary(curves)
    return f"""<figure><figcaption><b>{e(name)}</b>{cut}</figcaption>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{e(summary)}">{axes}
<svg class="plot" x="{LEFT}" y="{TOP}" width="{inner_width + DOT}" height="{inner_height}"
 overflow="hidden">{drawn}</svg></svg></figure>"""


def _outside(values: Iterable[float], low: float, high: float) -> bool:
    return any(not low <= value <= high for value in values)


def _summary(curves: Sequence[Curve]) -> str:
    ends = [f"{curve.name}: {curve.points[-1][1]:.3g}" for curve in curves]
    return "Last values: " + "; ".join(ends) + "."


def _line(curve: Curve, places: Sequence[tuple[float, float]]) -> str:
    classes, title = curve.classes, f"<title>{e(curve.name)}</title>"
    if len(places) == 1:
        x, y = places[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{DOT}" class="{classes}">{title}</circle>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="{classes}" points="{points}">{title}</polyline>'


def _axes(axis: Iterations, low: float, high: float) -> str:
    parts, rows = [], ticks(low, high)
    for value in rows:
        y = TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM)
        text = tick_text(value, rows)
        parts.append(
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    for value, text in axis.ticks():
        x = LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>')
    return "".join(parts)

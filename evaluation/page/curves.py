"""Scores and losses over iterations: a panel each, as inline SVG."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ganlib.evaluation.comparison.reading import is_number
from ganlib.evaluation.comparison.runs import MEASURED, Run
from ganlib.evaluation.comparison.table import Column, Table
from ganlib.evaluation.page.axes import Iterations, iterations, limits, thin, tick_text, ticks
from ganlib.evaluation.page.style import e, key, labelled_runs

NOT_LOSSES = {"iteration", *MEASURED}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 340, 190, 46, 24, 8, 16
DOT = 2.5  # pixels, the radius of a curve of one point

Points = list[tuple[float, float]]


class Curve(NamedTuple):
    """A line of a panel: the classes of its row, what it is called, its points."""

    classes: str
    name: str
    points: Points


def curve_section(table: Table) -> str:
    """The panels below a legend; "" if there is nothing to draw."""
    # the table shows a single point as well
    panels = [p for p in _panels(table) if any(len(curve.points) > 1 for curve in p[1])]
    if not panels:
        return ""
    axis = iterations([curve.points for _, curves in panels for curve in curves])
    legend = "".join(f"<li>{key(table, row)}{e(row.title)}</li>" for row in table.rows)
    drawn = "\n".join(panel(name, curves, axis) for name, curves in panels)
    unequal = " Runs are of unequal length, and the axis is logarithmic." if axis.first else ""
    return f"""<h3>Scores and losses over iterations</h3>
<p>One line per training seed. Losses are means over the intervals of the log.{unequal}</p>
<ul class="legend">{legend}</ul>
<div class="panels">
{drawn}
</div>"""


def _panels(table: Table) -> list[tuple[str, list[Curve]]]:
    """Titles and curves: a panel for each score, and one for each loss."""
    runs = labelled_runs(table)
    scores = {n for _, _, run in runs for scored in run.evaluations for n, _ in scored.every()}
    lines = [line for _, _, run in runs for line in run.log]
    others = {n for line in lines for n in line if n not in NOT_LOSSES | scores}
    losses = sorted(others, key=lambda name: (not name.startswith("loss"), name))
    wanted = [(column.header, partial(_scores, column)) for column in table.columns]
    wanted += [(name, partial(_losses, name)) for name in losses]
    return [
        (title, [Curve(classes, name, xy) for classes, name, run in runs if (xy := of(run))])
        for title, of in wanted
    ]


def _scores(column: Column, run: Run) -> Points:
    scored = run.evaluations
    return [(float(e.iteration), score.value) for e in scored if (score := column.of(e))]


def _losses(name: str, run: Run) -> Points:
    pairs = [(line["iteration"], line[name]) for line in run.log if name in line]
    return thin([(float(x), float(y)) for x, y in pairs if is_number(y)])


def panel(name: str, curves: Sequence[Curve], axis: Iterations) -> str:
    """A figure of curves over this axis."""
    values = [y for curve in curves for _, y in curve.points]
    low, high = limits(values)
    outside = min(values) < low or max(values) > high
    cut = " <span>(a few outliers lie outside)</span>" if outside else ""
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        far = min(max((y - low) / (high - low), -5.0), 6.0)  # cut points stay near the frame
        return axis.place(x) * inner_width, (1 - far) * inner_height

    drawn = "".join(_line(curve, [place(x, y) for x, y in curve.points]) for curve in curves)
    axes = _axes(axis, low, high)
    ends = "; ".join(f"{curve.name}: {curve.points[-1][1]:.3g}" for curve in curves)
    summary = f"{name} over iterations. Last values: {ends}."
    return f"""<figure><figcaption><b>{e(name)}</b>{cut}</figcaption>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{e(summary)}">{axes}
<svg class="plot" x="{LEFT}" y="{TOP}" width="{inner_width + DOT}" height="{inner_height}"
 overflow="hidden">{drawn}</svg></svg></figure>"""


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

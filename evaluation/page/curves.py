"""Scores and losses over iterations, a panel each."""

from ganlib.evaluation.comparison.runs import MEASURED, Run
from ganlib.evaluation.comparison.table import Table
from ganlib.evaluation.comparison.values import is_number
from ganlib.evaluation.page.axes import iterations, thin
from ganlib.evaluation.page.markup import e, key, labelled_runs
from ganlib.evaluation.page.panel import Curve, panel

NOT_LOSSES = {"iteration", *MEASURED}


def curve_section(table: Table) -> str:
    """The panels below a legend; "" if there is nothing to draw."""
    panels = [*_score_curves(table), *_loss_curves(table)]
    panels = [(name, curves) for name, curves in panels if _over_time(curves)]
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


def _over_time(curves: list[Curve]) -> bool:
    """Whether some run has more than a point, which the table shows as well."""
    return any(len(curve.points) > 1 for curve in curves)


def _score_curves(table: Table) -> list[tuple[str, list[Curve]]]:
    panels = []
    for column in table.columns:
        curves = [
            Curve(classes, name, points)
            for classes, name, run in labelled_runs(table)
            if (
                points := [
                    (float(evaluation.iteration), score.value)
                    for evaluation in run.evaluations
                    if (score := evaluation.under(column.name, column.hash))
                ]
            )
        ]
        panels.append((column.header, curves))
    return panels


def _loss_curves(table: Table) -> list[tuple[str, list[Curve]]]:
    runs = labelled_runs(table)
    scores = {
        name for _, _, run in runs for scored in run.evaluations for name, _ in scored.every()
    }
    lines = [line for _, _, run in runs for line in run.log]
    names = dict.fromkeys(name for line in lines for name in line)
    return [
        (
            name,
            [
                Curve(classes, label, thin(points))
                for classes, label, run in runs
                if (points := _points(run, name))
            ],
        )
        for name in sorted(names, key=lambda name: (not name.startswith("loss"), name))
        if name not in NOT_LOSSES | scores
    ]


def _points(run: Run, name: str) -> list[tuple[float, float]]:
    pairs = [(line["iteration"], line[name]) for line in run.log if name in line]
    return [(float(x), float(y)) for x, y in pairs if is_number(y)]

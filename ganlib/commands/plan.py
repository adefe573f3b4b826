"""Say what a training will take before it begins: memory, time, disk, which card is enough."""

import json
from typing import TYPE_CHECKING, Any

import click

from ganlib.commands.options import shared
from ganlib.commands.train import CONTEXT, TrainCommand, config
from ganlib.common.errors import UserError

if TYPE_CHECKING:
    from ganlib.runs.plan import Plan


@click.command(cls=TrainCommand, context_settings=CONTEXT)
@config
@click.option(
    "--card",
    metavar="NAME",
    help="h100, a100, 4090, ..., or cpu for this one.  [default: what is here]",
)
@click.option(
    "--gpus",
    type=shared.AtLeast(1),
    default=1,
    help="So many share each batch, as under torchrun; memory is that of each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all numbers, as JSON.")
def command(card: str | None, gpus: int, as_json: bool, **values: Any) -> None:
    """Say what `train` with the same flags takes: memory, time and disk.

    The data are opened and one update is gone through with tensors that have no values, in seconds.
    """
    from ganlib.runs.plan import make_plan
    from ganlib.runs.run import gather

    if "," in (values["algorithm"] or ""):
        raise UserError("A plan is that of one run: give --algorithm one name.")
    settings = gather({name: v for name, v in values.items() if v not in (None, ())})
    plan = make_plan(settings, card, gpus)
    click.echo(json.dumps(plan.to_dict(), indent=2)) if as_json else _show(plan)


def _show(plan: "Plan") -> None:
    from ganlib.commands._tables import print_table
    from ganlib.commands.bench import number
    from ganlib.runs.grid import duration

    s, disk = plan.settings, plan.disk
    title = f"{s.run.algorithm} on {s.run.query.label}, batches of {s.algorithm.batch_size}"
    title += f", {s.run.precision}, {plan.card.name}"
    title += f", shared by {plan.gpus}" if plan.gpus > 1 else ""
    memory = [("networks", plan.weights), ("an update", plan.update), ("images", plan.data)]
    files = [("snapshots", disk.snapshots), ("pictures", disk.pictures), ("logs", disk.logs)]
    enough = "none of those known" if plan.fits is None else plan.fits.name
    lines = [
        ("memory", f"{plan.memory / 1e9:,.2f} GB", _parts(memory, 1e9)),
        ("an iteration", f"{number(1000 * plan.seconds)} ms", plan.known_by),
        (
            "training",
            duration(3600 * plan.hours),
            f"{plan.iterations:,} iterations, without scores",
        ),
        ("disk", f"{disk.total / 1e6:,.0f} MB", _parts(files, 1e6)),
        ("card", enough, "the smallest with a tenth and 0.5 GB to spare"),
    ]
    print_table(title, [("", "takes", "namely"), *lines], left=("namely",))


def _parts(parts: list[tuple[str, int]], unit: float) -> str:
    return ", ".join(f"{name} {nbytes / unit:,.2f}" for name, nbytes in parts)

"""Time the updates of algorithms on this machine."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError
from ganlib.common.io.console import say, stderr_console
from ganlib.common.io.files import MARK, output, write_text

if TYPE_CHECKING:
    from rich.console import Console

    from ganlib.speed.accelerate import Precision
    from ganlib.speed.bench import Mode, Row

FILE = "result/bench/%Y-%m-%d-%H%M%S.json"
"""Where the rows go, as strftime() takes it, unless another file is named."""
NAMES = ("algorithm", "mode", "precision")
HEADERS = ("it/s", "ms", "quartiles", "images/s", "TFLOP/s", "of ceiling", "memory", "warm-up")
CAPTION = (
    "An iteration is one generator update with its discriminator updates; ms is the median. "
    "images/s: real images taken from the data. TFLOP/s: convolutions and matrix products only; "
    "of ceiling: against a large matrix product of the same precision on this device."
)


@click.command()
@click.option(
    "-a",
    "--algorithm",
    multiple=True,
    metavar="NAME",
    help="May be repeated.  [default: every algorithm]",
)
@shared.device("the first one if there is one")
@click.option(
    "--mode",
    multiple=True,
    type=click.Choice(["eager", "compile", "graph", "graph+compile"]),
    help="May be repeated.  [default: eager, graph and graph+compile on a GPU; eager and compile "
    "on the CPU]",
)
@click.option(
    "--precision",
    multiple=True,
    type=click.Choice(["fp32", "tf32", "bf16"]),
    help="May be repeated.  [default: tf32 on a GPU, fp32 on the CPU]",
)
@click.option("--batch-size", metavar="N", help="Images in a batch.  [default: the algorithm's]")
@click.option("--size", type=shared.AtLeast(1), default=32, help="Side of the images in pixels.")
@click.option("--channels", type=shared.AtLeast(1), default=3, help="Of the images.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another setting of the algorithms, as n_dis=5; may be repeated.",
)
@click.option(
    "--at",
    type=shared.AtLeast(0),
    help="Number of the iteration, if what an iteration does depends on it.  [default: half of "
    "max_iter]",
)
@click.option(
    "--iterations", type=shared.AtLeast(2), help="To time.  [default: 50 on a GPU, 10 on the CPU]"
)
@shared.path_option(
    "--json",
    "file",
    help="A .json for all numbers, with versions and settings, to which each row is added as soon "
    "as it is measured.  [default: result/bench/DATE-TIME.json]",
)
@shared.force
@shared.plugin_dir
def command(
    algorithm: tuple[str, ...],
    gpu: int | None,
    device: str | None,
    mode: "tuple[Mode, ...]",
    precision: "tuple[Precision, ...]",
    batch_size: str | None,
    size: int,
    channels: int,
    settings: tuple[str, ...],
    at: int | None,
    iterations: int | None,
    file: Path | None,
    force: bool,
    plugin_dir: tuple[Path, ...],
) -> None:
    """Time the updates of algorithms on this machine, on random images in memory.

    Every mode is warmed up (compiling takes up to a minute or two the first time) and then timed
    iteration by iteration, on a GPU by its own clock.
    """
    file = file or Path(datetime.now().strftime(FILE))
    shared.check_file(file, (".json",), "the name of a .json file", force, "--json")

    from ganlib.registry import add_plugins, algorithms
    from ganlib.runs.settings import resolve
    from ganlib.speed import bench
    from ganlib.training.device.devices import pick_device

    add_plugins(*plugin_dir)
    place = pick_device(gpu, device)
    bench.check(place, mode, precision)
    values = dict(map(_pair, settings))
    if batch_size is not None:
        values["batch_size"] = batch_size
    works = []
    for name in algorithm or algorithms.names():
        config = resolve({"algorithm": name, **values}).algorithm
        works.append(bench.Work(name, algorithms[name], config, (channels, size, size), at))
    modes = mode or bench.MODES[place.type]
    usual: tuple[Precision, ...] = ("fp32",) if place.type == "cpu" else ("tf32",)
    precisions = precision or usual
    times = iterations or bench.ITERATIONS[place.type]
    with output(file):  # a wrong place shows before the work is done
        pass
    rows: list[Row] = []
    tell = partial(say, stderr_console())  # a bar would take time from what is measured
    head = {"software": MARK, **bench.report((), place)}
    total = len(works) * len(modes) * len(precisions)
    try:
        for row in bench.measure(works, place, modes, precisions, times, tell):
            rows.append(row)
            with output(file):
                record = {**head, "rows": [row.to_dict() for row in rows]}
                write_text(file, json.dumps(record, indent=2) + "\n")
            ms = 1000 * row.timing.seconds if row.timing else 0.0
            tell(f"{len(rows)} of {total}: {row.error or f'{number(ms)} ms an iteration'}")
    finally:  # of what is stopped too
        if rows:
            show(rows, f"{head['card']}, torch {head['environment']['torch']}")
            click.echo(file)
    raise SystemExit(1 if any(row.error for row in rows) else 0)


def _pair(text: str) -> tuple[str, str]:
    from ganlib.config import RunConfig

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"--set {text} is no NAME=VALUE, as n_dis=5.")
    name = name.strip().replace("-", "_")
    if name in RunConfig.model_fields:
        raise UserError(f"--set {name}: that is a setting of a run and not of an algorithm.")
    return name, value.strip()


def show(rows: "Sequence[Row]", title: str, console: "Console | None" = None) -> None:
    """Print a row per measurement."""
    from ganlib.commands._tables import print_table

    lines = [(row.work, row.mode, row.precision, *cells(row)) for row in rows]
    failed = [f"{r.work}, {r.mode}, {r.precision}: {r.error}" for r in rows if r.error]
    print_table(title, [(*NAMES, *HEADERS), *lines], [*failed, CAPTION], NAMES, console)


def cells(row: "Row") -> tuple[str, ...]:
    """The text below HEADERS; the first says so if there is no measurement."""
    t, rates = row.timing, row.rates
    if t is None or not rates:
        return ("failed", *("" for _ in HEADERS[1:]))
    return (
        number(rates["iterations_per_second"]),
        number(1000 * t.seconds),
        f"{number(1000 * t.low)} - {number(1000 * t.high)}",
        number(rates["images_per_second"]),
        number(rates["tflops"]),
        f"{100 * rates['share_of_ceiling']:.1f} %",
        f"{t.memory / 2**30:.2f} GiB",
        f"{t.warm_up:.0f} s",
    )


def number(value: float) -> str:
    """Three digits that count, and no exponent for a large number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

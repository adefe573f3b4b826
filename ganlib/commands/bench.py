"""Time the updates of algorithms on this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganlib.commands.options import shared as _common_options
from ganlib.commands.options.outputs import check_file, force
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.io.files import MARK, output

if TYPE_CHECKING:
    from rich.console import Console

    from ganlib.speed.bench import Mode, Row, Say, Work
    from ganlib.speed.precision import Precision


@dataclass(frozen=True)
class Asked:
    """The options of the command line."""

    algorithm: tuple[str, ...]
    gpu: int | None
    device: str | None
    mode: "tuple[Mode, ...]"
    precision: "tuple[Precision, ...]"
    batch_size: str | None
    size: int
    channels: int
    settings: tuple[str, ...]
    at: int | None
    iterations: int | None
    file: Path | None
    force: bool
    plugin_dir: tuple[Path, ...]


@click.command()
@click.option(
    "-a",
    "--algorithm",
    multiple=True,
    metavar="NAME",
    help="May be repeated.  [default: every algorithm]",
)
@_common_options.device("the first one if there is one")
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
@click.option("--size", default=32, show_default=True, help="Side of the images in pixels.")
@click.option("--channels", default=3, show_default=True, help="Of the images.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another setting of the algorithms, as n_dis=5; may be repeated.",
)
@click.option(
    "--at",
    type=int,
    metavar="N",
    help="Number of the iteration, if what an iteration does depends on it.  [default: half of "
    "max_iter]",
)
@click.option(
    "--iterations", type=int, metavar="N", help="To time.  [default: 50 on a GPU, 10 on the CPU]"
)
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .json for all numbers, with versions and settings.",
)
@force
@_common_options.plugin_dir
def command(**options: Any) -> None:
    """Time the updates of algorithms on this machine, on random images in memory.

    Every mode is warmed up (compiling takes up to a minute or two the first time) and then timed
    iteration by iteration, on a GPU by its own clock.
    """
    asked = Asked(**options)
    _check(asked)
    failed = _bench(asked)
    raise SystemExit(1 if failed else 0)


def _check(asked: Asked) -> None:
    """Refuse what is wrong on its own, before anything is loaded."""
    for flag, value, least in (
        ("--size", asked.size, 1),
        ("--channels", asked.channels, 1),
        ("--iterations", asked.iterations, 2),
        ("--at", asked.at, 0),
    ):
        if value is not None and value < least:
            raise UserError(f"{flag} is {value}; give at least {least}.")
    if asked.file is not None:
        check_file(asked.file, (".json",), "the name of a .json file", asked.force, "--json")


def _bench(asked: Asked) -> bool:
    """Everything in its order: check, measure, print, write. Whether a measurement failed."""
    from ganlib.commands._bench_table import show
    from ganlib.registry import add_plugins
    from ganlib.speed import bench
    from ganlib.training.device.devices import pick_device

    for folder in asked.plugin_dir:
        add_plugins(folder)
    device = pick_device(None, _common_options.chosen(asked.gpu, asked.device))
    bench.check(device, asked.mode, asked.precision)
    works = _works(asked)
    modes = asked.mode or bench.MODES[device.type]
    usual: tuple[Precision, ...] = ("fp32",) if device.type == "cpu" else ("tf32",)
    precisions = asked.precision or usual
    iterations = asked.iterations or bench.ITERATIONS[device.type]
    if asked.file is not None:
        with output(asked.file):  # a wrong place shows before the work is done
            pass
    rows: list[Row] = []
    with progress(stderr_console(), len(works) * len(modes) * len(precisions)) as say:
        for row in bench.measure(works, device, modes, precisions, iterations, say):
            rows.append(row)
    report = bench.report(rows, device)
    show(rows, f"{report['card']}, torch {report['environment']['torch']}")
    if asked.file is not None:
        _write(report, asked.file)
    return any(row.error for row in rows)


def _works(asked: Asked) -> "list[Work]":
    from ganlib.config import RunConfig
    from ganlib.registry import algorithms
    from ganlib.runs.settings import resolve
    from ganlib.speed.bench import Work

    given = dict(map(_pair, asked.settings))
    for name in given:
        if name in RunConfig.model_fields:
            raise UserError(f"--set {name}: that is a setting of a run and not of an algorithm.")
    if asked.batch_size is not None:
        given["batch_size"] = asked.batch_size
    image = (asked.channels, asked.size, asked.size)
    works = []
    for name in asked.algorithm or algorithms.names():
        config = resolve({"algorithm": name, **given}).algorithm
        works.append(Work(name, algorithms[name], config, image, asked.at))
    return works


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"--set {text} is no NAME=VALUE, as n_dis=5.")
    return name.strip().replace("-", "_"), value.strip()


@contextmanager
def progress(console: "Console", total: int) -> "Iterator[Say]":
    """What is being measured: a bar on a terminal, else a line each."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        refresh_per_second=2,  # drawing takes time from what is measured
    ) as bar:
        task = bar.add_task("", total=total + 1, completed=-1)  # the ceiling comes first

        def say(text: str) -> None:
            bar.update(task, description=text, advance=1)
            if not console.is_terminal:
                console.print(text, soft_wrap=True, highlight=False)

        yield say


def _write(report: dict[str, Any], path: Path) -> None:
    from ganlib.common.io.files import atomic

    with output(path), atomic(path) as temporary:
        text = json.dumps({"software": MARK, **report}, indent=2)
        temporary.write_text(text + "\n", "utf-8")
    click.echo(path)

"""Measure the workloads on this machine and bring the tables up to date:

python -m benchmarks.run [WORKLOAD]...
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.workloads import FID_NAME, LOADING_NAME, WORKLOADS, Workload, choose
from ganlib.__main__ import in_a_sentence

if TYPE_CHECKING:
    import torch

    from ganlib.speed.accelerate import Precision
    from ganlib.speed.bench import Mode

RESULTS = Path(__file__).parent / "results"
NAMES = [work.name for work in WORKLOADS]
results_option = click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the numbers go; the tables then stay as they are.  [default: results/]",
)


@click.command(help=f"Measure WORKLOADs, of {', '.join(NAMES)}, {FID_NAME}, {LOADING_NAME}.")
@click.argument("names", nargs=-1, metavar="[WORKLOAD]...")
@click.option("--device", help="cpu or cuda:0.  [default: the first GPU if there is one]")
@click.option(
    "--mode",
    multiple=True,
    type=click.Choice(["eager", "compile", "graph", "graph+compile"]),
    help="May be repeated.  [default: those of the device]",
)
@click.option(
    "--precision",
    multiple=True,
    type=click.Choice(["fp32", "tf32", "bf16"]),
    help="May be repeated.  [default: tf32 and bf16 on a GPU, fp32 on the CPU]",
)
@click.option("--iterations", type=click.IntRange(2), help="To time.")
@click.option("--fid-images", type=click.IntRange(2), default=50_000, show_default=True)
@results_option
@click.option(
    "--add",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Measure nothing, take over the results in FOLDER, write the tables.",
)
@click.option("--tables-only", is_flag=True, help="Measure nothing, write the tables.")
def command(
    names: tuple[str, ...],
    device: str | None,
    mode: "tuple[Mode, ...]",
    precision: "tuple[Precision, ...]",
    iterations: int | None,
    fid_images: int,
    results: Path | None,
    add: Path | None,
    tables_only: bool,
) -> None:
    """By default all that the device is for: on a CPU that is the quickstart alone."""
    from benchmarks import table

    if add is not None:
        take_over(add)
    elif not tables_only:
        _measure(names, device, mode, precision, iterations, fid_images, results or RESULTS)
    if results is not None:
        return
    if table.write(table.read(RESULTS)):
        click.echo(table.README)


def _measure(
    names: tuple[str, ...],
    device: str | None,
    mode: "tuple[Mode, ...]",
    precision: "tuple[Precision, ...]",
    iterations: int | None,
    fid_images: int,
    folder: Path,
) -> None:
    from ganlib.speed import bench
    from ganlib.training.device.devices import pick_device

    where = pick_device(None, device)
    gpu = where.type == "cuda"
    works = choose(tuple(name for name in names if name not in (FID_NAME, LOADING_NAME)))
    if not names:
        works = [work for work in WORKLOADS if gpu or work.quick]
    modes = mode or bench.MODES[where.type]
    usual: tuple[Precision, ...] = ("tf32", "bf16") if gpu else ("fp32",)
    bench.check(where, modes, precision)
    for work in works:
        n = iterations or bench.ITERATIONS[where.type]
        measure(work, where, modes, precision or usual, n, folder)
    if LOADING_NAME in names:
        keep(LOADING_NAME, {**bench.report([], where), "rows": list(_load())}, folder)
    if FID_NAME in names or (gpu and not names):
        keep(FID_NAME, {**bench.report([], where), "rows": _fid(where, fid_images)}, folder)


def measure(
    work: Workload,
    device: "torch.device",
    modes: "Sequence[Mode]",
    precisions: "Sequence[Precision]",
    iterations: int,
    folder: Path,
) -> None:
    """Print the rows of one workload; each is kept as soon as it is measured."""
    from ganlib.commands.bench import show
    from ganlib.speed import bench

    rows, made = list[bench.Row](), [work.work(work.name)]
    for row in bench.measure(made, device, modes, precisions, iterations, _say):
        rows.append(row)
        keep(work.name, bench.report(rows, device), folder)
    show(rows, work.title)


def keep(name: str, report: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Put a workload's report into its card's file, whose other workloads stay."""
    from ganlib.common.io.files import write_text

    card = report.pop("card")
    report["environment"].pop("command", None)  # names folders of the machine
    path = folder / f"{re.sub(r'[^a-z0-9]+', '_', card.lower()).strip('_')}.json"
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else {}
    folder.mkdir(parents=True, exist_ok=True)
    record = {"card": card, "runs": {**runs, name: report}}
    write_text(path, json.dumps(record, indent=2) + "\n")
    return path


def take_over(source: Path, folder: Path = RESULTS) -> None:
    """Put all results that lie in `source` into `folder` too."""
    from benchmarks import table

    for card, runs in table.read(source).items():
        for name, report in runs.items():
            keep(name, {**report, "card": card}, folder)


def _fid(device: "torch.device", n: int) -> list[dict[str, Any]]:
    from benchmarks.fid import time_fid
    from ganlib.evaluation.extractors.base import Options

    timed = []
    work = choose(("sngan_resnet",))[0].work(FID_NAME)
    fast = (Options(precision="tf32"), Options(None, "bf16", True))
    for options in (Options(), *(fast if device.type == "cuda" else ())):
        _say(f"{FID_NAME}, {options.precision}")
        fid = time_fid(work, device, options, n)
        _say(f"{fid.seconds:.1f} s, {fid.weights} weights of Inception")
        timed.append(asdict(fid))
    return timed


def _load() -> "Iterator[dict[str, Any]]":
    from benchmarks.loading import measure

    for rate in measure():
        _say(f"{rate.image[2]}x{rate.image[1]}, {rate.kind}: {rate.rate:,.0f} images/s")
        yield asdict(rate)


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    in_a_sentence(command)

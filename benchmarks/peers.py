"""Measure updates on this CPU beside those of other programs, in turn and in one process:

python -m benchmarks.peers FOLDER

FOLDER holds clones of the other programs' repositories; one that is missing is a row that says so.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import cycle, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from benchmarks.beside import PeerRow, Precision
from benchmarks.clones import Program, Update, biggan, collections, growing, mimicry, pix2pix
from benchmarks.run import RESULTS, keep, results_option
from benchmarks.workloads import PEERS_NAME, of, pairs, wgan_gp_resnet
from benchmarks.workloads import growing as growing_here
from ganlib.__main__ import in_a_sentence
from ganlib.common.errors import UserError
from ganlib.config import RunConfig
from ganlib.evaluation.extractors.base import has_arithmetic
from ganlib.speed import bench
from ganlib.speed.accelerate import accelerate
from ganlib.training.device.devices import keep_memory, use_cores

if TYPE_CHECKING:
    from ganlib.speed.bench import Work

CPU = torch.device("cpu")
UNTIMED = 2
"""Rounds before the first that counts."""
SIDE, PRODUCTS = 1024, 3
"""Of the matrices of a product, and how many a round times."""


@dataclass(frozen=True)
class Pair:
    """What ganlib does, and another program that does the same on batches of this size."""

    title: str
    work: "Callable[[str], Work]"
    peer: Program
    batch_size: int = 16
    n_dis: int = 2

    @property
    def name(self) -> str:
        """To choose it by."""
        return f"{self.title} ({self.peer.clone})"

    def ours(self, precision: Precision) -> Update:
        """ganlib's update, as a run does it."""
        work, sizes = self.work("peers"), {"batch_size": self.batch_size, "n_dis": self.n_dis}
        sizes = {k: n for k, n in sizes.items() if k in type(work.config).model_fields}
        work = replace(work, config=work.config.model_copy(update=sizes))
        updater, reasons = bench.assemble(work, CPU), list[str]()
        run = RunConfig(algorithm="peers", precision=precision, graph=False, compile=False)
        accelerate(updater, run, 1, reasons.append)
        turns = cycle(bench.steady(updater, work))

        def update() -> None:
            updater.iteration = next(turns)
            updater.update()

        return Update(update, tuple(updater.trained.values()))

    def theirs(self, folder: Path, precision: Precision) -> Update:
        """The other program's, in bfloat16 under autocast."""
        update = self.peer.update(folder, self.batch_size, self.n_dis)

        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16, precision == "bf16"):
                update.run()

        return update._replace(run=run)


COLLECTIONS = partial(Program, "pytorch-gan-collections", "w86763777")
MIMICRY = partial(Program, "mimicry", "kwotsin")
ZOO = partial(Program, "pytorch_GAN_zoo", "facebookresearch")
BIGGAN = partial(Program, "BigGAN-PyTorch", "ajbrock")
PIX2PIX = partial(Program, "pytorch-CycleGAN-and-pix2pix", "junyanz")
SNGAN_RESNET = of("sngan", architecture="resnet", loss="hinge")
PAIRS = (
    Pair("SNGAN ResNet 32x32", SNGAN_RESNET, COLLECTIONS(collections("sngan", "Res", "Hinge"))),
    Pair("SNGAN ResNet 32x32", SNGAN_RESNET, MIMICRY(mimicry("sngan", "SNGAN"))),
    Pair(
        "SNGAN CNN 32x32",
        of("sngan", architecture="sndcgan", loss="hinge"),
        COLLECTIONS(collections("sngan", "", "Hinge")),
    ),
    Pair(
        "WGAN-GP ResNet 32x32",
        wgan_gp_resnet,
        COLLECTIONS(collections("wgangp", "Res", "Wasserstein")),
    ),
    Pair("WGAN-GP ResNet 32x32", wgan_gp_resnet, MIMICRY(mimicry("wgan_gp", "WGANGP"))),
    Pair(
        "WGAN-GP CNN 32x32",
        of("wgan_gp", architecture="dcgan"),
        COLLECTIONS(collections("wgangp", "", "Wasserstein")),
    ),
    Pair(
        "BigGAN CIFAR ch16 32x32",
        of("biggan", architecture="cifar10", width=0.25),
        BIGGAN(biggan(16)),
    ),
    Pair("PGGAN 16x16", growing_here(16, 8), ZOO(growing(2)), 8, 1),
    Pair("pix2pix 256x256", pairs(1), PIX2PIX(pix2pix), 1, 1),
)


def measure(pair: Pair, folder: Path, precision: Precision, rounds: int) -> PeerRow:
    """Both updates in turn, and between them products of matrices in the same precision."""
    row = PeerRow(pair.title, pair.peer.clone, precision, pair.batch_size, pair.n_dis)
    try:
        theirs = pair.theirs(folder, precision)
    except UserError as error:
        return replace(row, error=str(error))
    ours = pair.ours(precision)
    flops = count(ours.run), count(theirs.run)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(2, SIDE, SIDE).to(dtype)

    def products() -> None:
        for _ in range(PRODUCTS):
            a @ b

    bodies = {"ours": ours.run, "products": products, "theirs": theirs.run}
    times: dict[str, list[float]] = {name: [] for name in bodies}
    for k in range(UNTIMED + rounds):
        for name in bodies if k % 2 else reversed(bodies):
            times[name].append(clock(bodies[name]))
    t_ours, t_products, t_theirs = (torch.tensor(times[name][UNTIMED:]) for name in bodies)
    least = flops[0] * t_products / (PRODUCTS * 2 * SIDE**3)
    quartiles = (t_theirs / t_ours).quantile(torch.tensor([0.25, 0.5, 0.75]))
    return replace(
        row,
        weights=(ours.weights, theirs.weights),
        flops=flops,
        seconds=(float(t_ours.median()), float(t_theirs.median())),
        ratio=tuple(quartiles.tolist()),
        ceiling=float((t_theirs / least).median()),
    )


def count(body: Callable[[], object]) -> int:
    """Operations in convolutions and matrix products."""
    counter = bench.Flops()
    with counter:
        body()
    return counter.total


def clock(body: Callable[[], object]) -> float:
    """Seconds; of a single thread those of the processor, which others do not lengthen."""
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = now()
    body()
    return now() - start


def name_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a row measures."""
    return row["title"], row["peer"], row["precision"], row["batch_size"], row["n_dis"]


@click.command(help="Measure ganlib beside the clones in FOLDER, on the CPU.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--only", multiple=True, metavar="TEXT", help="Rows with this in their name.")
@click.option(
    "--precision",
    multiple=True,
    type=click.Choice(["fp32", "bf16"]),
    help="May be repeated.  [default: fp32, and bf16 where the processor has it]",
)
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
@results_option
def command(
    folder: Path,
    only: tuple[str, ...],
    precision: tuple[Precision, ...],
    rounds: int,
    results: Path | None,
) -> None:
    """Rows that are not measured now stay as they are."""
    from benchmarks import table

    chosen = [p for p in PAIRS if not only or any(text in p.name for text in only)]
    if not chosen:
        raise UserError(f"No row is called so: {'; '.join(p.name for p in PAIRS)}.")
    use_cores()
    keep_memory()  # of both programs
    usual: tuple[Precision, ...] = ("fp32", "bf16") if has_arithmetic(CPU, "bf16") else ("fp32",)
    runs = table.read(results or RESULTS).get(bench.card(CPU), {})
    rows = {name_of(row): row for row in runs.get(PEERS_NAME, {"rows": ()})["rows"]}
    for kind, pair in product(precision or usual, chosen):
        row = measure(pair, folder.resolve(), kind, rounds)
        click.echo(" | ".join(row.cells), err=True)
        rows |= {name_of(asdict(row)): asdict(row)}
        report = {**bench.report([], CPU), "rows": list(rows.values())}
        keep(PEERS_NAME, report, results or RESULTS)
    if results is None and table.write(table.read(RESULTS)):
        click.echo(table.README)


if __name__ == "__main__":
    in_a_sentence(command)

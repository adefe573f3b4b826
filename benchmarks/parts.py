"""Take ganlib's updates of benchmarks.peers apart by PyTorch's profiler, on this CPU:

python -m benchmarks.parts

No clone is needed. Of each row: which share of the time convolutions and matrix products take, how
fast they are, and what passes over memory and small operations take beside them.
"""

from dataclasses import dataclass
from itertools import product

import click
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.beside import Precision
from benchmarks.clones import Update
from benchmarks.peers import CPU, PAIRS, PRODUCTS, SIDE, clock, count
from ganlib.__main__ import in_a_sentence
from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.writers import markdown
from ganlib.evaluation.extractors.base import has_arithmetic
from ganlib.training.device.devices import keep_memory, use_cores

MULTIPLYING = ("conv", "mm", "addmm", "bmm", "baddbmm", "linear")
"""How the names of operations begin that convolve or multiply matrices."""
SMALL = 20e-6
"""Seconds: what takes less is a small operation, most of which is not arithmetic."""


@dataclass(frozen=True)
class Parts:
    """Of an update: seconds of the operations of each kind, how many small ones there are, and how
    much faster than a matrix product's rate the multiplying ones are.
    """

    products: float
    passes: float
    small: float
    number: int
    rate: float

    @property
    def cells(self) -> tuple[str, ...]:
        """Shares; the rate; the part of a product's rate that the whole comes to."""
        whole = self.products + self.passes + self.small
        shares = [f"{part / whole:.0%}" for part in (self.products, self.passes, self.small)]
        return (
            *shares,
            f"{self.number:,}",
            f"{self.rate:.0%}",
            f"{self.rate * self.products / whole:.0%}",
        )


HEAD = ("products", "passes", "small operations", "of these", "products' rate", "of it")


def take_apart(update: Update, precision: Precision, rounds: int) -> Parts:
    """The medians of some updates, each beside matrix products in the same precision. The profiler
    gives shares; how long the whole takes is measured without it, as in benchmarks.peers.
    """
    flops = count(update.run)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(2, SIDE, SIDE).to(dtype)
    found = []
    for _ in range(rounds):
        one = clock(lambda: [a @ b for _ in range(PRODUCTS)])
        whole = clock(update.run)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            update.run()
        found.append([*seconds(profiled), whole, one])
    products, passes, small, number, whole, one = torch.tensor(found).median(0).values.tolist()
    multiplying = whole * products / (products + passes + small)
    rate = flops / multiplying / (PRODUCTS * 2 * SIDE**3 / one)
    return Parts(products, passes, small, int(number), rate)


def seconds(profiled: profile) -> tuple[float, float, float, int]:
    """Of the operations that multiply, of long ones, of small ones; and how many are small."""
    products = passes = small = 0.0
    number = 0
    for event in profiled.events() or ():  # type: ignore[no-untyped-call]
        taken = event.self_cpu_time_total / 1e6
        name = event.name.removeprefix("aten::").lstrip("_").removeprefix("mkldnn_")
        if event.name.startswith("aten::") and name.startswith(MULTIPLYING) and taken >= SMALL:
            products += taken
        elif taken >= SMALL:
            passes += taken
        else:
            small, number = small + taken, number + 1
    return products, passes, small, number


@click.command(help="Take ganlib's updates apart by PyTorch's profiler, on the CPU.")
@click.option("--only", multiple=True, metavar="TEXT", help="Rows with this in their name.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def command(only: tuple[str, ...], rounds: int) -> None:
    """One row for networks that several clones have."""
    use_cores()
    keep_memory()
    kinds: tuple[Precision, ...] = ("fp32", "bf16") if has_arithmetic(CPU, "bf16") else ("fp32",)
    chosen = {p.title: p for p in PAIRS if not only or any(text in p.name for text in only)}
    if not chosen:
        known = ", ".join(dict.fromkeys(p.name for p in PAIRS))
        raise UserError(f"No row has {' or '.join(only)} in its name; there are {known}.")
    rows = []
    for kind, pair in product(kinds, chosen.values()):
        update = pair.ours(kind)
        update.run()
        rows.append((pair.title, kind, *take_apart(update, kind, rounds).cells))
        click.echo(" | ".join(rows[-1]), err=True)
    click.echo(markdown(("work", "precision", *HEAD), rows))


if __name__ == "__main__":
    in_a_sentence(command)

"""What was measured beside other programs' clones: a row of it, and all of them as a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from ganlib.evaluation.comparison.writers import markdown

Precision = Literal["fp32", "bf16"]
GOAL = 2.0
"""Times as fast as another program, ..."""
NEAR = 0.9
"""... or this part of what a matrix product's rate would be, where that is less."""


@dataclass(frozen=True)
class PeerRow:
    """ganlib and a peer in one precision; of two numbers the first is ganlib's.

    weights: how many are trained. flops: in convolutions and matrix products of an iteration.
    seconds: an iteration's, medians. ratio: theirs over ours, lower quartile, median and upper
    quartile of rounds. ceiling: what it would be if ganlib did its flops at the rate of a matrix
    product. error: why there is nothing of this.
    """

    title: str
    peer: str
    precision: Precision
    batch_size: int
    n_dis: int
    error: str = ""
    weights: tuple[int, int] = (0, 0)
    flops: tuple[int, int] = (0, 0)
    seconds: tuple[float, float] = (0.0, 0.0)
    ratio: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ceiling: float = 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        """As HEADERS name them."""
        work = f"{self.title}, batch {self.batch_size}, n_dis {self.n_dis}"
        if self.error:
            return work, self.peer, self.precision, self.error, *[""] * 6
        low, middle, high = self.ratio
        bar = min(GOAL, NEAR * self.ceiling)
        return (
            *(work, self.peer, self.precision),
            *(both(self.weights, 1e6, 2), both(self.flops, 1e9, 0), both(self.seconds, 1e-3, 0)),
            *(f"**{middle:.2f}** ({low:.2f} - {high:.2f})", f"{bar:.2f}", f"{self.ceiling:.2f}"),
            f"{middle / self.ceiling:.0%}",
        )


HEADERS = (
    *("work", "beside", "precision", "weights, million", "GFLOP", "ms"),
    *("times as fast", "bar", "at a product's rate", "of it"),
)


def both(values: Iterable[float], unit: float, digits: int) -> str:
    """Ours and theirs in this unit."""
    return " / ".join(f"{value / unit:,.{digits}f}" for value in values)


def peers(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table of rows in plain types."""
    read = TypeAdapter(list[PeerRow]).validate_python(list(rows))
    return markdown(HEADERS, [row.cells for row in read], 3)

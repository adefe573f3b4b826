"""Figures over seeds, as the tables of the pages have them."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev


def figure(values: Sequence[float], digits: int = 2) -> str:
    """Mean +- standard deviation; of a single value the value alone."""
    spread = f" +- {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a line for each row."""
    lines = (headers, ["---"] * len(headers), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

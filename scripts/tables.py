"""Figures over seeds, as the tables of the pages have them."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev


def figure(values: Sequence[float], digits: int = 2) -> str:
    """Mean +- standard deviation; of a single value the value alone."""
    spread = f" +- {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def markdown(
    headers: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None
) -> str:
    """A table with a line for each row; what stands behind the first `words` columns are numbers,
    to the right.
    """
    rule = ["---:" if words is not None and k >= words else "---" for k in range(len(headers))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headers, rule, *rows))

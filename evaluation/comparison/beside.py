"""What real images and trivial translations reach, in a sentence each below the table."""

from collections.abc import Sequence

from ganlib.evaluation.comparison.figures import figures
from ganlib.evaluation.comparison.runs import REAL
from ganlib.evaluation.comparison.table import Column, Entry


def beside_notes(entries: Sequence[Entry], columns: Sequence[Column]) -> list[str]:
    """A sentence for each that stands beside some score, with its value in each column."""
    found: dict[str, list[str]] = {}
    for column in columns:
        scores = (scored and scored.under(column.name, column.hash) for _, scored in entries)
        # of one protocol, all have the same sources and truths
        first = next((score.beside for score in scores if score and score.beside), {})
        for name, value in first.items():
            found.setdefault(name, []).append(f"{column.title} {figures(value)}")
    return [f"What {_called(name)}: {', '.join(of)}." for name, of in found.items()]


def _called(name: str) -> str:
    return f"{name} reach" if name == REAL else f"the {name} itself reaches"

"""Scores as a table to print."""

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganlib.commands._terminal import table_console
from ganlib.common.printable import printable
from ganlib.evaluation import Origin, Score
from ganlib.evaluation.features import Extractor

NOTHING = "–"


def show(
    scores: Mapping[str, Score], title: str, caption: str, console: Console | None = None
) -> None:
    """Print a row per score: its value, of how many images, against which, under which protocol."""
    # not the table's own title, which is folded to the table's width
    heading = Text(printable(title), style="bold")
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("score", "value", "n", "reference", "protocol"):
        table.add_column(name, justify="right" if name in ("value", "n") else "left")
    for score in scores.values():
        table.add_row(*(Text(printable(cell)) for cell in _cells(score)))
    console = table_console(table, console)
    console.print(heading, soft_wrap=True)
    console.print(table)
    console.print(Text(printable(caption), style="dim"), soft_wrap=True)


def describe(origin: Origin, extractor: Extractor) -> str:
    """In a line what all the scores of a table have in common."""
    words = [f"features of '{extractor.name}' ({extractor.digest[:8]})"]
    words.append(f"precision {extractor.describe()['precision']}")
    if origin.weights != "given":
        words.append({"ema": "moving average of the weights"}.get(origin.weights, "raw weights"))
        words.append(f"BatchNorm's {origin.bn_mode} statistics")
        words.append(f"truncation {origin.truncation or 'none'}")
        words.append(f"seed {origin.seed}")
    if origin.source is not None:
        words.append(f"sources: {origin.source}")
    return ", ".join(words)


def _cells(score: Score) -> tuple[str, ...]:
    protocol = score.protocol
    spread = "" if score.std is None else f" ± {score.std:.2g}"
    against = NOTHING
    if protocol.n_reference is not None:
        against = f"{protocol.reference} ({protocol.n_reference:,})"
    beside = score.more.get("real")
    if beside is not None:
        spread += f" (real images {beside['value']:.4g})"
    mark = " rank_deficient" if protocol.rank_deficient else ""
    value = f"{score.value:.4g}{spread}"
    return score.name, value, f"{protocol.n_generated:,}", against, protocol.hash + mark

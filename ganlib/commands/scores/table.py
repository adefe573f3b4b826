"""Scores as a table to print."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from ganlib.commands._tables import print_table
from ganlib.common.io.console import printable
from ganlib.evaluation import Origin, Score
from ganlib.evaluation.comparison.runs import REAL
from ganlib.evaluation.comparison.table import figures
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.protocol import BASELINES

NOTHING = "–"
MEAN_IOU = "mean_iou"
LEFT = ("score", "reference", "protocol")


def show(
    scores: Mapping[str, Score], title: str, caption: str, console: Console | None = None
) -> None:
    """Print a row per score: its value, beside it those of trivial translations and of real images,
    if it has some, of how many images, against which, under which protocol. Below them the mean IoU
    of each class.
    """
    baselines = list(dict.fromkeys(name for score in scores.values() for name in _baselines(score)))
    titles = ("score", "value", *baselines, "n", "reference", "protocol")
    rows = [titles, *(_cells(score, baselines) for score in scores.values())]
    lines = [[Text(printable(cell)) for cell in row] for row in rows]
    by_class = [_by_class(scores[MEAN_IOU])] if MEAN_IOU in scores else []
    print_table(title, lines, [*by_class, caption], LEFT, console)


def describe(origin: Origin, extractor: Extractor | None) -> str:
    """In a line what all the scores of a table have in common; extractor: None where there are no
    features.
    """
    words = []
    if extractor is not None:
        words.append(f"features of '{extractor.name}' ({extractor.digest[:8]})")
        words.append(f"precision {extractor.describe()['precision']}")
    if origin.weights != "given":
        words.append({"ema": "moving average of the weights"}.get(origin.weights, "raw weights"))
        words.append(f"BatchNorm's {origin.bn_mode} statistics")
        words.append(f"truncation {origin.truncation or 'none'}")
        words.append(f"seed {origin.seed}")
    if origin.source is not None:
        words.append(f"sources: {origin.source}")
    return ", ".join(words)


def _by_class(score: Score) -> str:
    """In a line the score of each class, and that of real images."""
    theirs = score.more["real"]["by_class"]
    reached = {name: f" ({row['value']:.2f})" for name, row in theirs.items()}
    words = [
        f"{name} {row['value']:.2f}{reached.get(name, '')}"
        for name, row in score.more["by_class"].items()
    ]
    return f"{score.name} by class (real images): {', '.join(words)}"


def _baselines(score: Score) -> dict[str, float]:
    """What trivial translations reach, and real images."""
    real = {REAL: score.more["real"]["value"]} if "real" in score.more else {}
    return {**score.more.get(BASELINES, {}), **real}


def _cells(score: Score, baselines: Sequence[str]) -> tuple[str, ...]:
    protocol = score.protocol
    spread = "" if score.std is None else f" ± {score.std:.2g}"
    against = NOTHING
    if protocol.n_reference is not None:
        against = f"{protocol.reference} ({protocol.n_reference:,})"
    known = _baselines(score)
    others = [figures(known[name]) if name in known else NOTHING for name in baselines]
    mark = " rank_deficient" if protocol.rank_deficient else ""
    value = f"{figures(score.value)}{spread}"
    return score.name, value, *others, f"{protocol.n_generated:,}", against, protocol.hash + mark

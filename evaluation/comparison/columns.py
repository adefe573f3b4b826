"""Columns: which scores a table shows, in which order; those of several ways never share one."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ganlib.common.errors import UserError, did_you_mean
from ganlib.evaluation.comparison.runs import Recorded, Run
from ganlib.evaluation.comparison.table import Column, Entry
from ganlib.evaluation.protocol import deciding, differences, differing, plain

_FRECHET = re.compile(r"(fd|fid)(?![a-z])", re.IGNORECASE)
_METRICS = {
    "fid": "fid|fd",
    "fid_infinity": r"(fid|fd-[\w-]+)-infinity",
    "kid": "kid|kd",
    "cmmd": "c?mmd",
    "prdc": "precision|recall|density|coverage",
    "duplicates": "duplicates|nearest",
    "class_pr": "class-precision|class-recall",
    "class_accuracy": "class-accuracy",
}
"""The beginnings of what a metric's scores are called, where it is not the metric's own name."""

_FURTHER = re.compile(r"(ssim|gdl)-\d+|(mse|sharpness)-3", re.IGNORECASE)
"""Scores of predicted frames that are shown if they are asked for: they say little more than those
of the first and of the last frame.
"""


def further(names: Iterable[str]) -> list[str]:
    """The names of scores that no table shows without a choice, each once."""
    return [name for name in dict.fromkeys(names) if _FURTHER.fullmatch(name)]


def in_order(names: Iterable[str], choice: Sequence[str] = ()) -> list[str]:
    """Names of scores, each once: those that the words of `choice` mean, in its order; without a
    choice all but further ones, first Frechet distances, by which methods are ranked.
    """
    names = sorted(dict.fromkeys(names), key=lambda name: _FRECHET.match(name) is None)
    if not choice:
        return [name for name in names if not _FURTHER.fullmatch(name)]
    return list(dict.fromkeys(name for word in choice for name in names if _means(word, name)))


def check_choice(choice: Sequence[str], names: Iterable[str]) -> None:
    """UserError with the nearest name for a word that means none of these scores."""
    names = list(names)
    for word in choice:
        if not in_order(names, [word]):
            near = did_you_mean(word, dict.fromkeys(names))
            raise UserError(f"No run has a score '{word}'.{near}")


def _means(word: str, name: str) -> bool:
    """A score's name or how it begins, "FD-fashion10k", or a metric, "fid", in any case."""
    beginning = _METRICS.get(word.lower(), re.escape(word))
    after = "[a-z0-9]" if word[-1:].isdecimal() else "[a-z]"
    return re.match(f"({beginning})(?!{after})", name, re.IGNORECASE) is not None


def make_columns(entries: Sequence[Entry], split: bool, choice: Sequence[str] = ()) -> list[Column]:
    """A column per chosen score and hash, of one name first that of most runs; UserError for
    several hashes, unless split.
    """
    found: dict[str, dict[str, tuple[Run, Recorded]]] = {}
    times = Counter[tuple[str, str]]()
    for run, scored in entries:
        for name, score in scored.every() if scored else ():
            found.setdefault(name, {}).setdefault(score.hash, (run, score))
            times[name, score.hash] += 1
    columns = []
    for name in in_order(found, choice):
        (run, score), *others = found[name].values()
        if others and not split:
            other_run, other = others[0]
            why = differences(score.protocol, other.protocol)
            raise UserError(
                f"{name} of {run.path} and of {other_run.path} cannot share a column "
                f"({', '.join(why) or f'protocol {score.hash} against {other.hash}'}); evaluate "
                "them alike, or give --split for a column of each."
            )
        scores = sorted((s for _, s in found[name].values()), key=lambda s: -times[name, s.hash])
        fields = differing(deciding(one.protocol) for one in scores)
        for one in scores:
            words = [f"{field}: {plain(deciding(one.protocol).get(field))}" for field in fields]
            note = ", ".join(words) or (one.hash if others else "")
            columns.append(Column(name, one.hash, one.protocol, note, one.better))
    return columns

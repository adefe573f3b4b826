"""Which scores a table shows, and in which order."""

import re
from collections.abc import Iterable, Sequence

from ganlib.common.errors import UserError, did_you_mean

_FRECHET = re.compile(r"(fd|fid)(?![a-z])", re.IGNORECASE)
_METRICS = {
    "fid": "fid|fd",
    "kid": "kid|kd",
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


def is_chosen(name: str, choice: Sequence[str]) -> bool:
    """Whether a word of `choice` means this score; all are without a choice."""
    return not choice or any(_means(word, name) for word in choice)


def check_choice(choice: Sequence[str], names: Iterable[str]) -> None:
    """UserError with the nearest name for a word that means none of these scores."""
    names = list(names)
    for word in choice:
        if not any(_means(word, name) for name in names):
            near = did_you_mean(word, dict.fromkeys(names))
            raise UserError(f"No run has a score '{word}'.{near}")


def _means(word: str, name: str) -> bool:
    """A score's name or how it begins, "FD-fashion10k", or a metric, "fid", in any case."""
    beginning = _METRICS.get(word.lower(), re.escape(word))
    after = "[a-z0-9]" if word[-1:].isdecimal() else "[a-z]"
    return re.match(f"({beginning})(?!{after})", name, re.IGNORECASE) is not None

"""The errors that end in a sentence, and what of names stands in one."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches


class UserError(Exception):
    """Bad input. The command line prints the message as it is and exits with status 2."""


class StoppedError(Exception):
    """A run that had begun cannot go on. The command line prints the message and exits with
    status 1.
    """


class UnusableError(StoppedError):
    """No other run can go on in this process either."""


def one_line(error: Exception, longest: int = 160) -> str:
    """An error's message without line breaks, cut to so many characters."""
    return " ".join(str(error).split())[:longest]


def few(names: Sequence[str], shown: int = 3) -> str:
    """Names for a sentence: the first ones, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The nearest of `names` as a sentence that starts with a space, or the list of all of them."""
    names = sorted(names)
    if not names:
        return " There are none."
    near = nearest(name, names)
    return f" Did you mean '{near}'?" if near else f" There are: {', '.join(names)}."


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is meant, in any case of letters, the first by alphabet of several;
    None where none is close.
    """
    lower, asked = {other.lower(): other for other in names}, name.lower()
    # difflib takes letters that changed places for other letters
    close = [other for other in lower if sorted(other) == sorted(asked)]
    close += sorted(
        get_close_matches(asked, lower, cutoff=0.5),
        key=lambda other: (-SequenceMatcher(None, other, asked).ratio(), other),
    )
    return lower[close[0]] if close else None

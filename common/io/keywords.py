"""Sentences that name flags, for those who call from Python, where flags are keywords."""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from ganlib.common.errors import StoppedError, UserError

P = ParamSpec("P")
T = TypeVar("T")
SWITCHES = "back checkpoint-blocks compile flip force graph segmentation split sync-bn".split()
_WORDS = r"auto|cuda|edges|inception|mlp|quick|([a-z]+:)?[A-Z]+"
_VALUE = rf"=(?P<text>\S+)| (?P<number>[\d.]*\d)| (?P<word>{_WORDS})"
_FLAG = re.compile(rf"(?<![^\s(])--(?P<no>no-)?(?P<name>[a-z]+(-[a-z]+)*)({_VALUE})?")
"""A flag, with a value that can be known from the words of a sentence."""


def in_python(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, whose errors are spoken()."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (UserError, StoppedError) as error:
            error.args = (spoken(str(error)),)
            raise

    return call


def spoken(text: str) -> str:
    """A sentence that names flags, with the keywords that they are in Python where no command line
    is at work: --resume auto is resume="auto", --out is out=. Commands in backticks stay.
    """
    if click.get_current_context(silent=True) is not None:
        return text
    parts = re.split("(`[^`]*`)", text)
    return "".join(part if part[:1] == "`" else _FLAG.sub(_keyword, part) for part in parts)


def _keyword(flag: re.Match[str]) -> str:
    name, word = flag["name"].replace("-", "_"), flag["text"] or flag["word"]
    if flag["no"] or flag["name"] in SWITCHES:
        return f"{name}={not flag['no']}{' ' + word if word else ''}"
    if word:
        return f'{name}="{word}"'
    alone = flag.string[flag.end() :][:1] == ":" and flag["number"] is None
    return name if alone else f"{name}={flag['number'] or ''}"

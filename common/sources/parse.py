"""What --source says that a translation starts from: WORD, WORD:ARGUMENT, or the path of a folder.

A word goes before a folder of that name, whose path can start with "./".
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.io.files import reading
from ganlib.common.io.remote import place_of
from ganlib.common.registry import Registry, docstring, having

FOLDER = "FOLDER"


def _kinds(folder: Path) -> Iterable[tuple[str, Path]]:
    """Those of the files in `folder` that make sources, by each word that asks for them."""
    for _, file in having("make")(folder):
        ways, _ = _ways_and_what(docstring(file))
        yield from ((re.split(r"[\[:]", way)[0], file) for way in ways.split(", "))


def _ways_and_what(text: str) -> tuple[str, str]:
    ways, _, what = " ".join(text.partition("\n\n")[0].split()).partition(": ")
    return ways, what


sources: Registry[Callable[[str], Any]] = Registry(
    "source", "ganlib.common.sources", "make", _kinds, "ganlib.sources"
)


def described(word: str) -> tuple[str, str]:
    """How the source of this word is written, and what it is; it is not imported."""
    ways, what = _ways_and_what(sources.describe(word))
    return ways or f"{word}[:...]", what  # of an entry point nothing is known


def descriptions() -> dict[str, str]:
    """The same of all."""
    return dict(sorted(map(described, sources.names())))


def source_help() -> str:
    """What --source takes, for its help."""
    return (
        "What translations start from, by default what the data set has itself: "
        f"{'; '.join(descriptions())}. `ganlib data list` says what each is."
    )


def parse_source(text: str) -> Any:
    """The Source that `text` asks for, see common/query.py; UserError if there is none."""
    word, colon, _ = text.partition(":")
    if word == FOLDER or word not in sources.names():
        return sources[FOLDER](text)
    if colon and ":" not in described(word)[0]:
        raise UserError(f"The source '{word}' takes nothing after it, and this is '{text}'.")
    return sources[word](text)


def source_folder(text: str, path: str) -> Path:
    """The folder at `path`, of the source `text`; UserError if there is none."""
    folder = place_of(path)
    with reading(folder):
        if path and folder.is_dir():
            return folder
    if path != text:
        word = text.partition(":")[0]
        raise UserError(f"There is no folder '{path}': the source '{word}' is of a {word}:FOLDER.")
    words = (word for word in sources.names() if word != FOLDER)
    raise UserError(
        f"There is no source '{text}'.{did_you_mean(text, words)} The path of a folder of images "
        "is possible too."
    )

"""What --source says that a translation starts from: WORD, WORD:ARGUMENT, or the path of a folder.

    edges, grey, masked, masked:SEED, low-resolution:FACTOR    made of the images: see derived.py
    left, right            that half of each file, of which the other is the image
    FOLDER                 the images there, each of the name of the one that it belongs to
    label-maps:FOLDER      the same of files whose pixels are numbers of classes
    past:N, past:N:M       the N frames before the next one, or before the next M, of videos
    unpaired:NAME          any other data set, whose images belong to none
    own                    what the data set has itself

A word goes before a folder of that name, whose path can start with "./".
"""

import re
from typing import NamedTuple, TypeAlias

from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.io.files import expand, reading
from ganlib.common.sources import derived
from ganlib.common.sources.derived import Derivation
from ganlib.common.sources.pairs import Beside, SideBySide
from ganlib.common.sources.past import Past

ALONE = ("own", "edges", "grey", "left", "right")
WORDS = (*ALONE, "masked", "low-resolution", "label-maps", "past", "unpaired")


class Unpaired(NamedTuple):
    """Sources that are the images of another data set."""

    name: str


AskedSource: TypeAlias = Derivation | SideBySide | Beside | Past | Unpaired


def asked_source(text: str) -> AskedSource | None:
    """What `text` says, None for the data set's own sources; UserError if it is no source."""
    word, colon, argument = text.partition(":")
    if word not in WORDS:
        return _folder(text, text)
    if colon and word in ALONE:
        raise UserError(f"The source '{word}' takes nothing after it, and this is '{text}'.")
    match word:
        case "own":
            return None
        case "edges":
            return derived.draw_edges()
        case "grey":
            return derived.leave_colours()
        case "left" | "right":
            return SideBySide(word)
        case "masked":
            return derived.mask(_number(text, argument) if colon else 0)
        case "low-resolution":
            return derived.lower_resolution(_factor(text, argument))
        case "label-maps":
            return _folder(text, argument)._replace(kind="ids")
        case "past":
            return _past(text, argument)
    if not argument:
        raise UserError(f"The source '{text}' should name a data set, as in unpaired:emoji.")
    return Unpaired(argument)


def _folder(text: str, path: str) -> Beside:
    folder = expand(path)
    with reading(folder):
        if path and folder.is_dir():
            return Beside(folder)
    raise UserError(
        f"There is no source '{text}'.{did_you_mean(text, WORDS)} The path of a folder of images "
        "is possible too."
    )


def _number(text: str, argument: str) -> int:
    if not (argument.isascii() and argument.isdecimal() and len(argument) <= 18):
        raise UserError(f"The source '{text}' should end in a seed, as in masked:0.")
    return int(argument)


def _factor(text: str, argument: str) -> int:
    if argument not in map(str, derived.FACTORS):
        factors = ", ".join(map(str, derived.FACTORS))
        raise UserError(
            f"The source '{text}' should say how many times smaller it is, one of {factors}, as in "
            "low-resolution:4."
        )
    return int(argument)


def _past(text: str, argument: str) -> Past:
    if not re.fullmatch("[1-9][0-9]{0,3}(:[1-9][0-9]{0,3})?", argument):
        raise UserError(
            f"The source '{text}' should say how many frames are past, as in past:4, and perhaps "
            "how many are next, as in past:4:10."
        )
    return Past(*map(int, argument.split(":")))

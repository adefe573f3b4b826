"""What --source says that a translation starts from: WORD or WORD:ARGUMENT.

edges, grey, masked, masked:SEED, low-resolution:FACTOR    made of the images: see derived.py
"""

from ganlib.common import derived
from ganlib.common.derived import Derivation
from ganlib.common.errors import UserError, did_you_mean

WORDS = ("edges", "grey", "masked", "low-resolution")


def derivation(text: str) -> Derivation:
    """How the source that is called `text` is made of an image; UserError for what is none."""
    word, colon, argument = text.partition(":")
    if word not in WORDS:
        raise UserError(f"There is no source '{text}'.{did_you_mean(word, WORDS)}")
    if colon and word in ("edges", "grey"):
        raise UserError(f"The source '{word}' takes nothing after it, and this is '{text}'.")
    match word:
        case "edges":
            return derived.draw_edges()
        case "grey":
            return derived.leave_colours()
        case "masked":
            return derived.mask(_number(text, argument) if colon else 0)
        case _:
            return derived.lower_resolution(_factor(text, argument))


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

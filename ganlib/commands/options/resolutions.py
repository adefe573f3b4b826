"""`4,8,...,1024`: resolutions by number, with dots for what doubles."""

from ganlib.common.errors import UserError

DOTS = "..."
MOST = 8192


def resolutions(text: str) -> list[int]:
    """The numbers of a list, from the largest down; "..." stands for the doubles between its
    neighbours. UserError if `text` is no such list.
    """
    sides: list[int] = []
    words = [word.strip() for word in text.split(",")]
    for i, word in enumerate(words):
        if word == DOTS and 0 < i < len(words) - 1:
            sides += _doubles(text, _number(text, words[i - 1]), _number(text, words[i + 1]))
        else:
            sides.append(_number(text, word))
    return sorted(set(sides), reverse=True)


def _number(text: str, word: str) -> int:
    if not (word.isdecimal() and word.isascii() and len(word) < 6 and 0 < int(word) <= MOST):
        raise UserError(
            f"The resolutions {text!r} must be numbers in 1..{MOST} with commas between, such as "
            "4,8,16 or 4,8,...,1024."
        )
    return int(word)


def _doubles(text: str, first: int, last: int) -> list[int]:
    sides = [first]
    while sides[-1] < last:
        sides.append(2 * sides[-1])
    if sides[-1] != last:
        raise UserError(f"In the resolutions {text!r}, {first} doubled never is {last}.")
    return sides

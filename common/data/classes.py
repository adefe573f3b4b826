"""Classes as people call them: by name, by number, or by as much of the name as tells it apart."""

import re
from collections.abc import Sequence

from ganlib.common.errors import UserError, few

LISTED = 16  # names in a message; of more the rest is counted


def find_class(word: str | int, names: Sequence[str]) -> int:
    """The number of the class that `word` calls, by the first of these that any class fits:

    its name as it is written; in any case; its number; its name in small letters and digits with
    hyphens between them, so that "ankle-boot" is "Ankle boot"; how that begins; how a word of it
    begins, so that "boot" is it too. UserError if no class fits, or several do.
    """
    if isinstance(word, int):
        if not 0 <= word < len(names):
            raise UserError(_unknown(str(word), names))
        return word
    slug, slugs = _slug(word), [_slug(name) for name in names]
    ways = (
        [name == word for name in names],
        [name.casefold() == word.strip().casefold() for name in names],
        [word.strip() == str(k) for k in range(len(names))],
        [slug != "" and other == slug for other in slugs],
        [slug != "" and other.startswith(slug) for other in slugs],
        [slug != "" and f"-{slug}" in other for other in slugs],
    )
    for fits in ways:
        found = [k for k, fit in enumerate(fits) if fit]
        if len(found) > 1:
            several = _listed([names[k] for k in found], "or")
            raise UserError(f"The class '{word}' could be {several}: write more of the name.")
        if found:
            return found[0]
    raise UserError(_unknown(word, names))


def find_classes(words: Sequence[str], names: Sequence[str]) -> list[int]:
    """The numbers of the classes that these words call, in order; several may be in one word with
    commas between.
    """
    found: list[int] = []
    for word in words:
        try:
            found.append(find_class(word, names))  # whose name may have a comma in it
        except UserError:
            if "," not in word:
                raise
            found += [find_class(part, names) for part in word.split(",") if part.strip()]
    return found


def _unknown(word: str, names: Sequence[str]) -> str:
    numbers = tuple(names) == tuple(map(str, range(len(names))))
    more = "" if numbers else f", or their numbers 0 to {len(names) - 1}"
    return f"There is no class '{word}': there are {_listed(names, 'and')}{more}."


def _listed(names: Sequence[str], last: str) -> str:
    """ "a, b and c"; of many names the first ones, and how many more there are."""
    if len(names) > LISTED:
        return few(names, LISTED)
    *most, end = names
    return f"{', '.join(most)} {last} {end}" if most else end


def _slug(name: str) -> str:
    """Small letters and digits of any script, with a hyphen for whatever is between them."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")

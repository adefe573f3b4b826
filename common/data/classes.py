"""Classes as people call them: by name, by number, or by as much of the name as tells it apart; and
what samples may be asked to be of, classes in any form that a person has them, or sources.
"""

import re
from collections.abc import Sequence
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from ganlib.common.data.condition import Condition
from ganlib.common.data.spec import DataSpec
from ganlib.common.errors import UserError, few

Conditions = int | str | Sequence[int | str] | Tensor
"""A class by number or name (see find_class) for all samples; a list of them, or int64 (n,), one
for each; float (n, n_classes), how much of each class; or (n, C', H', W'), source images.
"""
LISTED = 16  # names in a message; of more the rest is counted


def find_class(word: str | int, names: Sequence[str]) -> int:
    """The number of the class that `word` calls, by the first of these that any class fits:

    its name as it is written; in any case; its number; its name in small letters and digits with
    hyphens between them, so that "ankle-boot" is "Ankle boot"; how that begins; how a word of it
    begins, so that "boot" is it too. UserError if no class fits, or several do.
    """
    if isinstance(word, Integral):
        if not 0 <= word < len(names):
            raise UserError(_unknown(str(word), names))
        return int(word)
    if not isinstance(word, str):
        raise UserError(_unknown(str(word), names))
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


def as_condition(
    y: Conditions, condition: Condition, spec: DataSpec, names: Sequence[str]
) -> int | Tensor:
    """y with names of classes as numbers and lists as tensors; UserError if the generator does not
    take it.
    """
    if names:
        return _classes(y, names)
    if condition is None:
        raise UserError("This generator is told nothing but its latents: leave y out.")
    channels = None if spec.source is None else spec.source[0]
    if not isinstance(y, Tensor) or y.dim() != 4 or y.shape[1] != channels:
        raise UserError(f"This generator translates images: give y as (n, {channels}, H, W).")
    return y


def _classes(y: Conditions, names: Sequence[str]) -> int | Tensor:
    if isinstance(y, str):
        return find_class(y, names)
    if isinstance(y, list | tuple):
        return torch.tensor([find_class(word, names) for word in y], dtype=torch.int64)
    if isinstance(y, np.ndarray):
        y = torch.from_numpy(y)
    n_classes = len(names)
    if isinstance(y, Tensor) and y.is_floating_point():
        if y.dim() != 2 or y.shape[1] != n_classes:
            raise UserError(f"y is {tuple(y.shape)}: give (n, {n_classes}), a column for a class.")
        return y
    classes = torch.as_tensor(y)
    if classes.dtype != torch.int64 or classes.dim() != int(isinstance(y, Tensor)):
        raise UserError(
            "y is no class: give a name or a number, a list of them, int64 (n,), or float "
            "(n, n_classes)."
        )
    if classes.numel() and not 0 <= int(classes.min()) <= int(classes.max()) < n_classes:
        raise UserError(f"y is {y}: there are classes 0 to {n_classes - 1}.")
    return y if isinstance(y, Tensor) else int(classes)


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

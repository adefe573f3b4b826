"""Classes on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganlib.common.errors import UserError

if TYPE_CHECKING:
    from ganlib.sampling.model import Model

NAMES = (
    "by its name in any case, its number, or as much of its name as no other class has: "
    "ankle-boot, boot"
)


def called(model: "Model", snapshot: Path, words: Sequence[str]) -> list[int]:
    """The classes that these words call, in order; UserError if there is no such class, or the
    generator of the snapshot has none.
    """
    from ganlib.common.data.classes import find_classes

    if words and not model.updater.classes:
        raise UserError(
            f"The generator of {snapshot} is told no classes, so there are none to ask for."
        )
    return find_classes(words, model.updater.classes)

"""How buffers are shared by the shares of a batch, which each change theirs."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from torch import Tensor

from ganlib.common.errors import UserError

Sharing = Literal["averaged", "equal", "own"]


class Shared(NamedTuple):
    """Buffers by what becomes of them at the end of an iteration.

    averaged: all shares go on with the mean. equal: every share has worked out the same, so nothing
    is done. own: each share goes on with its own, and a snapshot holds the first one's.
    """

    averaged: list[Tensor]
    equal: list[Tensor]
    own: list[Tensor]


def sort(buffers: Mapping[str, Tensor], shared: Mapping[str, Sharing]) -> Shared:
    """Buffers by how they are shared: as `shared` says of them or of the module that they are in,
    otherwise floating ones averaged and others equal.

    Raises UserError for a name that is no buffer's, and for a word that is none of the three.
    """
    for part, word in shared.items():
        if word not in get_args(Sharing):
            words = ", ".join(get_args(Sharing))
            raise UserError(f"shared['{part}'] is '{word}'; the words are {words}.")
        if not any(_within(name, part) for name in buffers):
            raise UserError(f"shared names '{part}', and no buffer is called so.")
    found = Shared([], [], [])
    for name, buffer in buffers.items():
        said = [word for part, word in shared.items() if _within(name, part)]
        default: Sharing = "averaged" if buffer.is_floating_point() else "equal"
        getattr(found, said[-1] if said else default).append(buffer)
    return found


def _within(name: str, part: str) -> bool:
    return f"{name}.".startswith(f"{part}.")

"""Images on their way to an extractor: checked, as uint8, in blocks of one length."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from common.errors import UserError
from common.pictures import to_uint8

BLOCK = 256
"""A network may give other last bits for other batch sizes, so it only ever sees this one."""
BEYOND = 2.0  # floats of larger size are no images in [-1, 1], even by a generator without tanh


def blocks(images: Iterable[Tensor], size: tuple[int, int] | None = None) -> Iterator[Tensor]:
    """Batches of any lengths as uint8 blocks (BLOCK, C, H, W); the last may be shorter.

    images: NCHW, uint8 or float in [-1, 1], C 1 or 3. size: the (H, W) that they must have.
    UserError for NaN or infinite values, other shapes, or batches of different shapes.
    """
    parts: list[Tensor] = []
    shape, held = None, 0
    for batch in images:
        _check_shape(batch, size)
        shape = shape or batch.shape[1:]
        if batch.shape[1:] != shape:
            raise UserError(
                f"The images are {_words(shape)} and then {_words(batch.shape[1:])}: bring them "
                "all to one size."
            )
        parts.append(as_uint8(batch))
        held += len(batch)
        if held >= BLOCK:
            whole = torch.cat(parts)
            *full, rest = torch.split(whole, BLOCK)
            if len(rest) == BLOCK:
                full, rest = [*full, rest], rest[:0]
            yield from full
            parts, held = [rest], len(rest)
    if held:
        yield torch.cat(parts)


def share(images: Iterable[Tensor], rank: int, world: int) -> Iterator[Tensor]:
    """The blocks of a whole stream that this rank of `world` scores: rank, rank + world, ..."""
    return islice(blocks(images), rank, None, world)


def as_uint8(x: Tensor) -> Tensor:
    """uint8 as it is; float in [-1, 1] rounded to it; UserError for what is neither."""
    if x.dtype == torch.uint8:
        return x
    if not x.is_floating_point():
        raise UserError(f"The images are {x.dtype}: give uint8, or floats in [-1, 1].")
    x = x.float()
    largest = float(x.abs().max()) if x.numel() else 0.0
    if not largest < torch.inf:  # of NaN too
        raise UserError("Some images hold NaN or infinite values: the generator has diverged.")
    if largest > BEYOND:
        raise UserError(f"The images reach {largest:.4g}: give uint8, or floats in [-1, 1].")
    return to_uint8(x)


def _check_shape(x: Tensor, size: tuple[int, int] | None) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise UserError(
            f"The images come as {tuple(x.shape)}: give batches (N, C, H, W) with 1 or 3 channels."
        )
    if size is not None and x.shape[2:] != size:
        raise UserError(
            f"The images are {_words(x.shape[1:])} and the reference's are {size[0]}x{size[1]}: "
            "bring both to one size."
        )


def _words(shape: torch.Size) -> str:
    return "x".join(map(str, shape))

"""What generators are given on a walk: points from stop to stop, and what they are told there."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ganlib.common.layers.embedding import one_hot
from ganlib.sampling.interpolation.paths import straight, walk
from ganlib.training.samples.sample_stream import Series

Space = Literal["z", "code"]


class Legs(NamedTuple):
    """path: latents or codes (legs, frames, ...). y: what is told at each of them, (legs, frames)
    or (legs, frames, ...), None if nothing is.
    """

    path: Tensor
    y: Tensor | None


def between_samples(series: Series, stops: Sequence[int], frames: int, space: Space) -> Legs:
    """From the sample of each of these numbers to the next: on spheres in the space of latents, or
    straight between codes. What they are told changes halfway, as categories do.
    """
    z, y = series.latents(stops)
    if space == "code":
        path = straight(series.code(z, y), frames)
    else:
        parts = zip(series.gen.split(z).values(), series.gen.parts, strict=True)
        path = torch.cat([walk(h, frames, part.kind) for h, part in parts], -1)
    if y is None:
        return Legs(path, None)
    second = torch.arange(frames, device=y.device) * 2 >= frames
    told = [torch.where(_beside(second, a), b, a) for a, b in zip(y[:-1], y[1:], strict=True)]
    return Legs(path, torch.stack(told))


def between_classes(
    series: Series, number: int, classes: Sequence[int], frames: int, space: Space
) -> Legs:
    """From each of these classes to the next at the latents of one sample: a generator is told of
    less and less of one class and more and more of the other. In the space of codes the way is
    straight too.
    """
    z, _ = series.latents([number])
    told = one_hot(torch.tensor(classes, device=z.device), len(series.sampler.classes), z)
    stops, y = series.given(z.expand(len(told), -1), told)
    path = straight(series.code(stops, y) if space == "code" else stops, frames)
    return Legs(path, None if y is None else straight(y, frames))


def _beside(mask: Tensor, like: Tensor) -> Tensor:
    """(frames,) in the shape that selects whole conditions like this one."""
    return mask.reshape(-1, *[1] * like.dim())

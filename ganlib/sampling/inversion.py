"""Codes of given images, found by optimisation from the best of random ones: Zhu et al. 2016,
https://arxiv.org/abs/1609.03552, section 3.2; for style-based generators Karras et al. 2020,
https://arxiv.org/abs/1912.04958, section 5.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.data.spec import resize_pixels
from ganlib.common.errors import UserError
from ganlib.common.generator import Part
from ganlib.common.io.console import progress
from ganlib.common.pictures import levels, to_uint8
from ganlib.evaluation.extractors.small import Classified
from ganlib.evaluation.pairs.pixels import psnr
from ganlib.sampling.codes import Space, code_of, images_of
from ganlib.training.samples.sample_stream import SampleStream

AT_ONCE = 256  # images
STEPS = 400
RATE = 0.2
"""Of Adam at first, in deviations of random codes; it falls to 0 in a line."""
WEIGHT = 0.1
"""Of features, where pixels have 1."""

Measure = tuple[float, Callable[[Tensor], Tensor]]
"""A weight, and what of images (n, C, H, W) in [-1, 1] is compared, (n, D)."""


class Inverted(NamedTuple):
    """Of n images: codes (n, ...), what the generator is told with them, (n, ...) or None, the
    images that come of both, float (n, C, H, W) in [-1, 1], and how near these are in dB, float64
    (n,).
    """

    codes: Tensor
    y: Tensor | None
    images: Tensor
    psnr: Tensor


class Start(NamedTuple):
    """Where the search for each of n images begins: the numbers of k samples, int64 (n, k), nearest
    first; and by each measure what counts for 1, float (n,): its weight, as a part of how far
    random samples are on average.
    """

    numbers: Tensor
    weights: list[Tensor]


def invert(
    stream: SampleStream,
    images: Tensor,
    *,
    space: Space = "z",
    steps: int = STEPS,
    classifier: Classified | None = None,
    candidates: int = 2048,
    starts: int = 4,
) -> Inverted:
    """Codes whose images are nearest to `images`, float (n, C, H, W) in [-1, 1] at the data's own
    size: latents, or in the space "code" what they become, or "layers" of it, one for each.

    For each image the `starts` best of so many samples of the stream are moved by Adam, and what
    comes of the best is kept. What is made less is the mean square in pixels plus WEIGHT times that
    in the classifier's features, if there is one, each as a part of what it is for random samples.

    UserError for images of another shape, and for a generator without latents.
    """
    given, wanted = ("x".join(map(str, s)) for s in (images.shape[1:], stream.spec.native))
    if given != wanted:
        raise UserError(f"The images are {given}, and the generator's {wanted}: resize them.")
    if not stream.gen.n_hidden or stream.config.translates:
        raise UserError("This generator starts from images, and has no latents to be found.")
    measures: list[Measure] = [(1.0, lambda x: x.flatten(1))]
    if classifier is not None:
        measures.append((WEIGHT, lambda x: classifier.through(levels(x)).pool))
    images = images.to(next(stream.gen.parameters()).device)
    found, each = list[Inverted](), max(1, AT_ONCE // starts)
    with progress("inverting", candidates + steps * len(images)) as advance:
        start = _nearest(stream, images, measures, candidates, starts, advance)
        for first in range(0, len(images), each):
            part = slice(first, first + each)
            own = Start(start.numbers[part], [weight[part] for weight in start.weights])
            found.append(_descend(stream, images[part], own, measures, space, steps, advance))
    codes, y, made, near = zip(*found, strict=True)
    told = None if y[0] is None else torch.cat(y)
    return Inverted(torch.cat(codes), told, torch.cat(made), torch.cat(near))


def _nearest(
    stream: SampleStream,
    images: Tensor,
    measures: list[Measure],
    candidates: int,
    starts: int,
    advance: Callable[[int], None],
) -> Start:
    """Where to begin for each image, by squares of pixels among the first samples."""
    wanted, gaps = [of(images) for _, of in measures], [list[Tensor]() for _ in measures]
    for first in range(0, candidates, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, candidates))
        made = stream.images(numbers)
        for own, (_, of), target in zip(gaps, measures, wanted, strict=True):
            found = of(made)
            own.append(torch.cdist(target, found).square() / found.shape[1])
        advance(len(made))
    all_gaps = [torch.cat(own, 1) for own in gaps]
    best = all_gaps[0].topk(min(starts, candidates), dim=1, largest=False).indices
    weights = [weight / gap.mean(1) for (weight, _), gap in zip(measures, all_gaps, strict=True)]
    return Start(best, weights)


def _descend(
    stream: SampleStream,
    images: Tensor,
    start: Start,
    measures: list[Measure],
    space: Space,
    steps: int,
    advance: Callable[[int], None],
) -> Inverted:
    n, k = start.numbers.shape
    numbers: list[int] = start.numbers.flatten().tolist()
    z, y = stream.latents(numbers)
    code = code_of(stream, z, y, space).detach().clone().requires_grad_()
    rate = RATE * float(code.detach().std())
    wanted = [of(images).repeat_interleave(k, 0) for _, of in measures]
    weights = [weight.repeat_interleave(k, 0) for weight in start.weights]
    moves, most = _limits(stream.gen.parts if space == "z" else [], z)
    adam = torch.optim.Adam([code], lr=rate)
    with stream.noise(numbers):
        for step in range(steps + 1):
            x = images_of(stream, code, y, space)
            parts = zip(measures, wanted, weights, strict=True)
            gaps = [w * (of(x) - target).square().mean(1) for (_, of), target, w in parts]
            loss = torch.stack(gaps).sum(0)
            if step == steps:
                break
            adam.param_groups[0]["lr"] = rate * (1 - step / steps)
            (slope,) = torch.autograd.grad(loss.sum(), code)
            code.grad = slope * moves
            adam.step()
            code.data.clamp_(-most, most)
            advance(n)
    best = loss.detach().reshape(n, k).argmin(1) + k * torch.arange(n, device=loss.device)
    made = x.detach()[best]
    near = psnr(to_uint8(made), to_uint8(images))
    return Inverted(code.detach()[best], None if y is None else y[best], made, near)


def _limits(parts: Sequence[Part], like: Tensor) -> tuple[Tensor, Tensor]:
    """Of each component of latents, 1 or 0, whether it moves, as categories do not, and how far
    from 0 it may be; without parts of all.
    """
    moves = [like.new_full((part.size,), part.kind != "category") for part in parts]
    most = [like.new_full((part.size,), 1 if part.kind == "uniform" else inf) for part in parts]
    return torch.cat(moves or [like.new_ones(1)]), torch.cat(most or [like.new_full((1,), inf)])


def fitted(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of an image, uint8 (C, H, W), in the proportion of a size, brought to it."""
    height, width = x.shape[1:]
    high, wide = (
        max(1, min(own, round(other * n / m)))
        for own, other, n, m in ((height, width, *size), (width, height, *size[::-1]))
    )
    top, left = (height - high) // 2, (width - wide) // 2
    return resize_pixels(x[None, :, top : top + high, left : left + wide], size)[0]

"""Differentiable augmentation of what a discriminator sees: Zhao et al. 2020.

https://arxiv.org/abs/2006.10738; sizes and ranges as in mit-han-lab/data-efficient-gans,
DiffAugment_pytorch.py. An operation takes images x (N, C, H, W) in [-1, 1] and u (N, 2), two
numbers from U(0, 1) for each image, and returns images of the same shape; it is differentiable in
x, twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ganlib.common.override import override

Operation = Callable[[Tensor, Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)

DRAWS = 3
"""Random numbers for one image and one operation: two for it and one that decides if it happens."""


def brightness(x: Tensor, u: Tensor) -> Tensor:
    """x + U(-0.5, 0.5)."""
    return x + _per_image(u[:, 0] - 0.5, x)


def saturation(x: Tensor, u: Tensor) -> Tensor:
    """The distance of each pixel from its mean over the channels, times U(0, 2)."""
    grey = x.mean(1, keepdim=True)
    return grey + (x - grey) * _per_image(2 * u[:, 0], x)


def contrast(x: Tensor, u: Tensor) -> Tensor:
    """The distance from the mean of the whole image, times U(0.5, 1.5)."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * _per_image(u[:, 0] + 0.5, x)


def translation(x: Tensor, u: Tensor) -> Tensor:
    """Moved down and right by whole pixels, up to an eighth of each side; 0 where nothing was.

    An eighth is rounded to the nearest pixel, half of one up: 4 of 28.
    """
    for axis in (2, 3):
        side = x.shape[axis]
        reach = (side + 4) // 8
        shift = _integer(u[:, axis - 2], -reach, reach)
        source = torch.arange(side, device=x.device) - shift[:, None]
        inside = (source >= 0) & (source < side)
        # gather and not grid_sample, which has no second derivative
        moved = torch.take_along_dim(x, _along(source.clamp(0, side - 1), axis), axis)
        x = moved.masked_fill(~_along(inside, axis), 0)
    return x


def cutout(x: Tensor, u: Tensor) -> Tensor:
    """A rectangle of half of each side, rounded up, set to 0; its centre lies anywhere in the
    image.
    """
    hidden = None
    for axis in (2, 3):
        side = x.shape[axis]
        size = (side + 1) // 2
        first = _integer(u[:, axis - 2], 0, side - size % 2) - size // 2
        position = torch.arange(side, device=x.device)
        inside = (position >= first[:, None]) & (position < first[:, None] + size)
        hidden = _along(inside, axis) if hidden is None else hidden & _along(inside, axis)
    assert hidden is not None
    return x.masked_fill(hidden, 0)


def flip(x: Tensor, u: Tensor) -> Tensor:
    """Mirrored left to right with probability 1/2."""
    return torch.where(u[:, 0, None, None, None] < 0.5, x.flip(3), x)


POLICIES: dict[str, tuple[Operation, ...]] = {
    "color": (brightness, saturation, contrast),
    "translation": (translation,),
    "cutout": (cutout,),
}


def augment(
    x: Tensor, u: Tensor, operations: Sequence[Operation], p: Tensor | float = 1.0
) -> Tensor:
    """x after the K operations in their order, each on each image with probability p.

    x: (N, C, H, W); u: (N, K, DRAWS) ~ U(0, 1).
    """
    for k, operation in enumerate(operations):
        happens = u[:, k, 2] < p
        x = torch.where(happens[:, None, None, None], operation(x, u[:, k]), x)
    return x


def augment_input(network: Network, policies: Sequence[str]) -> Network:
    """Make `network` see augmented images in training mode, with numbers drawn at each call.

    Its first argument is augmented on the way into `features`, if it has that (forward must then
    go through it), else into forward. The network is changed in place: it gets a subclass of its
    class, so that its parameters keep their names. Returns `network`.
    """
    operations = [operation for name in policies for operation in POLICIES[name]]
    features = getattr(network, "features", None)
    if features is None:
        _augment_before(network, "forward", operations)
    elif isinstance(features, nn.Module):
        _augment_before(features, "forward", operations)
    else:
        _augment_before(network, "features", operations)
    return network


def _augment_before(module: nn.Module, method: str, operations: Sequence[Operation]) -> None:
    original = getattr(type(module), method)

    def augmented(self: nn.Module, x: Tensor, *more: Any, **named: Any) -> Any:
        if self.training:
            u = torch.rand(len(x), len(operations), DRAWS, device=x.device)
            x = augment(x, u, operations)
        return original(self, x, *more, **named)

    override(module, {method: augmented})


def _per_image(value: Tensor, x: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1) in the images' precision."""
    return value.to(x.dtype)[:, None, None, None]


def _integer(u: Tensor, low: int, high: int) -> Tensor:
    """low, ..., high, each as likely, from U(0, 1)."""
    return low + (u * (high - low + 1)).long().clamp(max=high - low)


def _along(values: Tensor, axis: int) -> Tensor:
    """(N, side) for the pixels of axis 2 or 3: (N, 1, side, 1) or (N, 1, 1, side)."""
    return values[:, None, :, None] if axis == 2 else values[:, None, None, :]

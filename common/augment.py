"""Differentiable augmentation of what a discriminator sees: Zhao et al. 2020.

https://arxiv.org/abs/2006.10738; sizes and ranges as in mit-han-lab/data-efficient-gans,
DiffAugment_pytorch.py. An operation takes images x (N, C, H, W) in [-1, 1] and u (N, 2), two
numbers from U(0, 1) for each image, and returns images of the same shape; it is differentiable in
x, twice. One that moves pixels takes `cells` too: down and across, into how many equal parts it
takes the image, by default its pixels. It then does the same to images of different sizes.

The other pipeline, of ADA, is in ada.py; networks see either on their way to the first layer.

Adaptive augmentation: the probability p of augmenting follows from what D thinks of real images.
Karras et al. 2020, https://arxiv.org/abs/2006.06676, section 3 with r_t. It is all on the device:
no update waits for the host.
"""

from collections.abc import Callable, Sequence
from math import gcd
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.layers.basic import override

Operation = Callable[..., Tensor]
Cells = tuple[int, int]
Network = TypeVar("Network", bound=nn.Module)

DRAWS = 3
"""Random numbers for one image and one operation: two for it and one that decides if it happens."""
EVERY = 4
"""Minibatches of real images after which p is moved."""


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


def translation(x: Tensor, u: Tensor, cells: Cells | None = None) -> Tensor:
    """Moved down and right by whole cells, up to an eighth of each side; 0 where nothing was.

    An eighth is rounded to the nearest cell, half of one up: 4 of 28.
    """
    for axis, n in zip((2, 3), cells or x.shape[2:], strict=True):
        side = x.shape[axis]
        reach = (n + 4) // 8
        shift = _integer(u[:, axis - 2], -reach, reach) * (side // n)
        source = torch.arange(side, device=x.device) - shift[:, None]
        inside = (source >= 0) & (source < side)
        # gather and not grid_sample, which has no second derivative
        moved = torch.take_along_dim(x, _along(source.clamp(0, side - 1), axis), axis)
        x = moved.masked_fill(~_along(inside, axis), 0)
    return x


def cutout(x: Tensor, u: Tensor, cells: Cells | None = None) -> Tensor:
    """A rectangle of half of each side, rounded up, is 0; its centre lies anywhere in the image."""
    hidden = None
    for axis, n in zip((2, 3), cells or x.shape[2:], strict=True):
        side = x.shape[axis]
        size = (n + 1) // 2
        first = _integer(u[:, axis - 2], 0, n - size % 2) - size // 2
        position = torch.arange(side, device=x.device) // (side // n)
        inside = (position >= first[:, None]) & (position < first[:, None] + size)
        hidden = _along(inside, axis) if hidden is None else hidden & _along(inside, axis)
    assert hidden is not None
    return x.masked_fill(hidden, 0)


def flip(x: Tensor, u: Tensor, cells: Cells | None = None) -> Tensor:
    """Mirrored left to right with probability 1/2."""
    return torch.where(u[:, 0, None, None, None] < 0.5, x.flip(3), x)


POLICIES: dict[str, tuple[Operation, ...]] = {
    "color": (brightness, saturation, contrast),
    "translation": (translation,),
    "cutout": (cutout,),
}


GEOMETRY: tuple[Operation, ...] = (translation, cutout, flip)
"""The operations that move pixels; the others are of colour."""


def augment(
    x: Tensor, u: Tensor, operations: Sequence[Operation], p: Tensor | float = 1.0
) -> Tensor:
    """x after the K operations in their order, each on each image with probability p.

    x: (N, C, H, W); u: (N, K, DRAWS) ~ U(0, 1).
    """
    for k, operation in enumerate(operations):
        x = torch.where(_happens(u[:, k], p), operation(x, u[:, k]), x)
    return x


def augment_pair(
    x: Tensor, y: Tensor, u: Tensor, operations: Sequence[Operation], p: Tensor | float = 1.0
) -> tuple[Tensor, Tensor]:
    """augment(x, u, operations, p), and y moved as x was: colour is x's alone.

    y: (N, C', H', W'), images or a map of integers, in which 0 takes the place of what is not seen.
    Both are cut in the smallest cells that are whole pixels of each, so they are moved by the same
    part of their sides; of equal sizes that is a pixel. Raises UserError where a side has fewer
    than 8 such cells, an eighth of it then being none.
    """
    cells = _common_cells(x, y)
    for k, operation in enumerate(operations):
        happens, numbers = _happens(u[:, k], p), u[:, k]
        if operation in GEOMETRY:
            x = torch.where(happens, operation(x, numbers, cells), x)
            y = torch.where(happens, operation(y, numbers, cells), y)
        else:
            x = torch.where(happens, operation(x, numbers), x)
    return x, y


def augment_input(
    network: Network, policies: Sequence[str], p: Tensor | float = 1.0, ada: Sequence[str] = ()
) -> Network:
    """Make `network` see augmented images in training mode, with numbers drawn at each call.

    Its first argument is augmented on the way into `features`, if it has that (forward must then
    go through it), else into forward: by these groups of ada.py, if any are given, else by
    `policies`. p: the probability of each operation on each image, 0-dim; a tensor is a buffer from
    now on (see probability_of), that of snapshots too, and of `ada` a number is a buffer as well.
    The network is changed in place: it gets a subclass of its class, so that its parameters keep
    their names. Returns `network`.
    """
    features = getattr(network, "features", None)
    if isinstance(features, nn.Module):
        _augment_before(features, "forward", policies, p, ada)
    else:
        _augment_before(network, "features" if features else "forward", policies, p, ada)
    return network


def augment_inputs(
    network: Network, policies: Sequence[str], p: Tensor | float = 1.0, ada: Sequence[str] = ()
) -> Network:
    """As augment_input, for a network that is given an image beside x: always into forward, whose
    second argument is moved as x is if it is an image or a map, (N, C', H', W') of more than one
    pixel, and left alone if it is anything else.
    """
    _augment_before(network, "forward", policies, p, ada)
    return network


def probability_of(network: nn.Module) -> Tensor:
    """The p of augment_input, as it is in the network: what is written there counts from now on."""
    return next(b for name, b in network.named_buffers() if is_probability(name))


def is_probability(name: str) -> bool:
    """Whether a buffer of this name, whatever it lies in, is one that probability_of finds."""
    return name.rpartition(".")[2] == _P


class Adaptation(NamedTuple):
    """ps: the probability, 0-dim in [0, 1], as each discriminator has it. counts: (4,), since p was
    last moved, over all shares of the batch: the sum of the logits' signs, how many logits, real
    images and minibatches.

    target: of r_t, the mean sign. images: after how many p comes from 0 to 1.
    """

    ps: Sequence[Tensor]
    counts: Tensor
    target: float
    images: int

    @torch.no_grad()
    def note(self, logits: Tensor, shares: int) -> None:
        """Count a minibatch's logits (N, ...), of which this is one of so many equal shares.

        What the shares have counted is averaged after an iteration, so each counts for all.
        """
        self.counts[0].add_(logits.sign().sum(), alpha=shares)
        self.counts[1].add_(logits.numel() * shares)
        self.counts[2].add_(len(logits) * shares)
        self.counts[3].add_(1)

    @torch.no_grad()
    def move(self) -> dict[str, Tensor]:
        """After an iteration: move p if EVERY minibatches were counted; p and r_t, to log.

        The paper keeps p from below 0 alone. Above 1 nothing would be augmented more often, only
        later less often: p stays in [0, 1].
        """
        signs, logits, images, batches = self.counts.unbind()
        r = signs / logits.clamp(min=1)
        due = batches >= EVERY
        step = torch.sign(r - self.target) * images / self.images
        for p in self.ps:
            p.add_(step.masked_fill(~due, 0)).clamp_(0, 1)
        self.counts.masked_fill_(due, 0)
        return {"ada_p": self.ps[0].clone(), "ada_r": r}


def is_of_adaptation(name: str) -> bool:
    """Whether a buffer of this name is in an updater for the sake of adaptation alone."""
    return name == "ada_seen" or is_probability(name)


_P = "ada_p"
_FILTERS = ("ada_sym6", "ada_bands")


def _augment_before(
    module: nn.Module,
    method: str,
    policies: Sequence[str],
    p: Tensor | float,
    ada: Sequence[str],
) -> None:
    operations = [operation for name in policies for operation in POLICIES[name]]
    original = getattr(type(module), method)
    if isinstance(p, Tensor):
        module.register_buffer(_P, p)
    elif ada:
        module.register_buffer(_P, torch.tensor(p), persistent=False)
    if ada:
        from ganlib.common import ada as pipeline  # which most runs do without

        for name, taps in zip(_FILTERS, pipeline.filters(), strict=True):
            module.register_buffer(name, taps, persistent=False)

    def seen(self: nn.Module, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        now = getattr(self, _P, p)
        if ada:
            sym6, bands = map(self.get_buffer, _FILTERS)
            return pipeline.augment_ada(x, y, ada, now, sym6, bands)
        u = torch.rand(len(x), len(operations), DRAWS, device=x.device)
        if y is None:
            return augment(x, u, operations, now), None
        return augment_pair(x, y, u, operations, now)

    def augmented(self: nn.Module, x: Tensor, *more: Any, **named: Any) -> Any:
        if not self.training:
            return original(self, x, *more, **named)
        if more and _is_image(more[0]):
            x, y = seen(self, x, more[0])
            return original(self, x, y, *more[1:], **named)
        if _is_image(named.get("y")):
            x, named["y"] = seen(self, x, named["y"])
        else:
            x, _ = seen(self, x, None)
        return original(self, x, *more, **named)

    override(module, {method: augmented})


def _happens(u: Tensor, p: Tensor | float) -> Tensor:
    """(N, 1, 1, 1) bool, of one operation's numbers (N, DRAWS)."""
    return (u[:, 2] < p)[:, None, None, None]


def _is_image(y: Any) -> bool:
    return isinstance(y, Tensor) and y.dim() == 4 and y.shape[2:] != (1, 1)


def _common_cells(x: Tensor, y: Tensor) -> Cells:
    """Down and across, the most parts of a whole number of pixels of both images."""
    down, across = (gcd(a, b) for a, b in zip(x.shape[2:], y.shape[2:], strict=True))
    if min(down, across) < 8 and x.shape[2:] != y.shape[2:]:
        raise UserError(
            f"Images of {tuple(x.shape[2:])} and {tuple(y.shape[2:])} pixels cannot be moved by "
            "the same eighths of their sides: give sizes that are multiples of one another."
        )
    return down, across


def _per_image(value: Tensor, x: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1) in the images' precision."""
    return value.to(x.dtype)[:, None, None, None]


def _integer(u: Tensor, low: int, high: int) -> Tensor:
    """low, ..., high, each as likely, from U(0, 1)."""
    return low + (u * (high - low + 1)).long().clamp(max=high - low)


def _along(values: Tensor, axis: int) -> Tensor:
    """(N, side) for the pixels of axis 2 or 3: (N, 1, side, 1) or (N, 1, 1, side)."""
    return values[:, None, :, None] if axis == 2 else values[:, None, None, :]

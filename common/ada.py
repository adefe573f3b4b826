"""The augmentations of ADA: Karras et al. 2020, https://arxiv.org/abs/2006.06676, appendix B.

All are differentiable twice in the image and leave the rest alone with p = 0, within 1e-5. What
moves pixels is one affine map of them, read from the image at twice its size (filter sym6) with
bilinear weights, and brought back to its size; the image goes on beyond its sides as its mirror
image, without end. So there is no margin that would depend on the numbers drawn, and no wait for
the host. Channels: any; hue is for three.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GROUPS = ("blit", "geometry", "color", "filter", "noise", "cutout")
SYM6 = (
    *(0.015404109327, 0.003490712084, -0.117990111148, -0.048311742586, 0.491055941927),
    *(0.787641141030, 0.337929421728, -0.072637522786, -0.021060292512, 0.044724901771),
    *(0.001767711864, -0.007800708325),
)
SYM2 = (-0.1294095226, 0.2241438680, 0.8365163037, 0.4829629131)
AHEAD = 5
"""Of the sample at 2 i, how many taps of SYM6 lie before the one that reads pixel i."""
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""The power that images have in the four bands, for filters that leave all of it as it was."""


class Operation(NamedTuple):
    """law: of u (N, 2) ~ U(0, 1) the values (N, 1) or (N, 2) of an operation that happens.
    identity: the value of one that does not. twice: that two share the probability p, as the
    rotations do before and after the stretch.
    """

    group: str
    law: Callable[[Tensor], Tensor]
    identity: float
    twice: bool = False


def _normal(u: Tensor) -> Tensor:
    """Two numbers from N(0, 1), by Box and Muller."""
    radius = (-2 * torch.log1p(-u[:, :1])).sqrt()
    return radius * torch.cat([(2 * pi * u[:, 1:]).cos(), (2 * pi * u[:, 1:]).sin()], 1)


def _factor(spread: float) -> Callable[[Tensor], Tensor]:
    """2 to the power of N(0, spread^2)."""
    return lambda u: (spread * _normal(u)[:, :1]).exp2()


def _sign(u: Tensor) -> Tensor:
    """-1 or 1, each as likely."""
    return torch.where(u[:, :1] < 0.5, -1.0, 1.0)


def _angle(u: Tensor) -> Tensor:
    return 2 * pi * u[:, :1] - pi


OPERATIONS = {
    "mirror": Operation("blit", _sign, 1),
    "quarters": Operation("blit", lambda u: (4 * u[:, :1]).floor() * (pi / 2), 0),
    "shift": Operation("blit", lambda u: (u - 0.5) / 4, 0),
    "scale": Operation("geometry", _factor(0.2), 1),
    "turn": Operation("geometry", _angle, 0, twice=True),
    "stretch": Operation("geometry", _factor(0.2), 1),
    "turn_again": Operation("geometry", _angle, 0, twice=True),
    "drift": Operation("geometry", lambda u: 0.125 * _normal(u), 0),
    "brightness": Operation("color", lambda u: 0.2 * _normal(u)[:, :1], 0),
    "contrast": Operation("color", _factor(0.5), 1),
    "luma": Operation("color", _sign, 1),
    "hue": Operation("color", _angle, 0),
    "saturation": Operation("color", _factor(1), 1),
    **{f"band_{k}": Operation("filter", _factor(1), 1) for k in range(4)},
    "noise": Operation("noise", lambda u: 0.1 * _normal(u)[:, :1].abs(), 0),
    "cutout": Operation("cutout", lambda u: u, -9),
}
"""In the paper's order: 18 of them, of which the rotation takes two rows.

Shift and drift are parts of the sides, down and across; a shift is rounded to whole pixels. cutout:
the centre of a rectangle of half of each side, as parts of them; far outside if there is none.
"""


def draw(u: Tensor, groups: Collection[str], p: Tensor | float) -> dict[str, Tensor]:
    """The values (N, 1) or (N, 2) of every operation: for each image, one of a group in `groups`
    happens with probability p. u: (N, len(OPERATIONS), 3) ~ U(0, 1), of which the last decides.
    """
    found = {}
    for k, (name, operation) in enumerate(OPERATIONS.items()):
        values = operation.law(u[:, k, :2])
        if operation.group not in groups:
            found[name] = torch.full_like(values, operation.identity)
            continue
        of_this = 1 - (1 - p) ** 0.5 if operation.twice else p
        found[name] = torch.where(u[:, k, 2:] < of_this, values, operation.identity)
    return found


def augment_ada(
    x: Tensor,
    y: Tensor | None,
    groups: Collection[str],
    p: Tensor | float,
    sym6: Tensor,
    bands: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """x (N, C, H, W) in [-1, 1] after the operations of `groups`, with numbers drawn here; and y
    (N, C', H', W'), images or a map of integers of the same proportions, moved and cut as x is.

    p: of each operation for each image. sym6, bands: of filters(), on x's device.
    """
    kind = x.device.type
    rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    with torch.autocast(kind, enabled=False) if rounds else nullcontext():
        u = torch.rand(len(x), len(OPERATIONS), 3, device=x.device)
        values = {name: v.to(x.dtype) for name, v in draw(u, groups, p).items()}
        sym6, bands = sym6.to(x.dtype), bands.to(x.dtype)
        if not {"blit", "geometry"}.isdisjoint(groups):
            matrix, offset = affine(values, x.shape[2:])
            x = move(x, matrix, offset, sym6)
            y = y if y is None else move(y, matrix, offset, sym6)
        if "color" in groups:
            x = recolor(x, values)
        if "filter" in groups:
            x = amplify(x, torch.cat([values[f"band_{k}"] for k in range(4)], 1), bands)
        if "noise" in groups:
            x = x + values["noise"][:, :, None, None] * torch.randn_like(x)
        if "cutout" in groups:
            x = cut(x, values["cutout"])
            y = y if y is None else cut(y, values["cutout"])
    return x, y


# --- Blitting and geometry: where pixels lie is counted down and across


def affine(values: Mapping[str, Tensor], sides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A (N, 2, 2) and b (N, 2): what lies at q afterwards, in pixels from the middle of an image of
    these sides, lay at A q + b before. b is in parts of the sides.
    """
    one = torch.ones_like(values["mirror"])
    shift, drift = (_times(values[name], sides) for name in ("shift", "drift"))
    blit = _product(_diagonal(one, values["mirror"]), _rotation(-values["quarters"]))
    rest = _product(_rotation(-values["turn"]), _diagonal(1 / values["stretch"], values["stretch"]))
    rest = _product(rest, _rotation(-values["turn_again"])) / values["scale"][:, :, None]
    offset = -_product(blit, (_product(rest, drift[:, :, None]) + shift.round()[:, :, None]))
    return _product(blit, rest), _times(offset[:, :, 0], [1 / side for side in sides])


def move(x: Tensor, matrix: Tensor, offset: Tensor, sym6: Tensor) -> Tensor:
    """x (N, C, H, W) by the map of affine(); of integers the nearest, as none lies between two."""
    sides = x.shape[2:]
    if not x.is_floating_point():
        middles = [torch.arange(n, device=x.device) - (n - 1) / 2 for n in sides]
        down, across = _origins(middles, sides, matrix, offset)
        rows, columns = (
            _mirrored(k.round().long(), n) for k, n in zip((down, across), sides, strict=True)
        )
        index = (rows * sides[1] + columns).flatten(1)[:, None].expand(-1, x.shape[1], -1)
        return x.flatten(2).gather(2, index).view_as(x)
    before, after = AHEAD, len(SYM6) - AHEAD - 2
    halves = [
        torch.arange(-before, 2 * n + after, device=x.device) / 2 - (n - 1) / 2 for n in sides
    ]
    down, across = _origins([half.to(x.dtype) for half in halves], sides, matrix, offset)
    large = _twice(sides[0], sym6) @ x @ _twice(sides[1], sym6).mT
    large = _bilinear(large, 2 * down, 2 * across)
    return _half(sides[0], sym6) @ large @ _half(sides[1], sym6).mT


def _origins(
    places: Sequence[Tensor], sides: Sequence[int], matrix: Tensor, offset: Tensor
) -> tuple[Tensor, Tensor]:
    """Of the pixels at every pair of places, from the middle, where they lay before, from the first
    pixel: (N, rows, columns) of numbers down and across.
    """
    down, across = places[0][:, None], places[1]
    offset = _times(offset, sides)
    lines = ((matrix[:, k], offset[:, k], (side - 1) / 2) for k, side in enumerate(sides))
    first, second = (
        a[:, :1, None] * down + a[:, 1:, None] * across + (b[:, None, None] + middle)
        for a, b, middle in lines
    )
    return first, second


def _bilinear(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """x (N, C, H + 1, W + 1), which goes on with periods of H and W, at (N, rows, columns) places.

    By gather, and not by grid_sample, which has no second derivative before torch 2.11.
    """
    n, channels, rows, width = x.shape
    corners, weights = [], []
    for place, period in ((down, rows - 1), (across, width - 1)):
        place = place.remainder(period).flatten(1)
        corners.append(place.long().clamp(max=period - 1))  # rounding may reach the period itself
        weights.append((place - corners[-1])[:, None])
    first = corners[0] * width + corners[1]
    index = torch.cat([first, first + 1, first + width, first + width + 1], 1)[:, None]
    a, b, c, d = x.flatten(2).gather(2, index.expand(-1, channels, -1)).chunk(4, 2)
    above, below = torch.lerp(a, b, weights[1]), torch.lerp(c, d, weights[1])
    return torch.lerp(above, below, weights[0]).view(n, channels, *down.shape[1:])


def _twice(side: int, sym6: Tensor) -> Tensor:
    """(4 (side - 1) + 1, side): from a line of an image to its samples at every half pixel, over a
    whole period of the line and its mirror image, and the first again.
    """
    k = torch.arange(4 * side - 3, device=sym6.device)[:, None] + AHEAD
    tap = torch.arange(len(SYM6) // 2, device=sym6.device)
    return _matrix(_mirrored(k // 2 - tap, side), sqrt(2) * sym6[k % 2 + 2 * tap], side)


def _half(side: int, sym6: Tensor) -> Tensor:
    """(side, 2 side + 10): back from the half pixels, of which 5 lie before the first pixel."""
    taps = torch.arange(len(SYM6), device=sym6.device)
    k = 2 * torch.arange(side, device=sym6.device)[:, None] + taps
    return _matrix(k, (sym6 / sqrt(2)).expand(side, -1), 2 * side + len(SYM6) - 2)


def _matrix(columns: Tensor, values: Tensor, width: int) -> Tensor:
    """(..., rows, width) that has values (..., rows, k) in these columns, added where they meet."""
    empty = values.new_zeros(*values.shape[:-1], width)
    return empty.scatter_add(-1, columns.expand_as(values), values)


def _mirrored(k: Tensor, side: int) -> Tensor:
    """Which of `side` pixels lies at k, whole, where their line goes on as its mirror image."""
    return side - 1 - (k.remainder(2 * side - 2) - (side - 1)).abs()


def _rotation(angle: Tensor) -> Tensor:
    """(N, 1) -> (N, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)], 1)


def _diagonal(first: Tensor, second: Tensor) -> Tensor:
    """Twice (N, 1) -> (N, 2, 2)."""
    return torch.diag_embed(torch.cat([first, second], 1))


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Of matrices (N, 2, 2) and (N, 2, k), without TF32, which would leave pixels of large images
    a tenth of one away.
    """
    return (a[:, :, :, None] * b[:, None]).sum(2)


def _times(values: Tensor, sides: Sequence[float]) -> Tensor:
    """(N, 2), down and across, each times its number."""
    return torch.stack([values[:, 0] * sides[0], values[:, 1] * sides[1]], 1)


# --- Colour, filter, cutout


def recolor(x: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation of x (N, C, H, W).

    All are told by the mean of the channels, along (1, ..., 1) / sqrt(C), and what is left beside
    it, of which hue is a rotation. One channel is its own mean.
    """
    of = {name: value[:, :, None, None] for name, value in values.items()}
    mean = x.mean(1, keepdim=True)
    beside = x - mean
    if x.shape[1] == 3:
        across = (beside.roll(1, 1) - beside.roll(-1, 1)) / sqrt(3)
        beside = of["hue"].cos() * beside + of["hue"].sin() * across
    mean = (mean + of["brightness"]) * of["contrast"] * of["luma"]
    return mean + beside * (of["contrast"] * of["saturation"])


def amplify(x: Tensor, factors: Tensor, bands: Tensor) -> Tensor:
    """x (N, C, H, W), each of whose four bands is amplified by a factor, (N, 4); after each factor
    all of it, so that the power of images as they are on average stays.
    """
    power = torch.ones_like(factors[:, :1])
    for k, part in enumerate(POWER):
        power = power * (1 + part * (factors[:, k : k + 1].square() - 1))
    taps = ((factors / power.sqrt())[:, :, None] * bands).sum(1)
    near = torch.arange(taps.shape[1], device=x.device) - taps.shape[1] // 2
    down, across = (
        _matrix(
            _mirrored(torch.arange(n, device=x.device)[:, None] + near, n),
            taps[:, None].expand(-1, n, -1),
            n,
        )[:, None]
        for n in x.shape[2:]
    )
    return down @ x @ across.mT


def cut(x: Tensor, centre: Tensor) -> Tensor:
    """x (N, C, H, W), 0 in a rectangle of half of each side around a centre, (N, 2), in parts."""
    rows, columns = (
        ((torch.arange(n, device=x.device) + 0.5) / n - centre[:, k : k + 1]).abs() < 0.25
        for k, n in enumerate(x.shape[2:])
    )
    return x.masked_fill((rows[:, :, None] & columns[:, None])[:, None], 0)


def filters() -> tuple[Tensor, Tensor]:
    """sym6 (12,), and the impulse responses (4, 43) of the bands [0, pi/8], [pi/8, pi/4], [pi/4,
    pi/2] and [pi/2, pi], which add up to 1: the tree of sym2's low and high pass, both ways.
    """
    alternating = np.array(SYM2) * (-1.0) ** np.arange(len(SYM2))
    low, high = (np.convolve(h, h[::-1]) / 2 for h in (np.array(SYM2), alternating))
    bands = np.eye(4, 1)
    for k in range(1, 4):
        wide = np.zeros((4, 2 * bands.shape[1] - 1))
        wide[:, ::2] = bands
        bands = np.array([np.convolve(band, low) for band in wide])
        middle, reach = bands.shape[1] // 2, len(high) // 2
        bands[k, middle - reach : middle + reach + 1] += high
    return torch.tensor(SYM6), torch.tensor(bands, dtype=torch.float32)

"""edges: Sobel's gradient of the image, thinned to lines, white on black

Of its ridges these are the strong ones. All numbers are whole, so that a map is the same to the bit
on every machine. The steps are Canny's (1986) with Sobel's 3x3 kernels, which smooth a little
themselves, and with one threshold.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.sources.derived import Derivation
from ganlib.common.sources.grey import grey

THRESHOLD = 80
"""Of a gradient's length; 1020 is that of a straight edge from black to white."""
STEEP = 13573
"""The tangent of 22.5 degrees in parts of 2^15: between integers up to 1020 it decides exactly."""


def make(text: str) -> Derivation:
    """Edge maps."""
    return Derivation("edges by Sobel's gradient", lambda x, _: edges(x))


def edges(x: Tensor) -> Tensor:
    """uint8 (n, C, H, W) with 1 or 3 channels to (n, 1, H, W): 255 on the edges, else 0.

    Beyond an image's border lies what is on it. A pixel is on an edge if its gradient is no shorter
    than THRESHOLD, longer than that of its neighbour down the gradient and no shorter than that of
    the one up; of eight neighbours, those nearest to the gradient's direction.
    """
    right, down = _gradient(grey(x))
    length = right.square() + down.square()
    lower, upper = _along(right, down, length)
    on = (length >= THRESHOLD**2) & (length > lower) & (length >= upper)
    return on.to(torch.uint8) * 255


def _gradient(y: Tensor) -> tuple[Tensor, Tensor]:
    """How fast uint8 (n, 1, H, W) grows to the right and down, int32 in -1020..1020."""
    # float32 holds these integers
    y = F.pad(y.float(), (1, 1, 1, 1), mode="replicate").int()
    rows = y[..., :-2, :] + 2 * y[..., 1:-1, :] + y[..., 2:, :]
    columns = y[..., :-2] + 2 * y[..., 1:-1] + y[..., 2:]
    return rows[..., 2:] - rows[..., :-2], columns[..., 2:, :] - columns[..., :-2, :]


def _along(right: Tensor, down: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """The lengths at the two neighbours against and with the gradient, 0 beyond the border."""
    height, width = length.shape[2:]
    around = F.pad(length, (1, 1, 1, 1))

    def at(row: Tensor, column: Tensor) -> Tensor:
        top = torch.arange(height)[:, None] + 1 + row
        left = torch.arange(width) + 1 + column
        flat = (top * (width + 2) + left).flatten(2)
        return around.flatten(2).gather(2, flat).view_as(length)

    level = down.abs() * 2**15 <= STEEP * right.abs()
    upright = right.abs() * 2**15 <= STEEP * down.abs()
    row, column = down.sign() * ~level, right.sign() * ~upright
    return at(-row, -column), at(row, column)

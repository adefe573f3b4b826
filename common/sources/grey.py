"""grey: the image without its colours"""

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.sources.derived import Derivation

WEIGHTS = (19595, 38470, 7471)
"""Of red, green and blue in luma (ITU-R BT.601), in parts of 2^16, as Pillow has them."""


def make(text: str) -> Derivation:
    """Luma; UserError of images that have no colours."""

    def leave_colours(x: Tensor, index: Tensor) -> Tensor:
        if x.shape[1] == 1:
            raise UserError("These images are grey already: a source without colours is no other.")
        return grey(x)

    return Derivation("grey, luma of BT.601", leave_colours)


def in_channels(x: Tensor, channels: int) -> Tensor:
    """uint8 (n, 1 or 3, H, W) in grey or, with the same in all channels, as colours, whichever has
    so many channels.
    """
    if x.shape[1] == channels:
        return x
    return grey(x) if channels == 1 else x.expand(-1, channels, -1, -1)


def grey(x: Tensor) -> Tensor:
    """uint8 (n, 3, H, W) to its luma (n, 1, H, W), rounded; (n, 1, H, W) as it is."""
    if x.shape[1] == 1:
        return x
    weights = torch.tensor(WEIGHTS, device=x.device)[:, None, None]
    return ((weights * x).sum(1, keepdim=True) + 2**15 >> 16).to(x.dtype)

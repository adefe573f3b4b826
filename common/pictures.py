"""Images to look at: grids, strips and animations of tensors in [-1, 1]."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from common.files import atomic

SIDE = 96  # smaller images are enlarged by whole factors to about this many pixels


def to_uint8(x: Tensor) -> Tensor:
    """[-1, 1] to 0..255 by rounding, on the same device."""
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def grid(x: Tensor, columns: int = 8) -> Image.Image:
    """A picture of images (N, C, H, W) in [-1, 1], row by row; C is 1 or 3."""
    x = to_uint8(x.cpu())
    factor = max(1, SIDE // x.shape[-1])
    x = x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return _to_pil(make_grid(x, columns, padding=2 * (factor > 1) + 2, pad_value=255))


def frames(x: Tensor) -> list[Image.Image]:
    """One picture per image of (N, C, H, W) in [-1, 1], enlarged as in a grid."""
    return [grid(image[None], 1) for image in x]


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture; the file is whole or not there."""
    with atomic(path) as temporary:
        picture.save(temporary)


def save_animation(pictures: list[Image.Image], path: Path, milliseconds: int = 60) -> None:
    """Write pictures as a GIF that runs forever."""
    with atomic(path) as temporary:
        pictures[0].save(
            temporary, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
        )


def _to_pil(x: Tensor) -> Image.Image:
    return Image.fromarray(x.permute(1, 2, 0).contiguous().numpy())

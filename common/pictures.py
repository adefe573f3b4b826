"""Images to look at: grids, strips, animations and scatter plots of tensors in [-1, 1]."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torchvision.utils import make_grid

from ganlib.common.data import POINTS
from ganlib.common.datasets._video import MP4, write_video
from ganlib.common.files import atomic
from ganlib.common.outputs import MARK

SIDE = 96  # smaller images are enlarged by whole factors to about this many pixels
PLOT = 512  # pixels along a side of a scatter plot
MARGIN = 24  # of them around the square [-1, 1]^2
GREY, BLUE, BLACK = "#c4c4c4", "#1f5fbf", "#000000"


def to_uint8(x: Tensor) -> Tensor:
    """[-1, 1] to 0..255 by rounding, on the same device."""
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def apart(x: Tensor, frames: int) -> Tensor:
    """Images (N, frames * C, H, W) as sequences (N, frames, C, H, W), as images if frames is 1."""
    return x if frames == 1 else x.reshape(len(x), frames, -1, *x.shape[2:])


def grid(x: Tensor, columns: int = 8) -> Image.Image:
    """A picture of images (N, C, H, W) in [-1, 1], row by row; C is 1 or 3. Of sequences
    (N, T, C, H, W) each is a row. Points become a scatter plot.
    """
    if x.dim() == 5:
        return grid(x.flatten(0, 1), x.shape[1])
    if x.shape[1:] == POINTS:
        return scatter(x)
    x = to_uint8(x.cpu())
    factor = max(1, SIDE // x.shape[-1])
    x = x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return _to_pil(make_grid(x, columns, padding=2 * (factor > 1) + 2, pad_value=255))


def scatter(x: Tensor, real: Tensor | None = None) -> Image.Image:
    """Points (N, 2, 1, 1) as dots in [-1, 1]^2, the second coordinate upwards; `real` ones grey
    behind them. What lies outside is not shown.
    """
    fine = 4  # drawn larger and reduced, because Pillow draws no smooth discs
    picture = Image.new("RGB", (fine * PLOT, fine * PLOT), "white")
    draw = ImageDraw.Draw(picture)
    if real is not None:
        _dots(draw, _places(real) * fine, GREY, 2 * fine)
    _dots(draw, _places(x) * fine, BLUE, 2 * fine)
    picture = picture.resize((PLOT, PLOT), Image.Resampling.BOX)
    _axes(ImageDraw.Draw(picture))
    return picture


def _places(x: Tensor) -> Tensor:
    """Where in the plot the points (N, 2, 1, 1) that lie in the square are, in pixels (n, 2)."""
    flat = x.flatten(1).double().cpu()
    inside = flat[(flat.abs() <= 1).all(1)]
    flipped = inside * torch.tensor([1.0, -1.0], dtype=torch.float64)
    return MARGIN + (flipped + 1) / 2 * (PLOT - 2 * MARGIN)


def _dots(draw: ImageDraw.ImageDraw, places: Tensor, colour: str, radius: int) -> None:
    for x, y in places.tolist():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _axes(draw: ImageDraw.ImageDraw) -> None:
    low, middle, high = MARGIN, PLOT // 2, PLOT - MARGIN
    draw.rectangle((low, low, high, high), outline=BLACK)
    for place, label in ((low, "-1"), (middle, "0"), (high, "1")):
        draw.line((place, high, place, high + 4), fill=BLACK)
        draw.text((place, high + 5), label, fill=BLACK, anchor="mt")
        draw.line((low - 4, PLOT - place, low, PLOT - place), fill=BLACK)
        draw.text((low - 6, PLOT - place), label, fill=BLACK, anchor="rm")


def frames(x: Tensor) -> list[Image.Image]:
    """One picture per image of (N, C, H, W) in [-1, 1], enlarged as in a grid."""
    return [grid(image[None], 1) for image in x]


def moving_grid(x: Tensor, columns: int | None = None) -> list[Image.Image]:
    """For each frame of sequences (N, T, C, H, W) in [-1, 1] the grid of all of them.

    columns: by default 8, or 6 or 4 where they alone make full rows: even, so that pairs stay
    beside each other.
    """
    columns = columns or next((n for n in (8, 6, 4) if len(x) % n == 0), 8)
    return [grid(frame, columns) for frame in x.unbind(1)]


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture; the file is whole or not there."""
    info = PngInfo()
    info.add_text("Software", MARK)
    with atomic(path) as temporary:
        picture.save(temporary, pnginfo=info)


def save_animation(pictures: list[Image.Image], path: Path, milliseconds: int = 60) -> None:
    """Write pictures as a .gif that runs forever, or as an .mp4 (H.264); UserError if the package
    is missing that writes those.
    """
    first, *others = pictures
    how: Any = {"save_all": True, "append_images": others, "duration": milliseconds, "loop": 0}
    with atomic(path) as temporary:
        if path.suffix.lower() == MP4:
            write_video(pictures, temporary, Fraction(1000, milliseconds))
            return
        first.save(temporary, comment=MARK, **how)


def _to_pil(x: Tensor) -> Image.Image:
    return Image.fromarray(x.permute(1, 2, 0).contiguous().numpy())

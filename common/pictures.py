"""Images to look at: grids, strips, animations and scatter plots of tensors in [-1, 1]; grids by
class, and of translations; a stream of generated images as files: a grid, an array, or a PNG for
each; and maps of numbers, of classes for example, in colour.
"""

import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from colorsys import hsv_to_rgb
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ganlib.common.data import POINTS
from ganlib.common.formats.video import MP4, write_video
from ganlib.common.io.files import MARK, atomic

SIDE = 96  # smaller images are enlarged by whole factors to about this many pixels
PLOT = 512  # pixels along a side of a scatter plot
MARGIN = 24  # of them around the square [-1, 1]^2
GREY, BLUE, BLACK = "#c4c4c4", "#1f5fbf", "#000000"


def to_uint8(x: Tensor) -> Tensor:
    """[-1, 1] to 0..255 by rounding, on the same device."""
    return levels(x).round().to(torch.uint8)


def levels(x: Tensor) -> Tensor:
    """[-1, 1] to [0, 255], and what is beyond it to the ends."""
    return ((x + 1) * 127.5).clamp(0, 255)


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
    x = to_uint8(x.cpu()).expand(-1, 3, -1, -1)
    factor = max(1, SIDE // x.shape[-1])
    x = x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return image_of(tiled(x, columns, 2 * (factor > 1) + 2, 255))


def tiled(x: Tensor, columns: int, gap: int, value: float) -> Tensor:
    """Images (N, C, H, W) as one (C, H', W'), row by row, with pixels of `value` around each; one
    alone is as it is. torchvision's make_grid, which takes seconds to import, of grey images too.
    """
    n, columns = len(x), min(columns, len(x))
    if n == 1:
        return x[0]
    x = F.pad(
        torch.cat([x, x.new_full((-n % columns, *x.shape[1:]), value)]),
        (gap, 0, gap, 0),
        value=value,
    )
    rows = x.reshape(-1, columns, *x.shape[1:]).permute(2, 0, 3, 1, 4)
    return F.pad(rows.flatten(3).flatten(1, 2), (0, gap, 0, gap), value=value)


def image_of(x: Tensor) -> Image.Image:
    """Of uint8 (1 or 3, H, W)."""
    return Image.fromarray(x.permute(1, 2, 0).squeeze(2).cpu().numpy())


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


COLUMNS = 8  # at least, where a class has so many images
SMALLEST = 14  # pixels of the letters
WIDEST = 12.0  # of a name, in heights of its letters; what is longer is cut


def class_grid(rows: Iterable[tuple[str, Tensor]], columns: int | None = None) -> Image.Image:
    """Names of classes, and images (N, C, H, W) in [-1, 1] of each, row by row beside its name.

    columns: by default so many that all images together are about as wide as high, if no class is
    then less than a row.
    """
    names, images = zip(*rows, strict=True)
    counts = [len(x) for x in images]
    columns = columns or min(max(counts), _columns(sum(counts)))
    blocks = [grid(x, columns) for x in images]
    height = grid(images[0][:1], 1).height  # of one row
    size = max(SMALLEST, height // 6)
    font = ImageFont.load_default(size)
    words = [_cut(name, font, WIDEST * size) for name in names]
    margin = math.ceil(max(font.getlength(word) for word in words)) + size
    whole = (margin + max(b.width for b in blocks), sum(b.height for b in blocks))
    picture, top = Image.new("RGB", whole, "white"), 0
    draw = ImageDraw.Draw(picture)
    for word, block in zip(words, blocks, strict=True):
        place = (margin - size // 2, top + height // 2)
        draw.text(place, word, BLACK, font, anchor="rm")
        picture.paste(block, (margin, top))
        top += block.height
    return picture


def _columns(n: int) -> int:
    return max(COLUMNS, math.ceil(math.sqrt(n)))


def _cut(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, widest: float) -> str:
    """The name without line breaks, or its beginning and an ellipsis."""
    word = " ".join(name.split())
    if font.getlength(word) <= widest:
        return word
    while word and font.getlength(f"{word}...") > widest:
        word = word[:-1]
    return f"{word.rstrip()}..."


BETWEEN, GAP = 2, 16
"""White pixels between pictures and between groups of them."""
LETTERS = 14


def translation_grid(columns: Mapping[str, Tensor], across: int | None = None) -> Image.Image:
    """columns: by the titles above them, images (N, C, H, W) in [-1, 1], or (N, k, C, H, W), k next
    to each other; row i of all is a group. across: groups in a row, by default so many that the
    picture is about as wide as high.
    """
    stacks = {name: x if x.dim() == 5 else x[:, None] for name, x in columns.items()}
    tiles = {name: [frames(row) for row in x.cpu()] for name, x in stacks.items()}
    n, first = next((len(rows), rows[0][0]) for rows in tiles.values())
    wide, high = first.width + BETWEEN, first.height + BETWEEN
    width = wide * sum(x.shape[1] for x in stacks.values()) + GAP
    across = min(n, across or max(1, round(math.sqrt(n * high / width))))
    whole = (across * width - GAP - BETWEEN, 2 * LETTERS + -(-n // across) * high - BETWEEN)
    picture, left = Image.new("RGB", whole, "white"), 0
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTERS)
    for name, rows in tiles.items():
        taken = wide * stacks[name].shape[1]
        for group in range(across):
            middle = group * width + left + (taken - BETWEEN) // 2
            draw.text((middle, LETTERS), name, BLACK, font, anchor="mm")
        for i, row in enumerate(rows):
            top = 2 * LETTERS + i // across * high
            for j, tile in enumerate(row):
                picture.paste(tile, (i % across * width + left + j * wide, top))
        left += taken
    return picture


def write_grid(batches: Iterator[Tensor], n: int, path: Path, frames: int = 1) -> None:
    """n images, in batches (N, C, H, W) in [-1, 1], as one picture, 8 images wide or square if that
    is wider, or a row for each sequence of so many frames; holds all images as floats.
    """
    save(grid(apart(torch.cat([batch.cpu() for batch in batches]), frames), _columns(n)), path)


def write_plain(batches: Iterator[Tensor], n: int, path: Path, frames: int = 1) -> None:
    """The same images in one picture at their own size, with nothing between them."""
    x = apart(torch.cat([batch.cpu() for batch in batches]), frames).flatten(0, -4)
    columns = frames if frames > 1 else _columns(n)
    write_image(tiled(x, columns, 0, 1), path)


def write_array(batches: Iterator[Tensor], n: int, labels: Tensor | None, path: Path) -> None:
    """An .npz of `images`, uint8 (n, H, W, C), and `labels`, int64 (n,), unless they are None."""
    # The temporary file first: a place that cannot be written to shows before the work is done.
    with atomic(path) as temporary:
        arrays_of = (to_uint8(batch).permute(0, 2, 3, 1).cpu().numpy() for batch in batches)
        pixels = chain.from_iterable(arrays_of)
        first = next(pixels)
        # one array from the beginning, never two of all
        kind = np.dtype((np.uint8, first.shape))
        images = np.fromiter(chain([first], pixels), kind, n)
        arrays: dict[str, Any] = {} if labels is None else {"labels": labels.cpu().numpy()}
        write_npz(temporary, {**arrays, "images": images})


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """An .npz of these, which says who wrote it."""
    with path.open("wb") as file:
        np.savez(file, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = MARK.encode()


def write_folder(batches: Iterator[Tensor], n: int, path: Path, frames: int = 1) -> None:
    """path/00000.png and so on, of the images' own size, frames below each other."""
    path.mkdir(exist_ok=True)
    for image, name in zip(chain.from_iterable(batches), folder_names(n), strict=True):
        write_image(image, path / name, frames)


def folder_names(n: int) -> list[str]:
    """Of the files that write_folder() writes."""
    return [f"{number:0{max(5, len(str(n - 1)))}}.png" for number in range(n)]


def write_image(image: Tensor, path: Path, frames: int = 1) -> None:
    """One float (C, H, W) in [-1, 1] as a PNG, a sequence's frames below each other."""
    save(image_of(to_uint8(torch.cat(image.chunk(frames), 1))), path)


GROUND = (48, 48, 48)
"""The colour of number 0."""
GOLDEN = 0.618  # of the circle of hues, so that neighbours in number differ


def coloured_maps(maps: Tensor) -> Tensor:
    """Maps (N, ...) of whole numbers from 0 on in colours, uint8 (N, 3, ...)."""
    hues = [hsv(GOLDEN * i % 1, 0.55, 0.95) for i in range(1, int(maps.max()) + 1)]
    palette = torch.tensor([GROUND, *hues])
    return palette.round().to(torch.uint8)[maps.long()].movedim(-1, 1)


def hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Red, green and blue in 0..255 of numbers in [0, 1]."""
    red, green, blue = hsv_to_rgb(hue, saturation, value)
    return 255 * red, 255 * green, 255 * blue

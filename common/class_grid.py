"""A picture of images by class, each class a row with its name before it."""

import math
from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganlib.common.pictures import grid

COLUMNS = 8  # at least, where a class has so many images
SMALLEST = 14  # pixels of the letters
WIDEST = 12.0  # of a name, in heights of its letters; what is longer is cut
INK = "#000000"


def class_grid(rows: Iterable[tuple[str, Tensor]]) -> Image.Image:
    """Names of classes, and images (N, C, H, W) in [-1, 1] of each, row by row beside its name.

    All images together are about as wide as high, if no class is then less than a row.
    """
    names, images = zip(*rows, strict=True)
    counts = [len(x) for x in images]
    columns = min(max(counts), max(COLUMNS, math.ceil(math.sqrt(sum(counts)))))
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
        draw.text(place, word, INK, font, anchor="rm")
        picture.paste(block, (margin, top))
        top += block.height
    return picture


def _cut(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, widest: float) -> str:
    """The name without line breaks, or its beginning and an ellipsis."""
    word = " ".join(name.split())
    if font.getlength(word) <= widest:
        return word
    while word and font.getlength(f"{word}...") > widest:
        word = word[:-1]
    return f"{word.rstrip()}..."

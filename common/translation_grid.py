"""A picture of translations: side by side a source, what was made of it, and the truth."""

import math
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganlib.common.pictures import frames

BETWEEN, GAP = 2, 16
"""White pixels between pictures and between groups of them."""
LETTERS = 14
INK = "#000000"


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
            draw.text((middle, LETTERS), name, INK, font, anchor="mm")
        for i, row in enumerate(rows):
            top = 2 * LETTERS + i // across * high
            for j, tile in enumerate(row):
                picture.paste(tile, (i % across * width + left + j * wide, top))
        left += taken
    return picture

"""Draw test canvases of `wardrobe`, and below each where classes and items lie.

Run `python -m scripts.draw_wardrobe PICTURE.png` at the top of the checkout.
"""

import sys
from pathlib import Path

import torch
from PIL import Image

from ganlib.common.open_dataset import open_dataset
from ganlib.common.pictures import save
from ganlib.common.pictures.colours import coloured

SIZE = 192
CANVASES = 5
GAP = 4


def draw() -> Image.Image:
    """A column for each canvas: image, classes, instances."""
    data = open_dataset("wardrobe", None, "test", SIZE)
    assert data.source is not None
    rows = torch.arange(CANVASES)
    picture = Image.new("RGB", (CANVASES * (SIZE + GAP) - GAP, 3 * (SIZE + GAP) - GAP), "white")
    for k, (x, ids) in enumerate(zip(data.x[rows], data.source[rows], strict=True)):
        for i, image in enumerate((x, *map(coloured, ids))):
            pixels = image.permute(1, 2, 0).contiguous().numpy()
            picture.paste(Image.fromarray(pixels), (k * (SIZE + GAP), i * (SIZE + GAP)))
    return picture


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    save(draw(), Path(sys.argv[1]))


if __name__ == "__main__":
    main()

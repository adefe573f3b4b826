"""Draw test canvases of `wardrobe`, and below each where classes and items lie.

Run `python -m scripts.draw_wardrobe PICTURE.png` at the top of the checkout.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganlib.common.datasets._canvas import hsv
from ganlib.common.pictures import save
from ganlib.common.sources import open_dataset

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
        images = (x.permute(1, 2, 0).numpy(), *(coloured(number.numpy()) for number in ids))
        for i, image in enumerate(images):
            picture.paste(Image.fromarray(image), (k * (SIZE + GAP), i * (SIZE + GAP)))
    return picture


def coloured(ids: np.ndarray) -> np.ndarray:
    """(H, W) numbers as colours (H, W, 3), 0 as dark grey."""
    golden = 0.618  # so that neighbours in number differ in hue
    colours = [hsv(golden * i % 1, 0.55, 0.95) for i in range(1, int(ids.max()) + 1)]
    return np.array([(48, 48, 48), *colours]).round().astype(np.uint8)[ids]


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    save(draw(), Path(sys.argv[1]))


if __name__ == "__main__":
    main()

"""Luma against Pillow's."""

import numpy as np
import torch
from PIL import Image

from ganlib.common.sources.grey import grey


def test_luma_is_pillows_to_the_bit() -> None:
    x = torch.randint(256, (2, 3, 40, 50), generator=torch.Generator().manual_seed(0)).byte()
    for image, found in zip(x, grey(x), strict=True):
        wanted = Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L")
        assert np.array_equal(found[0].numpy(), np.asarray(wanted))


def test_what_is_grey_stays_as_it_is() -> None:
    x = torch.arange(12, dtype=torch.uint8).reshape(1, 1, 3, 4)
    assert grey(x) is x

"""The picture of wardrobe shows canvases and their maps."""

import numpy as np

from ganlib.common.open_dataset import open_dataset
from scripts import draw_wardrobe


def test_the_picture() -> None:
    picture = np.asarray(draw_wardrobe.draw())
    size, step = draw_wardrobe.SIZE, draw_wardrobe.SIZE + draw_wardrobe.GAP
    canvas = open_dataset("wardrobe", None, "test", size).x[draw_wardrobe.torch.tensor([1])][0]
    assert np.array_equal(picture[:size, step : step + size], canvas.permute(1, 2, 0).numpy())
    ground = (picture[step : step + size] == 48).all(-1)
    assert np.array_equal(ground, (picture[2 * step : 2 * step + size] == 48).all(-1))

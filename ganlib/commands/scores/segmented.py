"""A picture of the classes that a segmenter finds in translations and in real images."""

import torch
from PIL import Image
from torch import Tensor

from ganlib.commands.scores.targets import Target
from ganlib.common.pictures.colours import coloured_maps
from ganlib.common.pictures.grids import translation_grid
from ganlib.evaluation.pairs.sums import exact
from ganlib.training.scores.translations import PairScores, scored

ROWS = 24


def segmented(target: Target, pairs: PairScores, seed: int) -> Image.Image:
    """Of the first held-out maps of a seed the map, the target's output and what is found in it,
    and the real image and what is found in that. pairs: with its segmenter.
    """
    assert pairs.segmenter is not None and pairs.data.source is not None
    numbers = range(scored(pairs.updater, ROWS))
    index = pairs.updater.sample_stream(seed).held(numbers).cpu()
    maps, truth = pairs.data.source[index][:, 0], pairs.data.x[index].cpu()
    output = exact(target.pick(numbers)).cpu()
    beside = [_beside(x, pairs.segmenter(x).cpu()) for x in (output, truth)]
    columns = {"map": coloured_maps(maps), "output, found": beside[0], "real, found": beside[1]}
    return translation_grid({name: x / 127.5 - 1 for name, x in columns.items()})


def _beside(x: Tensor, classes: Tensor) -> Tensor:
    """Images (n, C, H, W) and the classes of their pixels, uint8 (n, 2, 3, H, W)."""
    return torch.stack([x.expand(-1, 3, -1, -1), coloured_maps(classes)], 1)

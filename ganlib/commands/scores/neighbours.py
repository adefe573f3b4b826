"""A picture of the samples that lie nearest to training images, each above the image it is near."""

import torch
from PIL import Image
from torch import Tensor

from ganlib.commands.scores.targets import Target
from ganlib.common.pictures import grid
from ganlib.evaluation import Evaluator
from ganlib.evaluation.formats.blocks import as_uint8
from ganlib.evaluation.metrics.formulas import Nearest

PAIRS = 32


def neighbours(target: Target, evaluator: Evaluator, nearest: Nearest) -> Image.Image:
    """The PAIRS nearest pairs, the nearest one first; nearest: of the target's images."""
    numbers = nearest.distance.argsort(stable=True)[:PAIRS]
    samples = as_uint8(target.pick(numbers.tolist())).cpu()
    real = evaluator.images[evaluator.main][nearest.which[numbers]].cpu()
    channels = max(samples.shape[1], real.shape[1])
    pairs = torch.cat([_coloured(samples, channels), _coloured(real, channels)], dim=2)
    return grid(pairs / 127.5 - 1)


def _coloured(x: Tensor, channels: int) -> Tensor:
    return x.expand(-1, channels, -1, -1)

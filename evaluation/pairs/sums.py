"""Scores of translations against the images that belong to their sources, with their protocol.

Beside each stands what costs nothing: the source as it is, and the mean of the training images.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import combinations, zip_longest
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ganlib.common.data import Images
from ganlib.common.data.spec import resize_pixels
from ganlib.common.pictures import to_uint8
from ganlib.common.seeds import generator
from ganlib.common.sources.grey import in_channels
from ganlib.evaluation.formats import BLOCK
from ganlib.evaluation.pairs.pixels import Measure
from ganlib.evaluation.pairs.segmenter import SCORES, Confusion
from ganlib.evaluation.protocol import BASELINES, Origin, Protocol, Score, Split, stamp
from ganlib.evaluation.statistics.moments import exact_device
from ganlib.evaluation.statistics.references import Progress, silent

PACKAGES = ("torchmetrics",)
"""Those beyond every protocol's that are recorded."""
MEAN = "mean image"
AT_ONCE = 32
MOST = 10_000
"""Of how many training images, drawn at random, the mean image is the mean."""


class Sums:
    """Sums of measures over pairs of outputs and truths, of which the means are."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.measures, self.n = measures, 0
        self._batches: list[Tensor] = []  # of each the sums of AT_ONCE pairs, (k, measures)

    def add(self, output: Tensor, truth: Tensor) -> None:
        """Take in uint8 (n, C, H, W) of each, on one device."""
        # a few at a time, because SSIM keeps five float64 copies of them
        parts = zip(torch.split(output, AT_ONCE), torch.split(truth, AT_ONCE), strict=True)
        sums = [torch.stack([m.compute(x, y).sum() for m in self.measures]) for x, y in parts]
        self._batches.append(torch.stack(sums))
        self.n += len(output)

    def finish(self, world: int) -> None:
        """Bring together what all ranks took in, batch by batch in turn: added up in that order
        they are to the last bit what one process finds.
        """
        if world == 1:
            return
        every: list[Any] = [None] * world
        dist.all_gather_object(every, (self.n, [sums.cpu() for sums in self._batches]))
        self.n = sum(n for n, _ in every)
        turns = zip_longest(*(batches for _, batches in every))
        self._batches = [sums for turn in turns for sums in turn if sums is not None]

    def means(self) -> dict[str, float]:
        """By the measures' names."""
        totals = reduce(torch.add, torch.cat(self._batches))
        means = (totals / self.n).tolist()
        return {m.name: value for m, value in zip(self.measures, means, strict=True)}


def pair_scores(
    sums: Sums, baselines: Mapping[str, Mapping[str, float]], truths: Split, origin: Origin
) -> dict[str, Score]:
    """The means as scores by name; baselines: those of trivial translations, by their names."""
    scores, found = {}, sums.means()
    for measure in sums.measures:
        protocol = protocol_of(measure, sums.n, truths, origin)
        more = {BASELINES: {name: means[measure.name] for name, means in baselines.items()}}
        name = measure.name
        scores[name] = Score(name, found[name], None, protocol, more)
    return scores


def segmentation_scores(
    found: Confusion, real: Confusion, truths: Split, origin: Origin
) -> dict[str, Score]:
    """How well a segmenter finds in outputs the maps that they were made of, and the same maps in
    the real images, by name; of the mean IoU with that of each class. None, with a warning, where
    no pixel of the maps is of a class that has a name.
    """
    by = found.segmenter.instrument
    protocol = stamp(by, origin, found.n, {}, truths, packages=PACKAGES)
    more: dict[str, dict[str, Any]] = {
        name: {"real": {"value": value}} for name, value in real.scores().items()
    }
    if not more:
        warnings.warn(f"{' and '.join(SCORES)}: the maps name no pixel's class.", stacklevel=2)
        return {}
    more["mean_iou"]["by_class"] = found.by_class()
    more["mean_iou"]["real"]["by_class"] = real.by_class()
    return {
        name: Score(name, value, None, protocol, more[name])
        for name, value in found.scores().items()
    }


def protocol_of(measure: Measure, n: int, truths: Split | None, origin: Origin) -> Protocol:
    """How a measure of n outputs is obtained."""
    return stamp(measure.by, origin, n, measure.settings, truths, packages=PACKAGES)


def mean_image(images: Images, progress: Progress = silent) -> Tensor:
    """uint8 (C, H, W), of at most MOST of the images."""
    n = len(images)
    which = torch.randperm(n, generator=generator("mean image"))[:MOST]
    total = torch.zeros(images.shape[1:], dtype=torch.float64)
    for k, rows in enumerate(torch.split(which, BLOCK)):
        total += images[rows].cpu().double().sum(0)
        progress("mean image", k * BLOCK + len(rows), len(which))
    return (total / len(which)).round().to(torch.uint8)


def shows_as(source: tuple[int, ...], image: tuple[int, ...]) -> bool:
    """Whether sources (N, C', H', W') can be seen as images (C, H, W): in as many channels, in grey
    or of grey.
    """
    return source[1] == image[0] or {source[1], image[0]} == {1, 3}


def as_it_is(source: Tensor, image: tuple[int, int, int]) -> Tensor:
    """Sources, uint8 (n, C', H', W'), as images (n, *image), enlarged bicubic if need be."""
    channels, height, width = image
    source = in_channels(source, channels)
    fits = source.shape[2:] == (height, width)
    return source if fits else resize_pixels(source, (height, width))


def pairwise(outputs: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The mean of compute over all pairs of outputs for one source: uint8 (n, k, C, H, W)."""
    found = [compute(a, b).mean() for a, b in combinations(outputs.unbind(1), 2)]
    return float(torch.stack(found).mean())


def exact(x: Tensor) -> Tensor:
    """Float images in [-1, 1] as uint8 where float64 can be had."""
    return (x if x.dtype == torch.uint8 else to_uint8(x)).to(exact_device(x.device))

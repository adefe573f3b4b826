"""One pass over a stream of images, from which every score is computed."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.formats.blocks import BLOCK, as_uint8
from ganlib.evaluation.statistics.moments import Moments

FOREVER = 2**62


class Keep(NamedTuple):
    """Of how many of the first images features and logits, labels, and the images are kept."""

    features: int = 0
    logits: int = 0
    labels: int = 0
    images: int = 0


class OnePass:
    """Moments of the first n images for several n, and what is kept of the first few.

    bounds: those n; no moments are taken where there is none. Of several processes, `rank` of
    `world` is given blocks rank, rank + world, ... of BLOCK images each, and all call finish().
    """

    def __init__(
        self,
        extractor: Extractor,
        bounds: Sequence[int],
        keep: Keep,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.extractor, self.keep, self.rank, self.world = extractor, keep, rank, world
        self.n = 0
        """How many images this rank had; how many all had, once finish() was called."""
        self.position = rank * BLOCK
        """The number, in the whole stream, of the image that this rank's next block starts with."""
        self.given, self.rounded, self.negative = 0, 0, 0
        """How many images came as uint8 and as floats; 0 if no float was below 0."""
        self._end = 0
        self._intervals = list(pairwise([0, *sorted(set(bounds)), FOREVER])) if bounds else []
        self._parts = [Moments(extractor.n_features, extractor.device) for _ in self._intervals]
        self._features: list[tuple[int, Tensor]] = []
        self._logits: list[tuple[int, Tensor]] = []
        self._labels: list[tuple[int, Tensor]] = []
        self._images: list[tuple[int, Tensor]] = []
        self.labelled = 0
        """How many images came with a label."""
        self._shape = [0, 0, 0]

    def add(self, x: Tensor, labels: Tensor | None = None) -> None:
        """Take in this rank's next block (BLOCK, C, H, W), uint8 or float in [-1, 1], and what its
        images were asked for, int64 (BLOCK,); only the very last is shorter.
        """
        pixels = as_uint8(x)
        pool, logits = self.extractor(pixels)
        if x.dtype == torch.uint8:
            self.given += len(x)
        else:
            self.rounded += len(x)
            self.negative += int((x < 0).any())
        start, self._end = self.position, self.position + len(x)
        for part, (low, high) in zip(self._parts, self._intervals, strict=True):
            rows = pool[max(0, low - start) : max(0, high - start)]
            if len(rows):
                part.update(rows)
        _keep(self._features, start, pool, self.keep.features)
        _keep(self._logits, start, logits, self.keep.logits)
        _keep(self._labels, start, labels, self.keep.labels)
        _keep(self._images, start, pixels, self.keep.images)
        self.labelled += 0 if labels is None else len(labels)
        _, *self._shape = x.shape
        self.n += len(x)
        self.position += self.world * BLOCK

    def finish(self) -> None:
        """Bring together what all ranks took in."""
        sums = [self.n, self.given, self.rounded, self.negative, self.labelled]
        own, k = torch.tensor([*sums, self._end, *self._shape]), len(sums)
        counts = own.new_zeros(self.world, len(own)).to(self.extractor.device)
        counts[self.rank] = own
        self._all_reduce(counts)
        sums = counts[:, :k].sum(0).tolist()
        self.n, self.given, self.rounded, self.negative, self.labelled = sums
        end, *self._shape = counts[:, k:].amax(0).tolist()
        if end != self.n:
            raise ValueError("the ranks were not given every block of the stream once")
        if self.given and self.rounded:
            raise UserError("Some ranks were given uint8 and some floats: give all the same.")
        if self.world > 1:
            for part in self._parts:
                part.all_reduce()

    @property
    def rounding(self) -> str:
        """The protocol's field of that name."""
        return "round" if self.rounded else "given"

    def moments(self, n: int) -> Moments:
        """Of the first n images; n is one of the bounds, or the number of all images."""
        total = Moments(self.extractor.n_features, self.extractor.device)
        for part in self._parts:
            if total.n < n:
                total.merge(part)
        if total.n != n:
            raise ValueError(f"{n} is none of the bounds")
        return total

    def features(self) -> Tensor:
        """float32 (min(n, keep.features), D), in the order of the stream."""
        n = min(self.n, self.keep.features)
        return self._gather(self._features, torch.zeros(n, self.extractor.n_features))

    def logits(self) -> Tensor:
        """float32 (min(n, keep.logits), K), in the order of the stream."""
        n = min(self.n, self.keep.logits)
        return self._gather(self._logits, torch.zeros(n, self.extractor.n_classes))

    def labels(self) -> Tensor:
        """int64 (min(n, keep.labels),), in the order of the stream; all images had some."""
        n = min(self.n, self.keep.labels)
        return self._gather(self._labels, torch.zeros(n, dtype=torch.int64))

    def images(self) -> Tensor:
        """uint8 (min(n, keep.images), C, H, W), in the order of the stream."""
        n = min(self.n, self.keep.images)
        return self._gather(self._images, torch.zeros(n, *self._shape, dtype=torch.uint8))

    def _gather(self, parts: list[tuple[int, Tensor]], zeros: Tensor) -> Tensor:
        """All ranks' rows, each at its place; the others of a rank are zero and so may be added."""
        rows = zeros.to(self.extractor.device)
        for start, part in parts:
            rows[start : start + len(part)] = part
        self._all_reduce(rows)
        return rows

    def _all_reduce(self, x: Tensor) -> None:
        if self.world > 1:
            dist.all_reduce(x)


def _keep(parts: list[tuple[int, Tensor]], start: int, rows: Tensor | None, limit: int) -> None:
    if rows is not None and start < limit:
        parts.append((start, rows[: limit - start]))

"""One pass over a stream of images, from which every score is computed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.formats import BLOCK, check_extremes, extremes, rounded, seen
from ganlib.evaluation.statistics.moments import Moments

FOREVER = 2**62
Need = Literal["features", "logits", "labels", "images"]
"""Of what rows may be kept."""


class OnePass:
    """Moments of the first n images for several n, and what is kept of the first few.

    bounds: those n; no moments are taken where there is none. keep: of how many images what. Of
    several processes, `rank` of `world` is given blocks rank, rank + world, ... of BLOCK images
    each, and all call finish(). Sums are made in the order of the stream, so that they are to the
    last bit those of one process with the same features. rounding: of floats to bytes before the
    extractor sees them; what is kept of images is rounded in any case.
    """

    def __init__(
        self,
        extractor: Extractor,
        bounds: Sequence[int],
        keep: Mapping[Need, int],
        rank: int = 0,
        world: int = 1,
        rounding: bool = True,
    ) -> None:
        self.extractor, self.keep, self.rank, self.world = extractor, keep, rank, world
        self._as_bytes = rounding
        self.n = 0
        """How many images this rank had; how many all had, once finish() was called."""
        self.position = rank * BLOCK
        """The number, in the whole stream, of the image that this rank's next block starts with."""
        self.rounded, self.negative = 0, 0
        """How many images came as floats, the others as uint8; once finish() was called, 0 if no
        float was below 0.
        """
        self._extremes: list[Tensor] = []
        self._end = 0
        self._intervals = list(pairwise([0, *sorted(set(bounds)), FOREVER])) if bounds else []
        self._parts = [Moments(extractor.n_features, extractor.device) for _ in self._intervals]
        self._kept: dict[Need, list[tuple[int, Tensor]]] = {need: [] for need in keep}
        self.labelled = 0
        """How many images came with a label."""
        self._shape = [0, 0, 0]

    def add(self, x: Tensor, labels: Tensor | None = None) -> None:
        """Take in this rank's next block (BLOCK, C, H, W), uint8 or float in [-1, 1], and what its
        images were asked for, int64 (BLOCK,); only the very last is shorter.
        """
        pixels = rounded(x)
        pool, logits = self.extractor(seen(x, pixels, self._as_bytes))
        if x.dtype != torch.uint8:
            self.rounded += len(x)
            self._extremes.append(extremes(x))  # looked at in the end: the host waits for no GPU
        start, self._end = self.position, self.position + len(x)
        self._sum(pool)
        found = {"features": pool, "logits": logits, "labels": labels, "images": pixels}
        for need, limit in self.keep.items():
            kept = found[need]
            if kept is not None and start < limit:
                self._kept[need].append((start, kept[: limit - start]))
        self.labelled += 0 if labels is None else len(labels)
        _, *self._shape = x.shape
        self.n += len(x)
        self.position += self.world * BLOCK

    def finish(self) -> None:
        """Bring together what all ranks took in; UserError if it is no images in [-1, 1]."""
        nothing = torch.empty(0, self.extractor.n_features, device=self.extractor.device)
        while self.world > 1 and self._sum(nothing):  # with ranks that have a block more
            pass
        if self._extremes:
            found = torch.stack(self._extremes)
            check_extremes(found)
            self.negative = int(found.amin() < 0)
        sums = [self.n, self.rounded, self.negative, self.labelled]
        own, k = torch.tensor([*sums, self._end, *self._shape]), len(sums)
        counts = own.new_zeros(self.world, len(own)).to(self.extractor.device)
        counts[self.rank] = own
        self._all_reduce(counts)
        sums = counts[:, :k].sum(0).tolist()
        self.n, self.rounded, self.negative, self.labelled = sums
        end, *self._shape = counts[:, k:].amax(0).tolist()
        if end != self.n:
            raise ValueError("the ranks were not given every block of the stream once")
        if 0 < self.rounded < self.n:
            raise UserError("Some ranks were given uint8 and some floats: give all the same.")

    @property
    def rounding(self) -> str:
        """The protocol's field of that name."""
        if not self.rounded:
            return "given"
        return "round" if self._as_bytes else "none"

    def moments(self, n: int) -> Moments:
        """Of the first n images; n is one of the bounds, or the number of all images."""
        total = Moments(self.extractor.n_features, self.extractor.device)
        for part in self._parts:
            if total.n < n:
                total.merge(part)
        if total.n != n:
            raise ValueError(f"{n} is none of the bounds")
        return total

    def rows(self, need: Need) -> Tensor:
        """What is kept of that kind, in the order of the stream: features float32 (n, D), logits
        float32 (n, K), labels int64 (n,) if all images had some, images uint8 (n, C, H, W).
        """
        shape, dtype = {
            "features": ((self.extractor.n_features,), torch.float32),
            "logits": ((self.extractor.n_classes,), torch.float32),
            "labels": ((), torch.int64),
            "images": (tuple(self._shape), torch.uint8),
        }[need]
        n = min(self.n, self.keep[need])
        # each rank's at their places; the others of a rank are zero and so may be added
        rows = torch.zeros(n, *shape, dtype=dtype, device=self.extractor.device)
        for start, part in self._kept[need]:
            rows[start : start + len(part)] = part
        self._all_reduce(rows)
        return rows

    def _sum(self, features: Tensor) -> bool:
        """Take the features (n, D) of this round's blocks into the moments, each rank all of them;
        False if no rank had any.
        """
        first, blocks = self.position - self.rank * BLOCK, [features]
        if self._parts and self.world > 1:
            blocks = self.world * [features]
            dist.all_gather_object(blocks, features.cpu())
        for k, block in enumerate(blocks):
            start = first + k * BLOCK
            for part, (low, high) in zip(self._parts, self._intervals, strict=True):
                rows = block[max(0, low - start) : max(0, high - start)]
                if len(rows):
                    part.update(rows)
        return any(len(block) for block in blocks)

    def _all_reduce(self, x: Tensor) -> None:
        if self.world > 1:
            dist.all_reduce(x)

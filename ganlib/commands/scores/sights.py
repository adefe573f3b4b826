"""What scores see: real images made worse in known ways, each score of them beside that of others
left as they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.evaluation import Evaluator
from ganlib.evaluation.comparison.table import Column, figures
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.metrics.base import METRICS, counted
from ganlib.evaluation.statistics.references import Progress

SCORED = (*METRICS, "fid_infinity", "mind", "cmmd", "vendi", "authpct", "fld")
LEVELS = 16  # of 255
SEEN, BLIND, FOOLED = "+", ".", "-"
"""Marks: each changed set scores worse than each that is as it was; neither; each scores better."""


def blurred(x: Tensor, side: int) -> Tensor:
    """The mean of the side x side pixels around each, where borders are repeated outwards."""
    padded = F.pad(x.float(), (side // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, side, 1).round().to(torch.uint8)


def noisy(x: Tensor) -> Tensor:
    """With Gaussian noise of LEVELS levels in each value."""
    noise = LEVELS * torch.randn(x.shape, generator=generator(0, "floors"))
    return (x + noise).round().clamp(0, 255).to(torch.uint8)


class Pool(NamedTuple):
    """Real images in a random order, with their labels: unseen ones, which stand for samples, and
    the training images that samples are compared with.
    """

    unseen: Tensor
    unseen_labels: Tensor
    train: Tensor
    train_labels: Tensor


def _part(pool: Pool, k: int, n: int) -> Tensor:
    return pool.unseen[k * n : (k + 1) * n]


def _uneven(pool: Pool, k: int, n: int) -> Tensor:
    often = pool.train_labels.double() + 1  # classes as 1 : 2 : 3 : ...
    return pool.train[torch.multinomial(often, n, generator=generator(k, "uneven"))]


CHANGES: Mapping[str, Callable[[Pool, int, int], Tensor]] = {
    "blur": lambda pool, k, n: blurred(_part(pool, k, n), 3),
    "noise": lambda pool, k, n: noisy(_part(pool, k, n)),
    "a class dropped": lambda pool, k, n: pool.unseen[pool.unseen_labels > 0][k * n : (k + 1) * n],
    "half of them twice": lambda pool, k, n: _part(pool, k, n)[: n // 2].repeat(2, 1, 1, 1),
    "training images": lambda pool, k, n: pool.train[k * n : (k + 1) * n],
    "training images, classes uneven": _uneven,
}
"""The n images of the k-th changed set."""


@dataclass(frozen=True)
class Sight:
    """A score's values for the sets as they are, and by name of the change for the changed ones.

    name: without the number of images.
    """

    name: str
    better: str
    unchanged: Sequence[float]
    changed: Mapping[str, Sequence[float]]

    def mark(self, change: str) -> str:
        """SEEN, BLIND or FOOLED."""
        badness = Column(self.name, "", {}, better=self.better).badness
        before, after = ([badness(x) for x in of] for of in (self.unchanged, self.changed[change]))
        if min(after) > max(before):
            return SEEN
        return FOOLED if max(after) < min(before) else BLIND

    @property
    def marks(self) -> str:
        """One for each change."""
        return "".join(map(self.mark, self.changed))

    def __str__(self) -> str:
        words = [f"{x} {self.mark(x)} {figures(fmean(of))}" for x, of in self.changed.items()]
        return f"{self.name} {figures(fmean(self.unchanged))}; {', '.join(words)}"


def sights(
    extractor: Extractor,
    real: Mapping[str, DataSet],
    progress: Progress,
    metrics: Sequence[str] = SCORED,
    n: int = 1400,
    sets: int = 4,
) -> Iterator[Sight]:
    """Of each score of these metrics that has a better direction, by `sets` sets of n images.

    real: "train" and "test", with labels. Two thirds of the test images stand for samples; these
    are compared with the others and with as many training images.
    """
    train, test = real["train"], real["test"]
    unseen, rest = _shuffled(test, 0, len(test) * 2 // 3), _shuffled(test, len(test) * 2 // 3)
    pool = Pool(*unseen, *_shuffled(train, 0, len(unseen[0])))
    evaluator = Evaluator(extractor, {"train": pool.train, "test": rest[0]})
    makers = {"": _part, **CHANGES}
    found: dict[str, dict[str, list[float]]] = {}
    better: dict[str, str] = {}
    for done, (k, change) in enumerate(product(range(sets), makers)):
        progress("changed sets", done, sets * len(makers))
        for score in evaluator([makers[change](pool, k, n)], metrics).scores.values():
            name = score.name.replace(counted("", n), "", 1)
            found.setdefault(name, {}).setdefault(change, []).append(score.value)
            better[name] = score.better
    for name, values in found.items():
        if better[name]:
            yield Sight(name, better[name], values.pop(""), values)


def _shuffled(data: DataSet, start: int, end: int | None = None) -> tuple[Tensor, Tensor]:
    """Images and labels from `start` to before `end` in a random order of all."""
    rows = torch.randperm(len(data), generator=generator(0, "sights", len(data)))[start:end]
    assert data.y is not None
    return data.x[rows], data.y[rows]

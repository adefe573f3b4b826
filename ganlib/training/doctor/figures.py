"""What the doctor measures between two updates. Nothing of the run moves: evaluation mode, random
numbers and an order of images of its own.
"""

from collections.abc import Callable
from contextlib import suppress
from math import isnan
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import POINTS, Batch, DataSet, Loader
from ganlib.common.layers import evaluating
from ganlib.common.seeds import generator
from ganlib.config import AlgorithmConfig
from ganlib.training.samples.bn_statistics import of_the_batch
from ganlib.training.samples.sample_stream import full_size
from ganlib.training.update.streams import Stage
from ganlib.training.updater import Updater

Classify = Callable[[Tensor], Tensor]
"""Images (N, C, H, W) in [-1, 1] -> their classes, int64 (N,); -1 for none."""

SEED, RARE, OFTEN = 0, 6, 20
"""Of the samples; and how many of a class they would have on average if it is to be missed; and how
many pairs are to share a label by chance, if more or fewer are to say something."""
FEW, SAMPLES, NEIGHBOURS = 64, 128, 512
"""Images that D sees of each kind, samples, and training images that are compared with them."""
IN_A_FILE = 128
"""Of so many training images those are read that lie in files."""
SIDE = 16
"""Pixels in each direction at which images are compared, as means over areas."""
EPS, SAME = 1e-6, 1e-3


def images(config: AlgorithmConfig) -> int:
    """Of so many images of each kind D is asked: fewer where batches are small."""
    return min(FEW, max(FEW // 4, config.batch_size))


class Look(NamedTuple):
    """What was seen at an iteration: numbers by name, and of which classes no sample was."""

    numbers: dict[str, float]
    missing: tuple[str, ...] = ()


class Figures:
    """Of a run of `updater`, measured each time this is called.

    test: images that were held out. classify: what tells the classes of samples.
    """

    def __init__(
        self, updater: Updater, test: DataSet | None, classify: Classify | None = None
    ) -> None:
        self.updater, self.classify = updater, classify
        data, self.stream = updater.data.data, updater.sample_stream(SEED)
        n = images(updater.config)
        self.n, self.n_samples = min(n, len(data)), SAMPLES * n // FEW
        k = min(len(data), NEIGHBOURS if isinstance(data.x, Tensor) else IN_A_FILE)
        self.near = torch.randperm(len(data), generator=generator("doctor"))[:k]
        self.held_out = _held_out(updater, test)
        there = 0 if self.held_out is None else len(self.held_out.data)
        self.new = torch.randperm(there, generator=generator("doctor"))[: self.n]
        self.latents: tuple[Tensor, Tensor | None] | None = None
        self._real: tuple[Stage, Tensor, float, float] | None = None

    @torch.no_grad()
    def __call__(self) -> Look:
        """The figures now."""
        updater, n = self.updater, self.n_samples
        norms = {f"grad_{name}": float(norm) for name, norm in updater.steps.norms.items()}
        self.stream.gen = getattr(updater, updater.averaged)  # what trains, and no average
        z, y = self.latents = self.latents or self.stream.latents(range(n))
        with self.stream.noise(range(n)):
            x = self.stream.made(self.stream.code(z, y), y)
        whole = updater.spec.to_native(full_size(x, updater.spec.image)).clamp(-1, 1)
        y = None if updater.config.condition == "unpaired" else y  # of which D is not told
        norms = {name: norm for name, norm in norms.items() if not isnan(norm)}
        numbers = norms | self._distances(x) | self._opinions(Batch(x, y))
        if self.classify is None:
            return Look(numbers)
        found, names = self.classify(whole), updater.data.data.classes
        counts = torch.bincount(found[found >= 0], minlength=len(names)).tolist()
        every = zip(names, counts, updater.spec.shares, strict=True)
        missing = tuple(name for name, k, share in every if not k and share * n >= RARE)
        known = {"classes": float(sum(k > 0 for k in counts)), "missing": float(len(missing))}
        return Look({**numbers, **known}, missing)

    def _distances(self, x: Tensor) -> dict[str, float]:
        """spread: the mean distance of two samples, in that of two training images. nearest: the
        median distance of a sample from the nearest training image, in that of another training
        image; left out where most of these are there twice. contrast: the deviation inside of a
        sample, in that of a training image.
        """
        real, distance, nearest = self._reals()
        x = _pooled(full_size(x.float(), self.updater.spec.image))
        found = {
            "spread": float(_mean_distance(x)) / max(distance, EPS),
            "contrast": float(x.std(1).mean()) / max(float(real.std(1).mean()), EPS),
        }
        if nearest > SAME * distance:
            found["nearest"] = float(torch.cdist(x, real).min(1).values.median()) / nearest
        return found

    def _reals(self) -> tuple[Tensor, float, float]:
        """Training images, the mean distance of two, and the median one of the nearest."""
        stage, data = self.updater.current, self.updater.data
        if self._real is None or self._real[0] != stage:
            parts = torch.split(self.near, self.n)
            whole = [full_size(data.images_at(part), self.updater.spec.image) for part in parts]
            real = torch.cat([_pooled(x) for x in whole])
            apart = torch.cdist(real, real).fill_diagonal_(torch.inf)
            nearest = float(apart.min(1).values.median())
            self._real = stage, real, float(_mean_distance(real)), nearest
        return self._real[1:]

    def _opinions(self, fake: Batch) -> dict[str, float]:
        """What D gives on average to training, held-out and generated images; and auc: how often it
        gives a training image more than a generated one.
        """
        updater, n = self.updater, self.n
        if critic(updater, Batch(fake.x[:2], None if fake.y is None else fake.y[:2])) is None:
            return {}
        batches = {"train": _at(updater.data, self.near[:n])}
        if self.held_out is not None:
            batches["test"] = _at(self.held_out, self.new)
        batches["fake"] = Batch(fake.x[:n], None if fake.y is None else fake.y[:n])
        found = {name: critic(updater, batch) for name, batch in batches.items()}
        known = {name: y.float() for name, y in found.items() if y is not None}
        train, fake_y = known["train"], known["fake"]
        above = (train[:, None] > fake_y).float() + (train[:, None] == fake_y).float() / 2
        deviation = ((train.var() + fake_y.var()) / 2).sqrt().clamp(min=EPS)
        return {
            **{f"dis_{name}": float(y.mean()) for name, y in known.items()},
            "auc": float(above.mean()),
            "apart": float((train.mean() - fake_y.mean()) / deviation),
        }


def critic(updater: Updater, batch: Batch) -> Tensor | None:
    """What D gives each of a batch of images, (N,), as in training but for what it draws: of its
    patches the mean. None where there is no D, or it gives no such number.
    """
    dis = getattr(updater, "dis", None)
    if dis is None:
        return None
    ask, y = getattr(updater, "critic", dis), None
    with evaluating(dis), of_the_batch(dis):
        for told in (batch, batch[:1]):
            with suppress(TypeError):  # of a D that is told less than this, or more
                y = ask(*told)
                break
    y = y[0] if isinstance(y, tuple) else y
    several = isinstance(y, Tensor) and y.shape[1:].numel() > 1
    if not isinstance(y, Tensor) or (several and (y.dim() != 4 or y.shape == batch.x.shape)):
        return None
    return y.flatten(1).mean(1) if y.dim() > 1 else y


def _at(loader: Loader, index: Tensor) -> Batch:
    """The images with these numbers, as still() gives them, and what D is told of them."""
    told = loader.condition in ("labels", "images")
    return Batch(loader.images_at(index), loader.condition_at(index) if told else None)


@torch.no_grad()
def of_data(updater: Updater, index: Tensor) -> dict[str, float]:
    """Of the training images with these numbers. data_deviation: of pixels, in [-1, 1], inside of
    an image or between images, whichever is less. data_distinct: which part of the images is not
    another one again; left out of points. data_labels: how many standard deviations oftener than by
    chance the image nearest to another has its label; left out where it would too seldom by chance.
    """
    data = updater.data.data
    x = torch.cat([_pooled(data.x[part] / 127.5 - 1) for part in torch.split(index, FEW)])
    if data.shape == POINTS:
        found = {}
    else:
        deviation = min(float(x.std(0).mean()), float(x.std(1).mean()))
        found = {"data_deviation": deviation, "data_distinct": len(torch.unique(x, dim=0)) / len(x)}
    if data.y is None or found.get("data_distinct", 1) < 0.5:
        return found
    y = data.y[index]
    chance = float((torch.bincount(y) / len(y)).square().sum())
    if chance * len(y) >= OFTEN:
        nearest = torch.cdist(x, x).fill_diagonal_(torch.inf).argmin(1)
        oftener = float((y[nearest] == y).float().mean()) - chance
        found["data_labels"] = oftener / (max(chance * (1 - chance), EPS) / len(y)) ** 0.5
    return found


def _held_out(updater: Updater, test: DataSet | None) -> Loader | None:
    """Of images that D has not seen, with what they are told; None if there are none."""
    if updater.config.translates:
        return updater.held_out if updater.held_out_split == "test" else None
    if test is None or (updater.config.condition == "labels" and test.y is None):
        return None
    return updater.data.over(test)


def _pooled(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return F.adaptive_avg_pool2d(x, (min(SIDE, height), min(SIDE, width))).flatten(1)


def _mean_distance(rows: Tensor) -> Tensor:
    """Of two different ones."""
    n = len(rows)
    return torch.cdist(rows, rows).sum() / max(1, n * (n - 1))

"""Pictures of what the generator makes of the same noise as it learns; and what the rows of such
pictures are: a class each, or a held-out source each.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganlib.common import pictures
from ganlib.common.data import POINTS
from ganlib.common.generator import has_noise
from ganlib.common.seeds import generator
from ganlib.training.samples.sample_stream import BLOCK, Sampler, SampleStream
from ganlib.training.scores.pairs import several
from ganlib.training.trainer import Extension, Trainer, Trigger
from ganlib.training.updater import Updater

DOTS = 2000  # samples, and real points, in a scatter plot
CLASSES = 16
"""Of more classes the first so many are shown where none are asked for."""
EACH = 8
"""Samples of each class where no number is asked for."""
SOURCES = 24
"""Sources where no number is asked for."""
OUTPUTS = 3
"""Outputs for one source, of a generator that makes different ones."""


class SampleGrid(Extension):
    """Write samples/<iteration>.png from fixed noise, and the algorithm's own pictures; sequences
    as a .gif too. Before the first iteration the grid of the untrained generator, and real.png with
    as many images of the data.

    n: how many samples; of a generator of classes there is a row for each instead, see class_rows,
    and of one that translates each is beside its source and the truth, see translations.
    """

    name = "sample_grid"

    def __init__(self, trigger: Trigger, n: int = 64, seed: int = 0) -> None:
        self.trigger, self.n, self.seed = trigger, n, seed

    def initialize(self, trainer: Trainer) -> None:
        if trainer.iteration == 0 and self.trigger(trainer):
            self._grid(trainer)
            real = self.path(trainer).with_name("real.png")
            trainer.pictures["real"] = _write(self._real(trainer.updater), real)

    def __call__(self, trainer: Trainer) -> None:
        path = self._grid(trainer)
        for name, picture in trainer.updater.pictures(self.seed).items():
            trainer.pictures[name] = _write(picture, path.with_name(f"{name}_{path.name}"))

    def _grid(self, trainer: Trainer) -> Path:
        path = self.path(trainer)
        path.parent.mkdir(exist_ok=True)
        trainer.pictures["samples"] = _write(self._samples(trainer.updater), path)
        return path

    def _samples(self, updater: Updater) -> Image.Image | Tensor:
        stream = updater.sample_stream(self.seed)
        if updater.spec.native == POINTS:
            x = torch.cat(list(updater.sample(DOTS, self.seed)))
            return pictures.scatter(x, _real(updater, DOTS))
        if classes := shown_classes(updater):
            return pictures.class_grid(class_rows(stream, classes))
        if shows_translations(updater):
            return pictures.translation_grid(translations(stream))
        x = torch.cat(list(updater.sample(self.n, self.seed)))
        return pictures.apart(x, updater.spec.frames)

    def _real(self, updater: Updater) -> Image.Image | Tensor:
        labelled = updater.config.condition == "labels"
        if rows := list(_real_rows(updater, shown_classes(updater) if labelled else [])):
            return pictures.class_grid(rows)
        n = DOTS if updater.spec.native == POINTS else self.n
        return pictures.apart(_real(updater, n), updater.spec.frames)

    def path(self, trainer: Trainer) -> Path:
        """Where the grid of this iteration goes."""
        return trainer.out / "samples" / f"{trainer.iteration:07d}.png"

    def finalize(self, trainer: Trainer) -> None:
        if not self.path(trainer).exists():
            self(trainer)


def _real(updater: Updater, n: int) -> Tensor:
    """At most n images of the data, float (N, C, H, W) in [-1, 1]; points are those ahead, images
    may be sorted and are from all over them.
    """
    x = updater.data.data.x
    every = torch.arange(len(x)) if updater.spec.native == POINTS else _shuffled(len(x))
    return x[every[:n]] / 127.5 - 1


def _real_rows(updater: Updater, classes: list[int]) -> Iterator[tuple[str, Tensor]]:
    """Of each class its name and at most EACH real images; a class without any is left out."""
    data, names = updater.data.data, updater.spec.class_names
    every = _shuffled(len(data))
    for k in classes:
        assert data.y is not None
        of_class = every[data.y[every] == k][:EACH]
        if len(of_class):
            yield names[k], data.x[of_class] / 127.5 - 1


def _shuffled(n: int) -> Tensor:
    return torch.randperm(n, generator=generator("real"))


def _write(images: Image.Image | Tensor | tuple[Tensor, int], path: Path) -> Image.Image:
    """A picture, images (N, C, H, W), perhaps with how many stand in a row, or sequences
    (N, T, C, H, W) as the .png `path`; sequences also move, in a .gif beside it. Returns the
    picture.
    """
    x, *columns = images if isinstance(images, tuple) else (images,)
    picture = pictures.grid(x, *columns) if isinstance(x, Tensor) else x
    pictures.save(picture, path)
    if isinstance(x, Tensor) and x.dim() == 5:
        pictures.save_animation(pictures.moving_grid(x), path.with_suffix(".gif"))
    return picture


def shown_classes(sampler: Sampler) -> list[int]:
    """The classes that a grid of samples has rows for; none if there are none to ask for, or of
    points, or of sequences, each of which is a row already.
    """
    spec = sampler.spec
    if spec.native == POINTS or spec.frames > 1:
        return []
    return list(range(min(CLASSES, len(sampler.classes))))


def parts(n: int | None, classes: int) -> list[int]:
    """How many of n samples each of so many classes has: equally many, and one more the first ones
    where they do not divide. None: EACH of each.
    """
    if n is None:
        return classes * [EACH]
    few, more = divmod(n, classes)
    return [few + (k < more) for k in range(classes)]


def class_rows(
    stream: SampleStream, classes: Sequence[int], n: int | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Of each class its name and its share of n samples, float (m, C, H, W) in [-1, 1] on the CPU:
    samples 0, 1, ... of the stream, of this class. A class without a share is left out.
    """
    names = stream.networks.classes
    for k, m in zip(classes, parts(n, len(classes)), strict=True):
        of_class = stream.with_condition(k)
        blocks = [range(start, min(start + BLOCK, m)) for start in range(0, m, BLOCK)]
        if blocks:
            yield names[k], torch.cat([of_class.images(block).cpu() for block in blocks])


def shows_translations(updater: Updater) -> bool:
    """Whether it translates single pictures; sequences are shown as such."""
    spec = updater.spec
    single = spec.frames == spec.source_frames == 1
    return updater.config.translates and single


def translations(stream: SampleStream, n: int = SOURCES) -> dict[str, Tensor]:
    """Of at most n held-out sources of a stream, which are each shown once: by their titles columns
    of images (m, C, H, W), all of one shape, or (m, k, C, H, W), in [-1, 1] on the CPU. Sources
    that are maps are shown by their classes in colours.
    """
    data, n = stream.held_out.data, min(n, stream.held_out.n_sources)
    index = stream.held(range(n)).cpu()
    assert data.source is not None
    y = data.source[index]
    y = y if data.source_kind == "image" else pictures.coloured_maps(y[:, 0])
    columns = {"source": y / 127.5 - 1}
    if has_noise(stream.networks.sampling_gen):
        columns["outputs"] = several(stream, n, OUTPUTS).cpu()
    else:
        columns["output"] = stream.images(range(n)).cpu()
    if data.paired:
        columns["truth"] = data.x[index] / 127.5 - 1
    channels = max(x.shape[-3] for x in columns.values())
    size = columns["output" if "output" in columns else "outputs"].shape[-2:]
    return {name: _fitted(x, channels, size) for name, x in columns.items()}


def _fitted(x: Tensor, channels: int, size: torch.Size) -> Tensor:
    """Grey in all channels; smaller pictures with their pixels as squares."""
    if x.shape[-3] == 1:
        x = x.expand(*x.shape[:-3], channels, *x.shape[-2:])
    if x.shape[-2:] == size:
        return x
    return torch.nn.functional.interpolate(x, size, mode="nearest-exact")

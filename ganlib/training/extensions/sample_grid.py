"""Pictures of what the generator makes of the same noise as it learns."""

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import POINTS
from ganlib.common.pictures import apart, grid, moving_grid, save, save_animation, scatter
from ganlib.common.pictures.grids import class_grid, translation_grid
from ganlib.common.seeds import generator
from ganlib.training.samples.grid_rows import (
    EACH,
    class_rows,
    shown_classes,
    shows_translations,
    translations,
)
from ganlib.training.trainer import Extension, Trainer, Trigger
from ganlib.training.updater import Updater

DOTS = 2000  # samples, and real points, in a scatter plot


class SampleGrid(Extension):
    """Write samples/<iteration>.png from fixed noise, and the algorithm's own pictures; sequences
    as a .gif too. Before the first iteration the grid of the untrained generator, and real.png with
    as many images of the data.

    n: how many samples; of a generator of classes there is a row for each instead, see
    class_rows.py, and of one that translates each is beside its source and the truth, see
    translations.py.
    """

    name = "sample_grid"

    def __init__(self, trigger: Trigger, n: int = 64, seed: int = 0) -> None:
        self.trigger, self.n, self.seed = trigger, n, seed

    def initialize(self, trainer: Trainer) -> None:
        if trainer.iteration == 0 and self.trigger(trainer):
            self._grid(trainer)
            self._real(trainer)

    def __call__(self, trainer: Trainer) -> None:
        self._grid(trainer)
        path = self.path(trainer)
        for name, picture in trainer.updater.pictures(self.seed).items():
            trainer.pictures[name] = _write(picture, path.with_name(f"{name}_{path.name}"))

    def _grid(self, trainer: Trainer) -> None:
        updater, path = trainer.updater, self.path(trainer)
        path.parent.mkdir(exist_ok=True)
        if updater.spec.native == POINTS:
            picture = scatter(
                torch.cat(list(updater.sample(DOTS, self.seed))), _real(updater, DOTS)
            )
            save(picture, path)
        elif classes := shown_classes(updater):
            picture = class_grid(class_rows(updater.sample_stream(self.seed), classes))
            save(picture, path)
        elif shows_translations(updater):
            picture = translation_grid(translations(updater, self.seed))
            save(picture, path)
        else:
            samples = torch.cat(list(updater.sample(self.n, self.seed)))
            picture = _write(apart(samples, updater.spec.frames), path)
        trainer.pictures["samples"] = picture

    def _real(self, trainer: Trainer) -> None:
        updater, path = trainer.updater, self.path(trainer).with_name("real.png")
        labelled = updater.config.condition == "labels"
        if rows := list(_real_rows(updater, shown_classes(updater) if labelled else [])):
            trainer.pictures["real"] = picture = class_grid(rows)
            save(picture, path)
            return
        n = DOTS if updater.spec.native == POINTS else self.n
        trainer.pictures["real"] = _write(apart(_real(updater, n), updater.spec.frames), path)

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


def _write(shown: Tensor | tuple[Tensor, int], path: Path) -> Image.Image:
    """Images (N, C, H, W), perhaps with how many stand in a row, or sequences (N, T, C, H, W) as
    the .png `path`; sequences also move, in a .gif beside it. Returns the picture.
    """
    x, *columns = shown if isinstance(shown, tuple) else (shown,)
    picture = grid(x, *columns)
    save(picture, path)
    if x.dim() == 5:
        save_animation(moving_grid(x), path.with_suffix(".gif"))
    return picture

"""Pictures of what the generator makes of the same noise as it learns."""

from pathlib import Path

import torch
from PIL import Image

from ganlib.common.data import POINTS
from ganlib.common.pictures import grid, save, scatter
from ganlib.training.trainer import Extension, Trainer, Trigger
from ganlib.training.updater import Updater

DOTS = 2000  # samples, and real points, in a scatter plot


class SampleGrid(Extension):
    """Write samples/<iteration>.png from fixed noise, and the algorithm's own pictures."""

    name = "sample_grid"

    def __init__(self, trigger: Trigger, n: int = 64, seed: int = 0) -> None:
        self.trigger, self.n, self.seed = trigger, n, seed

    def __call__(self, trainer: Trainer) -> None:
        path = self.path(trainer)
        path.parent.mkdir(exist_ok=True)
        save(self._picture(trainer.updater), path)
        for name, picture in trainer.updater.pictures(self.seed).items():
            save(grid(picture), path.with_name(f"{name}_{path.name}"))

    def _picture(self, updater: Updater) -> Image.Image:
        if updater.spec.native != POINTS:
            return grid(torch.cat(list(updater.sample(self.n, self.seed))))
        data = updater.data.data
        real = data.x[torch.arange(min(DOTS, len(data)))] / 127.5 - 1
        return scatter(torch.cat(list(updater.sample(DOTS, self.seed))), real)

    def path(self, trainer: Trainer) -> Path:
        """Where the grid of this iteration goes."""
        return trainer.out / "samples" / f"{trainer.iteration:07d}.png"

    def finalize(self, trainer: Trainer) -> None:
        if not self.path(trainer).exists():
            self(trainer)

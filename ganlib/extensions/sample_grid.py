"""Pictures of what the generator makes of the same noise as it learns."""

from pathlib import Path

import torch

from common.pictures import grid, save
from ganlib.trainer import Extension, Trainer, Trigger


class SampleGrid(Extension):
    """Write samples/<iteration>.png from fixed noise, and the algorithm's own pictures."""

    name = "sample_grid"

    def __init__(self, trigger: Trigger, n: int = 64, seed: int = 0) -> None:
        self.trigger, self.n, self.seed = trigger, n, seed

    def __call__(self, trainer: Trainer) -> None:
        images = torch.cat(list(trainer.updater.sample(self.n, self.seed)))
        path = self.path(trainer)
        path.parent.mkdir(exist_ok=True)
        save(grid(images), path)
        for name, picture in trainer.updater.pictures(self.seed).items():
            save(grid(picture), path.with_name(f"{name}_{path.name}"))

    def path(self, trainer: Trainer) -> Path:
        """Where the grid of this iteration goes."""
        return trainer.out / "samples" / f"{trainer.iteration:07d}.png"

    def finalize(self, trainer: Trainer) -> None:
        if not self.path(trainer).exists():
            self(trainer)

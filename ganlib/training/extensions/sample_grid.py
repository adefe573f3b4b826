"""Pictures of what the generator makes of the same noise as it learns."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import POINTS
from ganlib.common.pictures import apart, grid, moving_grid, save, save_animation, scatter
from ganlib.training.trainer import Extension, Trainer, Trigger
from ganlib.training.updater import Updater

DOTS = 2000  # samples, and real points, in a scatter plot


class SampleGrid(Extension):
    """Write samples/<iteration>.png from fixed noise, and the algorithm's own pictures; sequences
    as a .gif too.
    """

    name = "sample_grid"

    def __init__(self, trigger: Trigger, n: int = 64, seed: int = 0) -> None:
        self.trigger, self.n, self.seed = trigger, n, seed

    def __call__(self, trainer: Trainer) -> None:
        path = self.path(trainer)
        path.parent.mkdir(exist_ok=True)
        updater = trainer.updater
        if updater.spec.native == POINTS:
            save(self._points(updater), path)
        else:
            samples = torch.cat(list(updater.sample(self.n, self.seed)))
            _write(apart(samples, updater.spec.frames), path)
        for name, picture in updater.pictures(self.seed).items():
            _write(picture, path.with_name(f"{name}_{path.name}"))

    def _points(self, updater: Updater) -> Image.Image:
        data = updater.data.data
        real = data.x[torch.arange(min(DOTS, len(data)))] / 127.5 - 1
        return scatter(torch.cat(list(updater.sample(DOTS, self.seed))), real)

    def path(self, trainer: Trainer) -> Path:
        """Where the grid of this iteration goes."""
        return trainer.out / "samples" / f"{trainer.iteration:07d}.png"

    def finalize(self, trainer: Trainer) -> None:
        if not self.path(trainer).exists():
            self(trainer)


def _write(x: Tensor, path: Path) -> None:
    """Images (N, C, H, W) or sequences (N, T, C, H, W) as the .png `path`; sequences also move, in
    a .gif beside it.
    """
    save(grid(x), path)
    if x.dim() == 5:
        save_animation(moving_grid(x), path.with_suffix(".gif"))

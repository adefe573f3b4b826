"""What methods with an encoder show: images beside their reconstructions, and test images."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.training.samples.sample_stream import BLOCK
from ganlib.training.updater import Updater

N = 32
"""How many images are shown, each followed by its reconstruction."""


class Reconstructing(Updater):
    """An updater that can encode an image and decode it again."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) at the networks' size in [-1, 1] from images like them."""
        raise TypeError(f"{type(self).__name__} has no reconstruct()")

    def pictures(self, seed: int) -> dict[str, Tensor]:
        """reconstructions: N training images that `seed` chooses, each followed by its own."""
        if not self.streams:
            return {}
        data = self.data.fork("reconstructions").share(0, 1)
        data.seed, data.batch_size = seed, N
        x, _ = next(data)
        pairs = torch.stack([x, self.reconstruct(x)], 1).flatten(0, 1)
        return {"reconstructions": self.spec.to_native(pairs.float()).clamp(-1, 1)}

    def each(self, data: DataSet) -> Iterator[Tensor]:
        """Batches (n, C, H, W) that hold every image of `data` once, never mirrored."""
        loader = self.data.over(data).share(0, 1).still()  # all of it, on every rank
        for start in range(0, len(data), BLOCK):
            loader.batch_size = min(BLOCK, len(data) - start)
            yield next(loader).x

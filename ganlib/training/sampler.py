"""Samples of an algorithm's generator. Nothing here needs training data."""

from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Loader
from ganlib.common.errors import UserError
from ganlib.common.layers import evaluating
from ganlib.common.net import Generator
from ganlib.common.seeds import generator
from ganlib.config import AlgorithmConfig

# latents are drawn in blocks of this many, so that sample i does not depend on the batch size
BLOCK = 256


class Sampler(nn.Module):
    """An algorithm's networks, under their names, and what they show.

    average: the moving average of the network that is called `averaged`, or None. held_out: sources
    for samples, where the condition is an image.
    """

    gen: Generator
    averaged: str
    generate: Callable[[nn.Module, Tensor, Tensor | None], Tensor]

    def __init__(
        self, config: AlgorithmConfig, spec: DataSpec, networks: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        for name, network in networks.items():
            setattr(self, name, network)
        self.average: nn.Module | None = None
        self.held_out: Loader | None = None

    @torch.no_grad()
    def sample(
        self, n: int, seed: int, batch_size: int = BLOCK, truncation: float | None = None
    ) -> Iterator[Tensor]:
        """n images in batches, float NCHW in [-1, 1] at the data's own size; image i depends on
        (seed, i).

        By the moving average if there is one, in evaluation mode; training is not disturbed.
        """
        for start in range(0, n, batch_size):
            z, y = self.latents(range(start, min(start + batch_size, n)), seed)
            yield self.decode(z if truncation is None else self.gen.truncate(z, truncation), y)

    def latents(self, numbers: range | list[int], seed: int) -> tuple[Tensor, Tensor | None]:
        """The latents and conditions of the samples with these numbers."""
        blocks = {k: self._block(k, seed) for k in {i // BLOCK for i in numbers}}
        z = torch.stack([blocks[i // BLOCK][0][i % BLOCK] for i in numbers])
        y = [
            condition[i % BLOCK]
            for i in numbers
            if (condition := blocks[i // BLOCK][1]) is not None
        ]
        return z, torch.stack(y) if y else None

    @torch.no_grad()
    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for z by the network that samples, float NCHW in [-1, 1], at the data's size."""
        gen = self.average if self.average is not None else getattr(self, self.averaged)
        with evaluating(gen):
            images = self.generate(gen, z, y).float()
            if images.shape[2:] != self.spec.image[1:]:  # of a stage of smaller ones
                images = F.interpolate(images, self.spec.image[1:])
            return self.spec.to_native(images).clamp(-1, 1)

    def _block(self, k: int, seed: int) -> tuple[Tensor, Tensor | None]:
        # drawn on the CPU, so that a seed shows the same pictures on every device
        random = generator(seed, "sample", k)
        z, y = self.gen.make_hidden(BLOCK, random), self._condition(BLOCK, random)
        return z, None if y is None else y.to(z.device)

    def _condition(self, n: int, random: torch.Generator) -> Tensor | None:
        if self.config.condition == "labels":
            return torch.randint(self.spec.n_classes, (n,), generator=random)
        if self.config.condition in ("images", "unpaired"):
            if self.held_out is None:
                raise UserError(
                    "This generator translates images: give the data set that holds them."
                )
            index = torch.randint(self.held_out.n_sources, (n,), generator=random)
            return self.held_out.condition_at(index)
        return None

"""Noise inside of a generator: new in every step of training, in sampling the sample's own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganlib.common.generator import Generator
from ganlib.common.seeds import generator


class Dropout(nn.Dropout):
    """Dropout that is a generator's noise, as in pix2pix (Isola et al. 2017, section 3.1).

    In training mode nn.Dropout's. In evaluation mode everything passes, but within masks_by(),
    where every sample has the mask of its own seed, whatever else is in its batch.
    """

    seeds: Sequence[int] = ()
    number = 0
    """Which of its network's; two of them make two masks of one seed."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        if self.training or not self.seeds:
            return super().forward(input)
        # drawn on the CPU, so that a seed shows the same pictures on every device
        draws = [
            torch.rand(input.shape[1:], generator=generator(seed, "dropout", self.number))
            for seed in self.seeds
        ]
        kept = torch.stack(draws).to(input.device) >= self.p
        return input * kept / max(1 - self.p, torch.finfo(input.dtype).tiny)


@contextmanager
def masks_by(network: nn.Module, seeds: Sequence[int]) -> Iterator[None]:
    """Let each Dropout in `network` drop out in evaluation mode too, in row j of a batch by
    seeds[j].
    """
    layers = [layer for layer in network.modules() if isinstance(layer, Dropout)]
    for number, layer in enumerate(layers):
        layer.seeds, layer.number = seeds, number
    try:
        yield
    finally:
        for layer in layers:
            layer.seeds = ()


def has_noise(gen: Generator) -> bool:
    """Whether it makes different images of one source."""
    return gen.n_hidden > 0 or any(isinstance(m, Dropout) and m.p > 0 for m in gen.modules())


class PixelNoise(nn.Module):
    """Adds N(0, 1) for each pixel to all channels, each with a strength of its own that is learned
    and starts at 0: StyleGAN (Karras et al. 2019), section 2. In evaluation mode the numbers are
    always those of the buffer `fixed`.
    """

    fixed: Tensor

    def __init__(self, ch: int, height: int, width: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(ch, 1, 1))
        self.register_buffer("fixed", torch.randn(1, height, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, ch, height, width) -> the same shape."""
        noise = torch.randn_like(x[:, :1]) if self.training else self.fixed
        return x + self.strength * noise

"""A pool of generated images, out of which a discriminator is shown older ones.

Shrivastava et al. 2017, section 2.3, as CycleGAN has it: Zhu et al. 2017, section 4.
"""

import torch
from torch import Tensor, nn

from ganlib.common.data import Shape


class Pool(nn.Module):
    """The last images that were put into it, at most `size`, as buffers: (size, C, H, W); with a
    size of 0 none, and all images pass through.

    Every share of a batch keeps the same pool if it is given the whole batch's images.
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int, image: Shape) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, *image))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        """Images (N, C, H, W), one for each of x in turn, and what x gives is kept.

        Until the pool is full x itself; then, with probability 1/2, one that leaves the pool for
        it. u: (N, 2), U(0, 1), which of the two, and in place of which image.
        """
        if not self.size:
            return x
        shown = [self._swap(x[i : i + 1], u[i, 0], u[i, 1]) for i in range(len(x))]
        return torch.cat(shown)

    def _swap(self, x: Tensor, chance: Tensor, place: Tensor) -> Tensor:
        full = self.count == self.size
        random = (place * self.size).long().clamp(max=self.size - 1)
        slot = torch.where(full, random, self.count)[None]
        old = self.images.index_select(0, slot)
        swapped = full & (chance < 0.5)
        self.images.index_copy_(0, slot, torch.where(swapped | ~full, x, old))
        self.count.add_(~full)
        return torch.where(swapped, old, x)

"""A conditional generator whose blocks see the class, and each a part of z."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import Shape
from ganlib.common.generator import Generator
from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.basic import ClassEmbedding
from ganlib.common.layers.conditional import VectorBatchNorm2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.resnet import GenBlock


class SharedClassGenerator(Generator):
    """Linear, stages that double the size, BN, ReLU, conv, tanh. All layers that are told of the
    class see one vector of it, `shared`: the first layer and each stage what conditions() makes.

    widths: channels of the smallest image and behind each stage; H and W: multiples of
    2 ** stages. n_shared: length of a class's vector. attention_at: behind so many stages there is
    attention.
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        n_classes: int,
        n_hidden: int,
        n_shared: int,
        attention_at: int,
    ) -> None:
        super().__init__(n_hidden, latent="normal")
        (channels, height, width), self.n_stages = image, len(widths) - 1
        self.bottom = (widths[0], height >> self.n_stages, width >> self.n_stages)
        self.shared = ClassEmbedding(n_classes, n_shared)
        zeros = torch.zeros(1, n_hidden), torch.zeros(1, n_shared)
        first, n_told, *_ = (condition.shape[1] for condition in self.conditions(*zeros))
        self.first = SNLinear(first, math.prod(self.bottom))
        stages = [self.blocks(a, b, n_told) for a, b in pairwise(widths)]
        stages[attention_at - 1].append(SelfAttention(widths[attention_at]))
        self.stages = nn.ModuleList(map(nn.ModuleList, stages))
        self.norm = nn.BatchNorm2d(widths[-1], eps=1e-5)
        self.last = SNConv2d(widths[-1], channels, 3, padding=1)

    def blocks(self, in_channels: int, out_channels: int, n_told: int) -> list[nn.Module]:
        """The blocks of one size."""
        raise NotImplementedError

    def conditions(self, z: Tensor, e: Tensor) -> list[Tensor]:
        """Of z (N, n_hidden) and e (N, n_shared): what the first layer and each stage see."""
        raise NotImplementedError

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, n_hidden) and y, int64 (N,) or float (N, n_classes) -> images in [-1, 1]."""
        first, *others = self.conditions(z, self.shared(y))
        h = self.first(first).unflatten(1, self.bottom)
        for stage, condition in zip(self.stages, others, strict=True):
            for block in stage.children():
                h = block(h, condition)
        return torch.tanh(self.last(F.relu(self.norm(h))))


class HierarchicalGenerator(SharedClassGenerator):
    """BigGAN's: z in parts of n_chunk, one for the first layer and one for each block, which sees
    it beside the class's vector. BigGAN.py, Generator; the paper's figure 15.
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        n_classes: int,
        n_chunk: int,
        n_shared: int,
        attention_at: int,
    ) -> None:
        self.n_chunk = n_chunk
        n_hidden = len(widths) * n_chunk
        super().__init__(image, widths, n_classes, n_hidden, n_shared, attention_at)

    def blocks(self, in_channels: int, out_channels: int, n_told: int) -> list[nn.Module]:
        """One block."""
        norm = partial(VectorBatchNorm2d, n_told=n_told)
        return [GenBlock(in_channels, out_channels, conv=SNConv2d, norm=norm)]

    def conditions(self, z: Tensor, e: Tensor) -> list[Tensor]:
        """The parts of z in their order, all but the first behind e."""
        first, *others = z.split(self.n_chunk, 1)
        return [first, *(torch.cat((e, part), 1) for part in others)]

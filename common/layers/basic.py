"""Layers that several networks share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers.reparametrized import Layer
from ganlib.common.seeds import generator

# Every network of chainer-gan-lib leaks this much; torch's own default is 0.01.
LEAK = 0.2

# A class or a partial of one: makes a layer from its sizes, so that one network can be built
# with plain or with spectrally normalised layers, with this norm or with that.
Factory = Callable[..., nn.Module]


# --- Batch normalisation, as Chainer's link has it: eps 2e-5, decay 0.9

BatchNorm1d = partial(nn.BatchNorm1d, eps=2e-5, momentum=0.1)
BatchNorm2d = partial(nn.BatchNorm2d, eps=2e-5, momentum=0.1)


class _FixedGain(nn.Module):
    """Batch normalisation with gain 1 and a learnable bias: Chainer's `use_gamma=False`.

    The gain is a buffer of ones and not None, so that cuDNN's kernel applies; it is not saved.
    """

    def __init__(self, num_features: int, eps: float = 2e-5) -> None:
        super().__init__(num_features, eps, momentum=0.1)
        del self.weight
        self.register_buffer("weight", torch.ones(num_features), persistent=False)


class BiasBatchNorm1d(_FixedGain, nn.BatchNorm1d):
    """Of vectors."""


class BiasBatchNorm2d(_FixedGain, nn.BatchNorm2d):
    """Of images."""


# --- Convolution


class SameConv2d(nn.Conv2d):
    """With TensorFlow's padding "SAME": as many outputs as inputs over the stride, rounded up, and
    of an odd number of zeros one more behind. The kernel is square.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        edges: list[int] = []
        for n, k, s in zip(input.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            zeros = max((-(-n // s) - 1) * s + k - n, 0)
            edges += [zeros // 2, zeros - zeros // 2]
        padded = F.pad(input, edges) if any(edges) else input
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


# --- Maxout: Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389


class Maxout(nn.Module):
    """The largest of `pieces` linear functions, for each of `units`: equation 1 there."""

    def __init__(self, in_features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, units * pieces)
        self.shape = (units, pieces)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) -> (N, units)."""
        return self.linear(x).unflatten(1, self.shape).max(2).values


# --- Minibatch discrimination: Salimans et al. 2016, section 3.2


def minibatch_similarity(m: Tensor) -> Tensor:
    """o(x_i)_b = sum over j != i of exp(-||M_i,b - M_j,b||_1): how like the others each sample is.

    m: (N, B, C), for each sample B vectors of length C. Returns (N, B). Uses N * N * B * C numbers
    of memory.
    """
    others = ~torch.eye(len(m), dtype=torch.bool, device=m.device)
    return (torch.exp(-_l1_distances(m)) * others[:, :, None]).sum(1)


def _l1_distances(m: Tensor) -> Tensor:
    """(N, B, C) -> (N, N, B)."""
    return (m[:, None] - m).abs().sum(3)


class MinibatchDiscrimination(nn.Module):
    """The features f (N, A) with the B similarities of M = f T beside them.

    T has no bias, because it would cancel in the differences. The result for one sample depends on
    the whole batch: with several GPUs, on this GPU's share of it, or with --sync-bn on all.
    """

    of_the_batch = True

    def __init__(self, in_features: int, n_kernels: int = 100, kernel_dim: int = 5) -> None:
        super().__init__()
        self.t = nn.Linear(in_features, n_kernels * kernel_dim, bias=False)
        self.shape = (n_kernels, kernel_dim)

    def project(self, f: Tensor) -> Tensor:
        """f (N, A) -> M (N, B, C)."""
        return self.t(f).reshape(-1, *self.shape)

    def forward(self, f: Tensor) -> Tensor:
        """f (N, A) -> (N, A + B)."""
        return torch.cat((f, minibatch_similarity(self.project(f))), 1)


# --- Classes: numbers, or how much of each class


def one_hot(y: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """(N, n_classes) of the dtype of `like`, from int64 (N,) or from itself: float (N, n_classes),
    whose rows say how much of each class is meant.
    """
    if y.is_floating_point():
        return y.to(like.dtype)
    classes = torch.arange(n_classes, device=y.device)
    return (y[:, None] == classes).to(like.dtype)


class ClassEmbedding(Layer, nn.Embedding):
    """A vector for each class; of rows that are no one class, the mean so weighted."""

    def forward(self, y: Tensor) -> Tensor:
        """int64 (N,) or float (N, num_embeddings) -> (N, embedding_dim)."""
        vectors = self.effective_weight()
        return y.to(vectors.dtype) @ vectors if y.is_floating_point() else F.embedding(y, vectors)


# --- Noise


class GaussianNoise(nn.Module):
    """Adds N(0, sigma^2) to its input, in training mode only."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        return x + self.sigma * torch.randn_like(x) if self.training else x


class PixelNoise(nn.Module):
    """Adds N(0, 1) for each pixel to all channels, each with a strength of its own that is learned
    and starts at 0: StyleGAN (Karras et al. 2019), section 2; with ch = 1 there is one strength for
    all, as in StyleGAN2. In evaluation mode the numbers are always those of the buffer `fixed`.
    """

    fixed: Tensor
    part: Tensor | float = 1
    """How much of it there is, as within noise_by()."""

    def __init__(self, ch: int, height: int, width: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(ch, 1, 1))
        self.register_buffer("fixed", torch.randn(1, height, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, ch, height, width) -> the same shape."""
        noise = torch.randn_like(x[:, :1]) if self.training else self.fixed * self.part
        return x + self.strength.to(x.dtype) * noise


@contextmanager
def noise_by(network: nn.Module, part: Tensor | float) -> Iterator[int]:
    """Let each PixelNoise in `network` add so much of its noise in evaluation mode, 0 for none; how
    many of them there are.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, PixelNoise)]
    for layer in layers:
        layer.part = part
    try:
        yield len(layers)
    finally:
        for layer in layers:
            layer.part = 1


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


# --- Modes and methods of one network


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and then each of its modules as it was: what batch
    normalisation has averaged, and no new averages.

    Around a loss, not in it: what is compiled or captured within is then one mode throughout.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def override(module: nn.Module, methods: Mapping[str, Callable[..., Any]]) -> None:
    """Give `module` these methods in place of its class's, by a subclass of its class.

    Not by attributes of the object, so that its parameters keep their names, and a copy of it is a
    copy: a bound method would go on with the original's weights.
    """
    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), {"__doc__": kind.__doc__, **methods})


ENTRIES = ("forward", "features", "code", "draw")


def override_entries(
    network: nn.Module, changed: Callable[[str, Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Give `network` what `changed` makes of each method that training calls, and of its name:
    those of ENTRIES that it has, and further ones that an attribute of its class names, `entries =
    ("roll_out",)`. Of a module under such a name it is forward().
    """
    kind, found = type(network), {}
    for name in (*ENTRIES, *getattr(kind, "entries", ())):
        part = getattr(network, name, None)
        if isinstance(part, nn.Module):
            override(part, {"forward": changed(name, type(part).forward)})
        elif hasattr(kind, name):
            found[name] = changed(name, getattr(kind, name))
    override(network, found)

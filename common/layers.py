"""Layers that several networks share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Every network of chainer-gan-lib leaks this much; torch's own default is 0.01.
LEAK = 0.2

# A class or a partial of one: makes a layer from its sizes, so that one network can be built
# with plain or with spectrally normalised layers, with this norm or with that.
Factory = Callable[..., nn.Module]


# --- Batch normalisation, as Chainer's link has it: eps 2e-5, decay 0.9

BatchNorm1d = partial(nn.BatchNorm1d, eps=2e-5, momentum=0.1)
BatchNorm2d = partial(nn.BatchNorm2d, eps=2e-5, momentum=0.1)


class BiasBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation with gain 1 and a learnable bias: Chainer's `use_gamma=False`.

    The gain is a buffer of ones and not None, so that cuDNN's kernel applies; it is not saved.
    """

    def __init__(self, num_features: int, eps: float = 2e-5) -> None:
        super().__init__(num_features, eps, momentum=0.1)
        _fix_gain(self)


class BiasBatchNorm2d(nn.BatchNorm2d):
    """The same for images."""

    def __init__(self, num_features: int, eps: float = 2e-5) -> None:
        super().__init__(num_features, eps, momentum=0.1)
        _fix_gain(self)


def _fix_gain(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    del norm.weight
    norm.register_buffer("weight", torch.ones(norm.num_features), persistent=False)


# --- Spectral normalisation: SNGAN (Miyato et al. 2018), algorithm 1

SN_EPS = 1e-12


def spectral_normalize(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The weight over its spectral norm, by one power iteration from u.

    weight: (d_out, ...), seen as the matrix (d_out, rest); u: (d_out,), of any length but 0.
    Returns the weight in its own shape and the new u, which has no graph. u and v are constants:
    the gradient flows through the weight in the numerator and in sigma = u^T W v.
    Source: sngan_projection source/functions/max_sv.py; epsilon is added to the norm.
    """
    # Products and sums, not matrix products, which autocast would make in half precision.
    matrix = weight.flatten(1)
    fixed = matrix.detach()
    v = _unit((fixed * u[:, None]).sum(0))
    u = _unit((fixed * v).sum(1))
    sigma = ((matrix * v).sum(1) * u).sum()
    return weight / sigma, u


def _unit(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector)
    return vector / (length + SN_EPS)


class SNConv2d(nn.Conv2d):
    """A convolution whose (d_out, d_in * k * k) matrix has spectral norm 1; the bias is untouched.

    u starts as N(0, 1), not normalised, and is kept only in training mode: in evaluation mode the
    same iteration runs and its result is dropped. (chainer-gan-lib common/sn also moves u in
    evaluation, and does not save it.)
    """

    u: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.register_buffer("u", torch.randn(out_channels))

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        y: Tensor = self._conv_forward(input, _iterate(self), self.bias)
        return y


class SNLinear(nn.Linear):
    """A linear layer of spectral norm 1; u as in SNConv2d."""

    u: Tensor

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.register_buffer("u", torch.randn(out_features))

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, _iterate(self), self.bias)


def _iterate(layer: SNConv2d | SNLinear) -> Tensor:
    """The layer's normalised weight; in training mode its u moves on, in place."""
    if not layer.training:
        return spectral_normalize(layer.weight, layer.u)[0]
    # torch.compile may compute v again in the backward pass, where layer.u is the next one
    # already (pytorch pull request 197039): the gradient would be wrong without a word.
    u = _snapshot(layer.u) if torch.compiler.is_compiling() else layer.u
    weight, u = spectral_normalize(layer.weight, u)
    layer.u.copy_(u)
    return weight


@torch.library.custom_op("ganlib::snapshot", mutates_args=())
def _snapshot(u: Tensor) -> Tensor:
    """A copy that torch.compile takes for opaque, and so does not make again."""
    return u.clone()


_snapshot.register_fake(torch.empty_like)


# --- Maxout: Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389


class Maxout(nn.Module):
    """The largest of `pieces` linear functions, for each of `units`: equation 1 there."""

    def __init__(self, in_features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, units * pieces)
        self.shape = (units, pieces)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) -> (N, units)."""
        y: Tensor = self.linear(x).unflatten(1, self.shape).max(2).values
        return y


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
    the whole batch: with several GPUs, on this GPU's share of it.
    """

    def __init__(self, in_features: int, n_kernels: int = 100, kernel_dim: int = 5) -> None:
        super().__init__()
        self.t = nn.Linear(in_features, n_kernels * kernel_dim, bias=False)
        self.shape = (n_kernels, kernel_dim)

    def project(self, f: Tensor) -> Tensor:
        """f (N, A) -> M (N, B, C)."""
        m: Tensor = self.t(f).reshape(-1, *self.shape)
        return m

    def forward(self, f: Tensor) -> Tensor:
        """f (N, A) -> (N, A + B)."""
        return torch.cat((f, minibatch_similarity(self.project(f))), 1)


# --- Noise


class GaussianNoise(nn.Module):
    """Adds N(0, sigma^2) to its input, in training mode only."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        return x + self.sigma * torch.randn_like(x) if self.training else x


# --- Modes


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

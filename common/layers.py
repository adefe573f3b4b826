"""Layers, residual blocks and initialisers that several networks share."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

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


# --- Weight normalisation (Salimans & Kingma 2016) as in openai/improved-gan
# mnist_svhn_cifar10/nn.py, not torch's: the gain is fixed unless `train_gain` is given, and the
# gain and the bias can be set from data before training.


def weight_normalize(weight: Tensor, gain: Tensor, axis: int = 0) -> Tensor:
    """The weight of which slice k along `axis` has length gain[k].

    weight: (..., n, ...) with n at `axis`; gain: (n,). Source: nn.py, WeightNormLayer, with its
    1e-6 under the root.
    """
    others = [i for i in range(weight.dim()) if i != axis]
    shape = [1] * weight.dim()
    shape[axis] = -1
    length = (1e-6 + weight.square().sum(others, keepdim=True)).sqrt()
    return weight * (gain.view(shape) / length)


class _WeightNorm(nn.Module):
    """What the weight-normalised layers share: the gain, a parameter or a buffer, and its start."""

    weight: Tensor
    bias: Any  # a Tensor; nn.Linear and nn.Conv2d declare it in two ways
    gain: Tensor
    axis = 0  # of the weight, that counts outputs

    def _add_gain(self, n: int, train_gain: bool, init_std: float) -> None:
        self.init_std = init_std
        if train_gain:
            self.gain = nn.Parameter(torch.ones(n))
        else:
            self.register_buffer("gain", torch.ones(n))

    def forward(self, input: Tensor) -> Tensor:
        """(N, in, ...) -> (N, out, ...)."""
        raise NotImplementedError

    def normalized(self) -> Tensor:
        """The weight, normalised."""
        return weight_normalize(self.weight, self.gain, self.axis)

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Set gain and bias so that the outputs for the batch x have mean 0 and `init_std`."""
        # not self(x), which would run initialize_from's hook again
        y = self.forward(x).transpose(0, 1).flatten(1)
        factor = self.init_std / y.std(1, correction=0).clamp(min=1e-6)
        self.gain.mul_(factor)
        self.bias.sub_(y.mean(1)).mul_(factor)


class WNConv2d(_WeightNorm, nn.Conv2d):
    """A convolution whose filters have the lengths `gain`.

    train_gain: the gain is learned. init_std: see initialize().
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        train_gain: bool = False,
        init_std: float = 1.0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self._add_gain(out_channels, train_gain, init_std)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        y: Tensor = self._conv_forward(input, self.normalized(), self.bias)
        return y


class WNConvTranspose2d(_WeightNorm, nn.ConvTranspose2d):
    """A transposed convolution; for each output channel, all its weights have the length `gain`."""

    axis = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        output_padding: int = 0,
        train_gain: bool = False,
        init_std: float = 1.0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, output_padding)
        self._add_gain(out_channels, train_gain, init_std)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        weight, padding = self.normalized(), self.padding
        assert not isinstance(padding, str)  # nn.Conv2d alone knows words for it
        return F.conv_transpose2d(
            input, weight, self.bias, self.stride, padding, self.output_padding
        )


class WNLinear(_WeightNorm, nn.Linear):
    """A linear layer whose rows have the lengths `gain`."""

    def __init__(
        self, in_features: int, out_features: int, train_gain: bool = False, init_std: float = 1.0
    ) -> None:
        super().__init__(in_features, out_features)
        self._add_gain(out_features, train_gain, init_std)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, self.normalized(), self.bias)


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


class WNMinibatchDiscrimination(MinibatchDiscrimination):
    """With T = theta exp(s) / ||theta||, the norm over A, and a bias for each similarity:
    openai/improved-gan mnist_svhn_cifar10/nn.py, MinibatchLayer.
    """

    def __init__(self, in_features: int, n_kernels: int = 100, kernel_dim: int = 5) -> None:
        super().__init__(in_features, n_kernels, kernel_dim)
        self.log_gain = nn.Parameter(torch.zeros(n_kernels, kernel_dim))
        self.bias = nn.Parameter(torch.full((n_kernels,), -1.0))

    def project(self, f: Tensor) -> Tensor:
        """f (N, A) -> M (N, B, C)."""
        weight = weight_normalize(self.t.weight, self.log_gain.exp().flatten())
        return F.linear(f, weight).reshape(-1, *self.shape)

    def forward(self, f: Tensor) -> Tensor:
        """f (N, A) -> (N, A + B)."""
        return torch.cat((f, minibatch_similarity(self.project(f)) + self.bias), 1)

    @torch.no_grad()
    def initialize(self, f: Tensor) -> None:
        """Scale T so that the distance to the nearest neighbour in the batch f (N, A) is 2 on
        average, for each kernel, and set the bias so that its outputs have mean 0.
        """
        distance = _l1_distances(self.project(f))
        distance.diagonal().fill_(torch.inf)  # (B, N)
        nearest = distance.amin(1).mean(0)
        self.log_gain.sub_((nearest / 2).clamp(min=1e-6).log()[:, None])
        self.bias.copy_(-minibatch_similarity(self.project(f)).mean(0))


@torch.no_grad()
def initialize_from(net: nn.Module, x: Tensor) -> None:
    """Let every layer of `net` that has an initialize() start from the batch x, in the order of the
    forward pass; a network without such layers stays as it is.

    Salimans & Kingma 2016, section 3; openai/improved-gan's `init=True`.
    """
    layers = [m for m in net.modules() if isinstance(m, _WeightNorm | WNMinibatchDiscrimination)]
    hooks = [layer.register_forward_pre_hook(_initialize) for layer in layers]
    if layers:
        net(x)
    for hook in hooks:
        hook.remove()


def _initialize(
    layer: "_WeightNorm | WNMinibatchDiscrimination", inputs: tuple[Tensor, ...]
) -> None:
    layer.initialize(inputs[0])


# --- Noise


class GaussianNoise(nn.Module):
    """Adds N(0, sigma^2) to its input, in training mode only."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        return x + self.sigma * torch.randn_like(x) if self.training else x


# --- Initialisers: every one fills all linear and convolutional layers in `module`, biases with 0

Weighted = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def init_normal(module: nn.Module, std: float) -> None:
    """Weights N(0, std^2): chainer-gan-lib's `wscale`, DCGAN's 0.02."""
    _fill(module, lambda layer: nn.init.normal_(layer.weight, 0.0, std))


def init_uniform(module: nn.Module, bound: float) -> None:
    """Weights U(-bound, bound): pylearn2's `irange`."""
    _fill(module, lambda layer: nn.init.uniform_(layer.weight, -bound, bound))


def init_lecun_normal(module: nn.Module) -> None:
    """Weights N(0, 1 / fan_in), Chainer's default.

    Like Chainer it takes a transposed convolution's fan_in to be d_out * k * k.
    """
    _fill(module, lambda layer: nn.init.normal_(layer.weight, 0.0, layer.weight[0].numel() ** -0.5))


def init_glorot_uniform(module: nn.Module, gain: float = 1.0) -> None:
    """Weights U(-s, s), s = gain * sqrt(6 / (fan_in + fan_out)): Chainer's GlorotUniform(gain)."""
    _fill(module, lambda layer: nn.init.xavier_uniform_(layer.weight, gain))


def init_he_uniform(module: nn.Module) -> None:
    """Uniform weights of standard deviation sqrt(4 / (fan_in + fan_out)), the fan on the side
    with fewer pixels divided by stride^2: improved_wgan_training tflib/ops/*conv2d.py, `he_init`.
    """
    _fill(module, _he_uniform)


def _he_uniform(layer: Weighted) -> None:
    # The weight's first axis is the output of a convolution and the input of a transposed one:
    # in both the side with fewer pixels.
    few, many, *kernel = layer.weight.shape
    area = 1 if isinstance(layer, nn.Linear) else math.prod(layer.stride)
    bound = math.sqrt(3 * 4 / (math.prod(kernel) * (few / area + many)))
    nn.init.uniform_(layer.weight, -bound, bound)


def _fill(module: nn.Module, draw: Callable[[Weighted], object]) -> None:
    for layer in module.modules():
        if isinstance(layer, Weighted):
            draw(layer)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


# --- Residual blocks of WGAN-GP (gan_cifar_resnet.py) and SNGAN (*_models/resblocks.py). What
# the one calls He and the other Glorot with gain sqrt(2) is the same distribution.


class ResBlock(nn.Module):
    """The convolutions of a residual block: two 3x3, a 1x1 in the shortcut if the size changes."""

    def __init__(
        self, in_channels: int, hidden: int, out_channels: int, factor: int, conv: Factory
    ) -> None:
        super().__init__()
        resized = factor != 1 or in_channels != out_channels
        self.c1 = conv(in_channels, hidden, 3, padding=1)
        self.c2 = conv(hidden, out_channels, 3, padding=1)
        self.c_sc = conv(in_channels, out_channels, 1) if resized else nn.Identity()
        init_glorot_uniform(self, math.sqrt(2))
        init_glorot_uniform(self.c_sc)


class GenBlock(ResBlock):
    """BN, ReLU, nearest-neighbour upsampling, conv, BN, ReLU, conv; shortcut: upsample, 1x1.

    up: the factor of H and W; hidden: channels between the convolutions (default: out_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        up: int = 2,
        hidden: int | None = None,
        conv: Factory = nn.Conv2d,
        norm: Factory = BatchNorm2d,
    ) -> None:
        hidden = hidden or out_channels
        super().__init__(in_channels, hidden, out_channels, up, conv)
        self.b1 = norm(in_channels)
        self.b2 = norm(hidden)
        self.resize = nn.Upsample(scale_factor=up) if up > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, up * H, up * W)."""
        h = self.c1(self.resize(F.relu(self.b1(x))))
        h = self.c2(F.relu(self.b2(h)))
        y: Tensor = h + self.c_sc(self.resize(x))
        return y


class DisBlock(ResBlock):
    """ReLU, conv, ReLU, conv, mean pool; shortcut: 1x1, mean pool.

    down: the divisor of H and W; hidden: channels between the convolutions (default: in_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        down: int = 1,
        hidden: int | None = None,
        conv: Factory = nn.Conv2d,
    ) -> None:
        super().__init__(in_channels, hidden or in_channels, out_channels, down, conv)
        self.resize = nn.AvgPool2d(down) if down > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / down, W / down)."""
        h = self.c2(F.relu(self.c1(F.relu(x))))
        y: Tensor = self.resize(h) + self.resize(self.c_sc(x))
        return y


class OptimizedDisBlock(ResBlock):
    """The first block of a critic: conv, ReLU, conv, mean pool; shortcut: mean pool, 1x1.

    It starts without a ReLU, because its input is the image.
    """

    def __init__(self, in_channels: int, out_channels: int, conv: Factory = nn.Conv2d) -> None:
        super().__init__(in_channels, out_channels, out_channels, 2, conv)
        self.resize = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2)."""
        h = self.c2(F.relu(self.c1(x)))
        y: Tensor = self.resize(h) + self.c_sc(self.resize(x))
        return y


# --- Modes


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode: what batch normalisation has averaged, and no new averages.

    Around a loss, not in it: what is compiled or captured within is then one mode throughout.
    """
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)

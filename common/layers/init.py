"""Initialisers: every one fills all linear and convolutional layers in `module`, biases with 0."""

import math
from collections.abc import Callable

from torch import nn

Weighted = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def init_normal(module: nn.Module, std: float) -> None:
    """Weights N(0, std^2): chainer-gan-lib's `wscale`, DCGAN's 0.02."""
    _fill(module, lambda layer: nn.init.normal_(layer.weight, 0.0, std))


def init_truncated_normal(module: nn.Module, std: float) -> None:
    """Weights N(0, std^2) drawn again beyond 2 std, so that their deviation is 0.88 std:
    TensorFlow's truncated_normal_initializer.
    """
    bound = 2 * std
    _fill(module, lambda layer: nn.init.trunc_normal_(layer.weight, 0.0, std, -bound, bound))


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


def init_orthogonal(module: nn.Module) -> None:
    """Matrices (d_out, rest) with orthonormal rows, or columns if these are fewer, of embeddings
    too: Saxe et al. 2014, as BigGAN uses it.
    """
    _fill(module, lambda layer: nn.init.orthogonal_(layer.weight))
    for layer in module.modules():
        if isinstance(layer, nn.Embedding):
            nn.init.orthogonal_(layer.weight)


def init_gains(module: nn.Module, std: float) -> None:
    """Batch normalisation's gains N(1, std^2), where it has some: DCGAN's 0.02."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, std)


def _fill(module: nn.Module, draw: Callable[[Weighted], object]) -> None:
    for layer in module.modules():
        if isinstance(layer, Weighted):
            draw(layer)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

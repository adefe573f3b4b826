"""Weight normalisation (Salimans & Kingma 2016) as in openai/improved-gan mnist_svhn_cifar10/nn.py.

Not torch's: the gain is fixed unless `train_gain` is given, and gain and bias can be set from data
before training.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import Loader
from ganlib.common.generator import Generator
from ganlib.common.layers import reparametrized
from ganlib.common.layers.basic import MinibatchDiscrimination, _l1_distances, minibatch_similarity


def weight_normalize(weight: Tensor, gain: Tensor, axis: int = 0) -> Tensor:
    """The weight of which slice k along `axis` has length gain[k].

    weight: (..., n, ...) with n at `axis`; gain: (n,). Source: nn.py, WeightNormLayer, with its
    1e-6 under the root.
    """
    others = [i for i in range(weight.dim()) if i != axis]
    length = (1e-6 + weight.square().sum(others, keepdim=True)).sqrt()
    return weight * (gain.view(length.shape) / length)


class _WeightNorm(reparametrized.Layer):
    """What the weight-normalised layers share: the gain, a parameter or a buffer, and its start.

    train_gain: the gain is learned. init_std: see initialize(); with None the layer does not start
    from data. The other arguments are those of PyTorch's layer.
    """

    bias: Any  # a Tensor; nn.Linear and nn.Conv2d declare it in two ways
    gain: Tensor

    def __init__(
        self, *args: Any, train_gain: bool = False, init_std: float | None = 1.0, **kwargs: Any
    ) -> None:
        if bool in map(type, args):  # PyTorch's layers have other arguments in that place
            raise TypeError(f"{type(self).__name__} takes train_gain and bias by keyword alone")
        super().__init__(*args, **kwargs)
        self.init_std = init_std
        gain = torch.ones(self.weight.shape[self.axis])
        if train_gain:
            self.gain = nn.Parameter(gain)
        else:
            self.register_buffer("gain", gain)

    def effective_weight(self) -> Tensor:
        """The weight, normalised."""
        return weight_normalize(self.weight, self.gain, self.axis)

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Set gain and bias so that the outputs for the batch x have mean 0 and `init_std`."""
        assert self.init_std is not None
        # not self(x), which would run initialize_from's hook again
        y = self.forward(x).transpose(0, 1).flatten(1)
        factor = self.init_std / y.std(1, correction=0).clamp(min=1e-6)
        self.gain.mul_(factor)
        self.bias.sub_(y.mean(1)).mul_(factor)


class WNConv2d(_WeightNorm, reparametrized.Conv2d):
    """A convolution whose filters have the lengths `gain`."""


class WNConvTranspose2d(_WeightNorm, reparametrized.ConvTranspose2d):
    """A transposed convolution; for each output channel, all its weights have the length `gain`."""


class WNLinear(_WeightNorm, reparametrized.Linear):
    """A linear layer whose rows have the lengths `gain`."""


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


Starting = _WeightNorm | WNMinibatchDiscrimination


@torch.no_grad()
def initialize_from(net: nn.Module, x: Tensor) -> None:
    """Let every layer of `net` that starts from data do so from the batch x, in the order of the
    forward pass; a network without such layers stays as it is.

    Salimans & Kingma 2016, section 3; openai/improved-gan's `init=True`.
    """
    layers = _starting(net)
    hooks = [layer.register_forward_pre_hook(lambda m, xs: m.initialize(xs[0])) for layer in layers]
    if layers:
        net(x)
    for hook in hooks:
        hook.remove()


def start_from_data(gen: Generator, dis: nn.Module, data: Loader) -> None:
    """initialize_from a first batch: `dis` of images, `gen` of latents.

    No batch is read for networks that have nothing to start from it.
    """
    if _starting(dis):
        initialize_from(dis, next(data.fork("init")).x)
    if _starting(gen):
        # z is the CPU's on every device, as the weights are that start from it
        initialize_from(gen, gen.make_hidden(data.batch_size, torch.default_generator))


def _starting(net: nn.Module) -> list[Starting]:
    """The layers of `net` that start from data."""
    layers = [m for m in net.modules() if isinstance(m, Starting)]
    return [m for m in layers if isinstance(m, WNMinibatchDiscrimination) or m.init_std is not None]

"""VAE's networks: the paper's, convolutional ones, and those for points; and the densities of the
lower bound, in nats: summed over all but the batch.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import BatchNorm2d
from ganlib.common.layers.init import init_normal
from ganlib.common.networks.dcgan import DCGANEncoder, DCGANGenerator
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_discriminator, quick_generator, with_outputs

from .config import Config

LIMIT = 8.0
"""All log variances lie in (-LIMIT, LIMIT)."""


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x) of independent Bernoulli variables, (N, ...) -> (N,); x in [0, 1].

    For x other than 0 and 1 this is a cross entropy and no likelihood: the sum over what x may be
    is not 1. Kingma & Welling 2013, appendix C.1.
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def log_normal(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log p(x) of independent normal variables, (N, ...) -> (N,): the paper's appendix C.2."""
    square = (x - mean).square() * (-log_variance).exp()
    return -0.5 * (math.log(2 * math.pi) + log_variance + square).flatten(1).sum(1)


def kl_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), (N, n_hidden) -> (N,): appendix B."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)


def bounded(log_variance: Tensor) -> Tensor:
    """`log_variance` bent into (-LIMIT, LIMIT), near 0 as it is.

    Bent and not cut off, because there is no gradient behind a cut. The density of an image of
    256 levels, of which many pixels are exactly black, has no other bound.
    """
    return LIMIT * torch.tanh(log_variance / LIMIT)


class Encoder(nn.Module):
    """q(z|x), a normal distribution with independent components.

    body: x (N, C, H, W) -> (N, 2 * n_hidden).
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, C, H, W) -> mean and log variance of z, each (N, n_hidden)."""
        mean, log_variance = self.body(x).chunk(2, 1)
        return mean, bounded(log_variance)


class Decoder(Generator):
    """p(x|z), pixel by pixel; its mean is the image.

    raw: z (N, n_hidden) -> (N, per_pixel * C, H, W).
    """

    entries = ("raw",)
    per_pixel: int

    def __init__(self, raw: nn.Module, n_hidden: int) -> None:
        super().__init__(n_hidden, "normal")
        self.raw = raw

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, (N,); x (N, C, H, W) in [-1, 1], z (N, n_hidden)."""
        raise NotImplementedError


class BernoulliDecoder(Decoder):
    """Pixels x / 2 + 1/2 in [0, 1] as Bernoulli variables: Kingma & Welling 2013, appendix C.1."""

    per_pixel = 1

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return to_image(self.raw(z))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """See Decoder."""
        return log_bernoulli(x / 2 + 0.5, self.raw(z))


class GaussianDecoder(Decoder):
    """Pixels as normal variables, each with a mean and a variance from the network.

    Kingma & Welling 2013, appendix C.2. A density over [-1, 1]: over the paper's [0, 1] it is
    log 2 nats more for each pixel.
    """

    per_pixel = 2

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return self.statistics(z)[0]

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """See Decoder."""
        return log_normal(x, *self.statistics(z))

    def statistics(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of x, each (N, C, H, W)."""
        mean, log_variance = self.raw(z).chunk(2, 1)
        return to_image(mean), bounded(log_variance)


def to_image(logits: Tensor) -> Tensor:
    """2 s(logits) - 1, s the sigmoid, which keeps the paper's means in (0, 1)."""
    return torch.tanh(logits / 2)


DECODERS: dict[str, type[Decoder]] = {"bernoulli": BernoulliDecoder, "gaussian": GaussianDecoder}


def autoencoder(config: Config, body: nn.Module, raw: nn.Module) -> dict[str, nn.Module]:
    """The networks around an encoder's body and a decoder's raw statistics of pixels."""
    return {"enc": Encoder(body), "gen": DECODERS[config.decoder](raw, config.n_hidden)}


def statistics(config: Config, spec: DataSpec) -> Shape:
    """The shape of what the decoder says of an image: `per_pixel` times its channels."""
    channels, height, width = spec.image
    return DECODERS[config.decoder].per_pixel * channels, height, width


def paper(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """One hidden layer of 500 tanh units (MNIST; Frey Face: width 0.4), weights N(0, 0.01^2)."""
    n, pixels = scaled(500, config.width), statistics(config, spec)
    body = nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(spec.image), n),
        nn.Tanh(),
        nn.Linear(n, 2 * config.n_hidden),
    )
    raw = nn.Sequential(
        nn.Linear(config.n_hidden, n),
        nn.Tanh(),
        nn.Linear(n, math.prod(pixels)),
        nn.Unflatten(1, pixels),
    )
    init_normal(body, 0.01)
    init_normal(raw, 0.01)
    return autoencoder(config, body, raw)


def dcgan(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib's generator without its tanh, and its mirror; no paper's."""
    ch = scaled(512, config.width)
    gen = DCGANGenerator(statistics(config, spec), config.n_hidden, ch)
    body = DCGANEncoder(spec.image, 2 * config.n_hidden, ch)
    return autoencoder(config, body, nn.Sequential(gen.l0, gen.layers))


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """For minutes on a CPU: common/networks/quick.py, G without its tanh; no paper's networks."""
    gen = quick_generator(statistics(config, spec), config.width, config.n_hidden)
    body = quick_discriminator(spec.image, config.width, norm=BatchNorm2d)
    raw = nn.Sequential(gen.l0, gen.layers)
    return autoencoder(config, with_outputs(body, 2 * config.n_hidden), raw)


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Three hidden layers of 128, for points."""
    body = MLPDiscriminator(spec.image, config.width, 2 * config.n_hidden)
    raw = MLPGenerator(statistics(config, spec), config.n_hidden, config.width)
    return autoencoder(config, body, raw)


build = Architectures(paper=paper, dcgan=dcgan, quick=quick, mlp=mlp)

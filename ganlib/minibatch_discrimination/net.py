"""Networks with a minibatch layer before the last one: chainer-gan-lib's, OpenAI's, for points."""

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, scaled
from ganlib.common.layers import BatchNorm2d, GaussianNoise, MinibatchDiscrimination
from ganlib.common.layers.init import init_he_uniform, init_normal
from ganlib.common.layers.weight_norm import WNLinear, WNMinibatchDiscrimination
from ganlib.common.networks.dcgan import DCGANDiscriminator, DCGANGenerator, unnormalized_std
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_discriminator, quick_generator
from ganlib.common.networks.salimans import LAST_STD, SalimansDiscriminator, SalimansGenerator

from .updater import Config


def minibatch_linear(n_in: int, config: Config) -> nn.Sequential:
    """(N, n_in) -> (N, 1): the similarities beside the features, then a linear layer."""
    return nn.Sequential(
        MinibatchDiscrimination(n_in, config.n_kernels, config.kernel_dim),
        nn.Linear(n_in + config.n_kernels, 1),
    )


class LogSumExp(nn.Module):
    """The logit of the union of classes against a class of logit 0."""

    def forward(self, logits: Tensor) -> Tensor:
        """(N, K) -> (N, 1)."""
        return torch.logsumexp(logits, 1, keepdim=True)


def dcgan(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib minibatch_discrimination/net.py: DCGAN's, without batch normalisation of the
    features that are compared. Its unused bn3_0, and the bias of its `md`, are left out.

    Narrower ones start with larger weights from there on, so that the features are as far from each
    other: nearer ones are alike in ways that tell D real from fake at once, and G learns nothing.
    """
    ch = scaled(512, config.width)
    dis = DCGANDiscriminator(spec.image, ch)
    c3_0, _, leaky = dis.features[6].children()
    init_normal(c3_0, unnormalized_std(ch))
    dis.features[6] = nn.Sequential(c3_0, leaky)  # without its batch normalisation
    dis.l4 = minibatch_linear(dis.l4.in_features, config)
    init_normal(dis.l4, unnormalized_std(ch))
    return {"gen": DCGANGenerator(spec.image, ch=ch), "dis": dis}


def openai(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """openai/improved-gan train_cifar_minibatch_discrimination.py.

    Its ten outputs are classes there; here, without labels, D(x) is their logsumexp, which is the
    logit of "real" against a fake class of logit 0.
    """
    ch = scaled(96, config.width)
    last = nn.Sequential(
        WNMinibatchDiscrimination(2 * ch, config.n_kernels, config.kernel_dim),
        WNLinear(2 * ch + config.n_kernels, 10, train_gain=True, init_std=LAST_STD),
        LogSumExp(),
    )
    return {
        "gen": SalimansGenerator(spec.image, scaled(512, config.width)),
        "dis": SalimansDiscriminator(spec.image, GaussianNoise(0.2), last, ch),
    }


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """For minutes on a CPU: networks/quick.py, no batch norm of what is compared; no paper's."""
    gen = quick_generator(spec.image, config.width)
    dis = quick_discriminator(spec.image, config.width, norm=BatchNorm2d)
    last, _, leaky = dis.features[-2].children()
    init_he_uniform(last)
    dis.features[-2] = nn.Sequential(last, leaky)
    dis.l4 = minibatch_linear(dis.l4.in_features, config)
    init_normal(dis.l4, 0.02)
    return {"gen": gen, "dis": dis}


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small networks for points: common/networks/mlp.py, D with noise on its input like OpenAI's.

    T starts as small as chainer-gan-lib's: with larger differences between the points, hardly any
    two of them are alike, and D learns nothing else.
    """
    dis = MLPDiscriminator(spec.image, config.width)
    dis.layers.insert(0, GaussianNoise(0.1))
    dis.l4 = minibatch_linear(dis.l4.in_features, config)
    init_normal(dis.l4, 0.02)
    return {"gen": MLPGenerator(spec.image, width=config.width), "dis": dis}


build = Architectures(dcgan=dcgan, openai=openai, quick=quick, mlp=mlp)

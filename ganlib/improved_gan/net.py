"""Networks with an output for each class: the authors' for CIFAR-10, and small ones for points."""

from torch import nn

from common.data import DataSpec
from common.mlp import MLPDiscriminator, MLPGenerator
from common.net import NetConfig, scaled
from common.salimans import LAST_STD, SalimansDiscriminator, SalimansGenerator
from common.weight_norm import WNLinear


def build(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The generator and the discriminator of config.architecture for spec.image, which has
    spec.n_classes outputs.
    """
    n_out = max(1, spec.n_classes)
    return ARCHITECTURES[config.architecture](spec, config.width, n_out)


def openai(spec: DataSpec, width: float, n_out: int) -> dict[str, nn.Module]:
    """openai/improved-gan train_cifar_feature_matching.py."""
    ch = scaled(96, width)
    last = WNLinear(2 * ch, n_out, train_gain=True, init_std=LAST_STD)
    return {
        "gen": SalimansGenerator(spec.image, scaled(512, width)),
        "dis": SalimansDiscriminator(spec.image, nn.Dropout(0.2), last, ch),
    }


def mlp(spec: DataSpec, width: float, n_out: int) -> dict[str, nn.Module]:
    """Small networks for points: common/mlp.py."""
    return {
        "gen": MLPGenerator(spec.image, width=width),
        "dis": MLPDiscriminator(spec.image, width, n_out),
    }


ARCHITECTURES = {"openai": openai, "mlp": mlp}

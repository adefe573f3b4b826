"""DFM's networks: chainer-gan-lib's, and small ones for points.

A discriminator is l4(features(x)): features are what the denoiser sees, l4 makes them a logit.
"""

from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, NetConfig, halvings, scaled
from ganlib.common.layers import LEAK, BatchNorm1d, BatchNorm2d, BiasBatchNorm2d
from ganlib.common.layers.init import init_lecun_normal, init_normal
from ganlib.common.networks.dcgan import DCGANGenerator
from ganlib.common.networks.mlp import HIDDEN, MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_discriminator, quick_generator


class Discriminator(nn.Module):
    """Five convolutions; H and W: multiples of 16.

    The features come out of a batch normalisation without gain: in training each channel has
    variance 1 over the batch, which gives the noise on them its scale.
    """

    def __init__(self, image: Shape, ch: int = 512) -> None:
        super().__init__()
        channels, height, width = image
        c0, c1, c2, c3, c4 = halvings(ch, 4)
        self.features = nn.Sequential(
            nn.Conv2d(channels, c4, 3, 1, 1),
            nn.LeakyReLU(LEAK),
            *conv_leaky(c4, c3),
            *conv_leaky(c3, c2),
            *conv_leaky(c2, c1),
            nn.Conv2d(c1, c0, 4, 2, 1),
            BiasBatchNorm2d(c0),
            nn.Flatten(),
        )
        n_features = c0 * (height // 16) * (width // 16)
        self.l4 = nn.Sequential(nn.LeakyReLU(LEAK), nn.Linear(n_features, 1))
        init_normal(self, 0.02)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, 1); y is not used."""
        return self.l4(self.features(x))


def conv_leaky(d_in: int, d_out: int) -> tuple[nn.Module, ...]:
    """Half the size, batch normalisation, leaky ReLU."""
    return nn.Conv2d(d_in, d_out, 4, 2, 1), BatchNorm2d(d_out), nn.LeakyReLU(LEAK)


class Denoiser(nn.Module):
    """`depth` linear layers of one width, batch normalisation and leaky ReLU between them."""

    def __init__(self, n_features: int, depth: int) -> None:
        super().__init__()
        n = self.n_features = n_features
        inner = [
            nn.Sequential(nn.Linear(n, n), BatchNorm1d(n), nn.LeakyReLU(LEAK))
            for _ in range(depth - 1)
        ]
        self.layers = nn.Sequential(*inner, nn.Linear(n, n))
        init_lecun_normal(self)

    def forward(self, h: Tensor) -> Tensor:
        """Features (N, n_features) -> what they are without noise, (N, n_features)."""
        return self.layers(h)


def dcgan(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib dfm/net.py: z 128 ~ U(-1, 1), 2048 features at 32 pixels."""
    ch = scaled(512, config.width)
    n_features = ch * (spec.image[1] // 16) * (spec.image[2] // 16)
    return {
        "gen": DCGANGenerator(spec.image, ch=ch),
        "dis": Discriminator(spec.image, ch),
        "den": Denoiser(n_features, depth=10),
    }


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's network.

    The last convolution is to 64 channels, which makes features few enough for a dense denoiser,
    and normalises them as `dcgan` does.
    """
    gen = quick_generator(spec.image, config.width)
    dis = quick_discriminator(spec.image, config.width, norm=BatchNorm2d)
    last, n = next(dis.features[-2].children()), scaled(64, config.width)
    assert isinstance(last, nn.Conv2d)
    n_features = n * dis.l4.in_features // last.out_channels
    conv = nn.Conv2d(last.in_channels, n, 4, 2, 1)
    dis.features[-2] = nn.Sequential(conv, BiasBatchNorm2d(n))
    dis.l4 = nn.Sequential(nn.LeakyReLU(LEAK), nn.Linear(n_features, 1))
    init_normal(conv, 0.02)
    init_normal(dis.l4, 0.02)
    return {"gen": gen, "dis": dis, "den": Denoiser(n_features, depth=3)}


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers for z ~ N(0, 1), 4 for points, 128 else, for x and for the 128 features, which
    no norm scales.
    """
    return {
        "gen": MLPGenerator(spec.image, width=config.width),
        "dis": MLPDiscriminator(spec.image, config.width),
        "den": Denoiser(scaled(HIDDEN, config.width), depth=3),
    }


build = Architectures(dcgan=dcgan, quick=quick, mlp=mlp)

"""CycleGAN's networks: two residual generators and two discriminators of patches.

Zhu et al. 2017, section 7.2; weights N(0, 0.02^2), biases 0.
"""

from torch import Tensor, nn

from ganlib.common.data import POINTS, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers.init import init_normal
from ganlib.common.layers.label_maps import check_sides
from ganlib.common.networks.patchgan import PatchDiscriminator
from ganlib.common.networks.translator import InstanceNorm, Upsampling, to_image, translating

from .updater import Config

CH = 64
STD = 0.02


class Translator(Generator):
    """c7s1-64, d128, d256, R256 as often as `blocks` says, u128, u64, c7s1: images to images of
    n_out channels, in [-1, 1]. ch: of the first layer.
    """

    multiple = 4

    def __init__(self, n_in: int, n_out: int, blocks: int, ch: int, upsampling: Upsampling) -> None:
        super().__init__(n_hidden=0, latent="normal")
        layers = translating(n_in, ch, 2, blocks, upsampling)
        self.layers = nn.Sequential(*layers, to_image(ch, n_out))
        init_normal(self, STD)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (n, 0), sources (n, C', H, W) -> (n, C, H, W); UserError if not multiples of 4."""
        check_sides(y, self.multiple)
        return self.layers(y)


def resnet(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """gen: sources to images; back: images to sources; dis, dis_back: judges of images and of
    sources. UserError for sets that these networks do not translate.
    """
    if spec.native == POINTS:
        raise UserError("This algorithm translates images, and these data are points.")
    spec.turned()  # which says what is missing for a way back
    assert spec.source is not None
    if config.lam_idt and spec.source[0] != spec.image[0]:
        raise UserError(
            "The identity loss shows a generator what it should make, and these sets have "
            f"{spec.image[0]} and {spec.source[0]} channels: give --lam-idt 0."
        )
    images, sources, ch = spec.image[0], spec.source[0], scaled(CH, config.width)
    blocks = config.blocks or (9 if min(spec.image[1:]) >= 256 else 6)
    how = blocks, ch, config.upsampling
    networks: dict[str, nn.Module] = {
        "gen": Translator(sources, images, *how),
        "back": Translator(images, sources, *how),
    }
    for name, channels in (("dis", images), ("dis_back", sources)):
        networks[name] = PatchDiscriminator(channels, InstanceNorm, ch, config.n_layers, bias=True)
        init_normal(networks[name], STD)
    return networks


build = Architectures(resnet=resnet)

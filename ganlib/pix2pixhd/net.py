"""The paper's networks: the global generator, the local enhancer around it, the encoder of
instances, and discriminators of several scales.

Wang et al. 2018, sections 3.2 and 3.4; weights N(0, 0.02^2), biases 0, norms of each image alone.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers.init import init_normal
from ganlib.common.layers.label_maps import ShownWithEdges, check_sides, check_sizes, class_planes
from ganlib.common.networks.patchgan import PatchDiscriminator
from ganlib.common.networks.translator import (
    Block,
    InstanceNorm,
    Upsampling,
    doubling,
    first,
    halving,
    to_image,
    translating,
)

from .config import Config
from .instances import pooled

STD = 0.02
N_FEATURES = 3
"""What the encoder says of an instance."""
COARSE, FIXED, JOINT = 0, 1, 2
"""Stages of a growing generator: its coarse part, at half of the size; what enhances it; both."""


def halved(h: Tensor) -> Tensor:
    """(N, C, 2 H, 2 W) -> (N, C, H, W): means of 3x3 pixels, of fewer at the border."""
    return avg_pool2d(h, 3, 2, 1, count_include_pad=False)


# --- Generators


class LabelGenerator(Generator):
    """What both generators start from: a source, what is known of its instances, and the layers of
    the global generator. ch: of the first one.

    `image`, the last c7s1 of these, is there where a stage trains them alone.

    With `features`, clusters (n_classes, k, N_FEATURES) are what the encoder said of each class's
    instances in training: z (N, n_classes) in [-1, 1] picks one for each class of an image.
    """

    clusters: Tensor

    def __init__(self, spec: DataSpec, config: Config, ch: int) -> None:
        self.features = config.features
        super().__init__(spec.n_classes if config.features else 0, "uniform")
        self.n_classes = spec.n_classes
        self.shown = ShownWithEdges(spec)
        self.channels = self.shown.channels
        if config.features:
            self.channels += N_FEATURES
            empty = torch.zeros(spec.n_classes, config.clusters, N_FEATURES)
            self.register_buffer("clusters", empty)
        layers = translating(self.channels, ch, config.downs, config.blocks, config.upsampling)
        self.coarse = nn.Sequential(*layers)
        if config.coarse_images or not config.grows:
            self.image = to_image(ch, spec.image[0])

    def planes(self, z: Tensor, y: Tensor, f: Tensor | None) -> Tensor:
        """(N, channels, H, W) of sources y; f: features (N, N_FEATURES, H, W), else z picks."""
        check_sides(y, self.multiple)
        planes: Tensor = self.shown(y, next(self.parameters()))
        if not self.features:
            return planes
        return torch.cat([planes, self.picked(z, y) if f is None else f.to(planes.dtype)], 1)

    def picked(self, z: Tensor, y: Tensor) -> Tensor:
        """Features (N, N_FEATURES, H, W): in each class the cluster that z picks, each as often."""
        k = self.clusters.shape[1]
        index = ((z + 1) / 2 * k).long().clamp(0, k - 1)
        rows = self.clusters[torch.arange(self.n_classes, device=z.device), index]
        planes = class_planes(y, self.n_classes, next(self.parameters()))
        return torch.einsum("nchw,ncf->nfhw", planes, rows.to(planes.dtype))


class GlobalGenerator(LabelGenerator):
    """c7s1, `downs` halvings, residual blocks, as many doublings, c7s1."""

    def __init__(self, spec: DataSpec, config: Config, ch: int) -> None:
        super().__init__(spec, config, ch)
        self.multiple = 2**config.downs
        init_normal(self, STD)

    def forward(self, z: Tensor, y: Tensor, f: Tensor | None = None, stage: int = COARSE) -> Tensor:
        """Sources (N, C', H, W) -> images (N, C, H, W) in [-1, 1]; z, f: see planes()."""
        return self.image(self.coarse(self.planes(z, y, f)))


class LocalEnhancer(LabelGenerator):
    """A global generator's layers at half of the size, to which `into` adds what it sees at the
    whole one; residual blocks, a doubling and c7s1 follow. At the whole size there are half as many
    channels.
    """

    def __init__(self, spec: DataSpec, config: Config, ch: int) -> None:
        super().__init__(spec, config, ch)
        self.multiple = 2 ** (config.downs + 1)
        fine = max(1, ch // 2)
        self.into = nn.Sequential(first(self.channels, fine), halving(fine, ch))
        self.out = nn.Sequential(
            *(Block(ch) for _ in range(config.enhancer_blocks)),
            doubling(ch, fine, config.upsampling),
            to_image(fine, spec.image[0]),
        )
        init_normal(self, STD)

    def forward(self, z: Tensor, y: Tensor, f: Tensor | None = None, stage: int = JOINT) -> Tensor:
        """As GlobalGenerator's; in the stage COARSE images have half the sides."""
        planes = self.planes(z, y, f)
        h = self.coarse(halved(planes))
        if stage == COARSE:
            return self.image(h)
        x: Tensor = self.out(self.into(planes) + h)
        return x


# --- Encoder


class Encoder(nn.Module):
    """Images and their maps to features in [-1, 1] that are alike in all pixels of an instance."""

    def __init__(self, channels: int, ch: int, downs: int, upsampling: Upsampling) -> None:
        super().__init__()
        layers = translating(channels, ch, downs, 0, upsampling)
        self.layers = nn.Sequential(*layers, to_image(ch, N_FEATURES))
        init_normal(self, STD)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, h, w) and ids (N, 2, H, W), as large or larger -> (N, N_FEATURES, H, W)."""
        h = self.layers(x)
        h = h.to(torch.promote_types(h.dtype, torch.float32))  # means need more than 8 bits
        if h.shape[2:] != y.shape[2:]:
            h = interpolate(h, y.shape[2:], mode="nearest-exact")
        return pooled(h, y)


# --- Discriminators


class MultiScaleDiscriminator(nn.Module):
    """Discriminators of patches that are alike but for the size of what they see: the whole image,
    half of it, a quarter, ...

    An image of half the sides of its source, as the coarse part makes them, is judged by all but
    the first.
    """

    def __init__(self, spec: DataSpec, config: Config, ch: int) -> None:
        super().__init__()
        self.shown = ShownWithEdges(spec)
        both = self.shown.channels + spec.image[0]
        self.scales = nn.ModuleList(
            PatchDiscriminator(both, InstanceNorm, ch, config.n_layers, bias=True, padding=2)
            for _ in range(config.n_scales)
        )
        init_normal(self, STD)

    def forward(self, x: Tensor, y: Tensor) -> list[list[Tensor]]:
        """Images and their sources to what each discriminator's layers give, the logits last."""
        planes: Tensor = self.shown(y, x)
        used = list(self.scales)
        while planes.shape[-1] > x.shape[-1]:
            planes = halved(planes)
            used = used[1:] or used
        h, found = torch.cat([planes, x], 1), []
        for k, dis in enumerate(used):
            h = halved(h) if k else h
            assert isinstance(dis, PatchDiscriminator)
            found.append(dis.activations(h))
        return found


# --- Sizes


def networks(
    generator: type[GlobalGenerator] | type[LocalEnhancer],
    config: Config,
    spec: DataSpec,
    gen: int,
    dis: int,
    enc: int,
) -> dict[str, nn.Module]:
    """gen, dis, enc: channels of the first layers of the global generator, of D, of the encoder."""
    check_sizes(spec, "pix2pixhd")
    height, width = spec.image[1:]
    most = max(1, (max(height, width) - 1).bit_length())
    if config.n_scales > most:
        raise UserError(
            f"n_scales is {config.n_scales}, and images of {width}x{height} are one pixel for the "
            f"last of so many discriminators: give at most {most}."
        )
    if config.features and spec.source_kind != "ids":
        raise UserError(
            "Features are of the instances in a map, and these sources are pictures: leave "
            "--features out, or give maps of classes, as --dataset wardrobe has them."
        )
    gen, dis, enc = (scaled(ch, config.width) for ch in (gen, dis, enc))
    found: dict[str, nn.Module] = {
        "gen": generator(spec, config, gen),
        "dis": MultiScaleDiscriminator(spec, config, dis),
    }
    if config.features:
        found["enc"] = Encoder(spec.image[0], enc, config.downs, config.upsampling)
    return found


build = Architectures(
    **{
        "global": partial(networks, GlobalGenerator, gen=64, dis=64, enc=16),
        "enhancer": partial(networks, LocalEnhancer, gen=64, dis=64, enc=16),
        "quick": partial(networks, LocalEnhancer, gen=16, dis=16, enc=8),
    }
)

"""pix2pixHD's recipe."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ganlib import config
from ganlib.common.networks.translator import Upsampling


class Config(config.AlgorithmConfig):
    """The authors' recipe for Cityscapes, as in example_configs/pix2pixhd_cityscapes_*.yaml."""

    condition = "images"
    architecture: Literal["global", "enhancer", "quick"] = "global"
    """global: the generator for 1024x512; enhancer: that one, then the local enhancer around it,
    for 2048x1024; quick: a small enhancer, for a CPU."""
    downs: Annotated[config.Count, Field(le=12)] = 4
    """Halvings in the global generator and in the encoder. Sides of images are brought to multiples
    of 2^(downs + 1), of which they have two at least."""
    blocks: config.Count = 9
    """Residual blocks of the global generator."""
    enhancer_blocks: config.Count = 3
    """Residual blocks of the local enhancer."""
    upsampling: Upsampling = "transposed"
    """How generators double sides: transposed: by transposed convolutions, the paper's; nearest:
    every pixel four times, then a convolution, which leaves no checkerboard."""
    n_scales: config.Count = 2
    """Discriminators, each of which sees half of the sides of the one before; 3 for 2048x1024."""
    n_layers: Annotated[config.Count, Field(le=5)] = 3
    """Layers of stride 2 of a discriminator."""
    coarse_images: config.Interval = 595_000
    """Real images to train the global generator on, in an enhancer at half of the size; 0 with
    --architecture enhancer and --init-from a run of global."""
    fixed_images: config.Interval = 29_750
    """Real images then, of an enhancer, while the global generator stands still."""
    joint_images: config.Interval = 267_750
    """Real images at last, of an enhancer, for both."""
    max_iter: config.Interval = 0
    """Iterations to train for; 0: as many as these images take."""
    features: bool = False
    """Encode instances, so that there are several images of one map."""
    clusters: config.Count = 10
    """Of the features of each class, of which samples take one."""
    cluster_images: config.Count = 256
    """Real images whose instances are clustered."""
    cluster_every: config.Count = 1000
    """Iterations after which that is done again; it is at the end too."""
    lam_feat: config.NonNegative = 10.0
    """Weight of the distance of the discriminators' features; 0 leaves it out."""
    lam_vgg: config.NonNegative = 10.0
    """Weight of the distance of VGG19's, which needs vgg_weights."""
    vgg_weights: Path | None = None
    """File of VGG19's weights, torchvision's vgg19-dcbb9e9d.pth; without it VGG is left out."""
    batch_size: int = 1
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    lr_decay: Literal["none", "linear"] = "linear"
    """linear: it falls to 0 at the end of coarse_images, and again at the end of what follows."""
    lr_decay_start: float = 0.5
    """The part of either after which linear begins to fall."""

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The next sides that both generators can halve, with two pixels left at least."""
        multiple = 2 ** (self.downs + 1)
        height, width = (max(2, -(-side // multiple)) * multiple for side in (height, width))
        return height, width

    def revisions(self) -> tuple[str, ...]:
        encodes = self.grows and self.features and self.fixed_images > 0
        return ("E learns through a coarse part that stands still",) if encodes else ()

    @property
    def grows(self) -> bool:
        """Whether there is something that enhances the global generator."""
        return self.architecture != "global"

"""pix2pixHD's recipe and training."""

from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib import config, updater
from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.losses import loss_dis_least_squares
from ganlib.common.networks.translator import Upsampling
from ganlib.common.networks.vgg import FILE, VGG19
from ganlib.training.update.streams import Stage, Stages

from .instances import clusters, largest
from .losses import VGG_WEIGHTS, feature_matching, vgg_distance
from .net import FIXED, JOINT, sizes_of

SMALLEST = 16
"""Side of the smallest images of which something is left for VGG's last activations."""
LARGEST, ROUNDS = 64, 20
"""Of an image so many instances are clustered; so many rounds of k-means."""
NAMES = ("coarse", "enhancer alone", "both")
"""Of the stages of a generator that grows."""
Layers = list[list[Tensor]]


class Config(config.AlgorithmConfig):
    """The authors' recipe for Cityscapes.

    example_configs/pix2pixhd_cityscapes_1024x512.yaml and pix2pixhd_cityscapes_2048x1024.yaml are
    whole ones.
    """

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
    every pixel four times, then a convolution, which leaves no net of pixels."""
    n_scales: config.Count = 2
    """Discriminators, each of which sees images of half of the sides of the one before it; 3 for
    2048x1024."""
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
    batch_size: config.Count = 1
    adam_beta1: config.Rate = 0.5
    adam_beta2: config.Rate = 0.999
    lr_decay: Literal["none", "linear"] = "linear"
    """linear: the learning rate falls to 0 at the end of coarse_images, and again from the start to
    0 at the end of what follows."""
    lr_decay_start: config.Rate = 0.5
    """The part of either after which linear begins to fall."""

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The next multiples of 2^(downs + 1); they need not be square."""
        return sizes_of(self.downs, (height, width))

    def revisions(self) -> tuple[str, ...]:
        encodes = self.grows and self.features and self.fixed_images > 0
        return ("E learns through a coarse part that stands still",) if encodes else ()

    @property
    def grows(self) -> bool:
        """Whether there is something that enhances the global generator."""
        return self.architecture != "global"


class Updater(updater.Updater):
    """One forward pass for all losses; the generator's step, then the discriminators'.

    An enhancer has three stages: COARSE, the global generator alone at half of the size; FIXED, the
    enhancer alone; JOINT.
    """

    config: Config
    gen: Generator
    dis: nn.Module
    enc: nn.Module
    vgg: VGG19

    def setup(self) -> None:
        c, (height, width) = self.config, self.spec.image[1:]
        n, half = c.batch_size, (height // 2, width // 2)
        if not c.grows:
            self.stages = Stages([(c.coarse_images, n, None)])
            return
        plan = [(c.coarse_images, n, half), (c.fixed_images, n, None), (c.joint_images, n, None)]
        self.stages = Stages(plan)

    def start_from(self, data: Loader) -> None:
        c, (channels, *size) = self.config, self.spec.image
        if c.vgg_weights is None or not c.lam_vgg:
            return
        halves = c.grows and c.coarse_images > 0
        least = 2 * SMALLEST if halves else SMALLEST
        if channels not in (1, 3) or min(size) < least:
            raise UserError(
                f"VGG19 compares images of 1 or 3 channels from {least} pixels on: leave "
                "--vgg-weights out."
            )
        self.freeze("vgg", VGG19(list(VGG_WEIGHTS), c.vgg_weights))

    def remarks(self) -> list[str]:
        if self.config.vgg_weights is not None or not self.config.lam_vgg:
            return []
        return [f"VGG19's distance is left out: --vgg-weights FILE, torchvision's {FILE}, adds it."]

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam over the generator and the encoder, one over the discriminators."""
        ours = [self.gen, self.enc] if self.config.features else [self.gen]
        return {"gen": self.adam(*ours), "dis": self.adam(self.dis)}

    # ---- stages ------------------------------------------------------------------------------

    def stage(self, iteration: int) -> Stage:
        return self.stages.at(iteration)

    def begin(self, stage: Stage) -> None:
        """A training of its own begins with new moments; that of both, with new ones of G alone."""
        self.reset("gen")
        if stage.number < JOINT or not self.config.fixed_images:
            self.reset("dis")

    def length(self) -> int:
        """max_iter, or what all stages take."""
        c = self.config
        last = c.joint_images if c.grows else c.coarse_images
        return c.max_iter or max(1, self.stages.starts[-1] + -(-last // c.batch_size))

    def stage_name(self, iteration: int) -> str:
        if not self.config.grows:
            return super().stage_name(iteration)
        stage = self.stage(iteration)
        height, width = stage.size or self.spec.image[1:]
        return f"{height}x{width}, {NAMES[stage.number]}"

    def schedule(self, iteration: int) -> dict[str, float]:
        """Both trainings, the global generator's and what follows, have a decay of their own."""
        border = self.stages.starts[1] if self.config.grows else 0
        start, end = (border, self.length()) if iteration >= border else (0, border)
        part = (iteration - start) / max(1, end - start)
        return {**super().schedule(iteration), "lr": self.decayed(part)}

    def phase(self, iteration: int) -> Hashable:
        """Whether clusters are found after it."""
        c, done = self.config, iteration + 1
        return c.features and (done % c.cluster_every == 0 or done == self.length())

    def generate(self, gen: Generator, code: Tensor, y: Tensor | None) -> Tensor:
        return self._made(gen, code, y, None)

    # ---- an iteration ------------------------------------------------------------------------

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> tuple[Tensor, Layers]:
        """Over scales the sum of (E (D(x) - 1)^2 + E D(G(y))^2) / 2, and D's layers of x."""
        real, fake = self.dis(x_real, y), self.dis(x_fake, y)
        losses = [
            loss_dis_least_squares(a[-1], b[-1], a=0, b=1) for a, b in zip(real, fake, strict=True)
        ]
        return torch.stack(losses).sum(), real

    def loss_gen(self, x_fake: Tensor, y: Tensor, real: Layers) -> tuple[Tensor, Tensor]:
        """Over scales the sum of E (D(G(y)) - 1)^2, and the distance from the layers of x."""
        fake = self.dis(x_fake, y)
        loss = torch.stack([(layers[-1] - 1).square().mean() for layers in fake]).sum()
        return loss, feature_matching(real, fake)

    def loss_vgg(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        """The distance of VGG19's activations."""
        return vgg_distance(self.vgg(x_real), self.vgg(x_fake))

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        assert y is not None
        if self.config.grows:  # what stands still lets gradients pass to the encoder all the same
            self.gen.get_submodule("coarse").requires_grad_(self.current.number != FIXED)
        f = self.enc(x_real, y) if self.config.features else None
        x_fake = self._made(self.gen, self.hidden(len(x_real)), y, f)

        loss_dis, real = self.loss_dis(x_real, x_fake.detach(), y)
        loss_gan, loss_feat = self.loss_gen(x_fake, y, real)
        loss_gen, seen = loss_gan + self.config.lam_feat * loss_feat, {"loss_feat": loss_feat}
        if "vgg" in self.frozen.networks:
            seen["loss_vgg"] = loss_vgg = self.loss_vgg(x_real, x_fake)
            loss_gen = loss_gen + self.config.lam_vgg * loss_vgg
        self.step(gen=loss_gen)
        self.step(dis=loss_dis)

        if self.phase(self.iteration):
            self._cluster()
        return {"loss_dis": loss_dis, "loss_gen": loss_gan, **seen}

    def _made(self, gen: Generator, z: Tensor, y: Tensor | None, f: Tensor | None) -> Tensor:
        """The images of the stage that runs."""
        x: Tensor = gen(z, y, f, self.current.number) if self.config.grows else gen(z, y, f)
        return x

    @torch.no_grad()
    def _cluster(self) -> None:
        """Let samples have the features of the instances in the next images of a stream."""
        c, stream, rows = self.config, self.stream("clusters"), []
        for _ in range(-(-c.cluster_images // c.batch_size)):
            x, y = next(stream)
            assert y is not None
            rows.append(self.gather(largest(self.enc(x, y), y, LARGEST)))
        kept = self.gen.get_buffer("clusters")
        kept.copy_(clusters(torch.cat(rows).to(kept.dtype), len(kept), c.clusters, ROUNDS))

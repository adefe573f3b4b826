"""pix2pixHD's training."""

from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import Optimizer

from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.losses import loss_dis_least_squares
from ganlib.common.networks.vgg import FILE, SMALLEST, VGG19, check_images
from ganlib.training.bases.staged import Staged
from ganlib.training.update.streams import Stage, Stages

from .config import Config
from .instances import clusters, largest
from .net import FIXED, JOINT

LARGEST, ROUNDS = 64, 20
"""Of an image so many instances are clustered; so many rounds of k-means."""
NAMES = ("coarse", "enhancer alone", "both")
"""Of the stages of a generator that grows."""
VGG_WEIGHTS = {"relu1_1": 1 / 32, "relu2_1": 1 / 16, "relu3_1": 1 / 8, "relu4_1": 1 / 4}
VGG_WEIGHTS["relu5_1"] = 1.0
"""Of VGG19's activations, by name: the authors' code."""
SCALE = 4.0
"""What the weights of a discriminator's layers add up to, with any number of layers."""
Layers = list[list[Tensor]]


class Updater(Staged):
    """One forward pass for all losses; the generator's step, then the discriminators'.

    An enhancer has three stages: COARSE, the global generator alone at half of the size; FIXED, the
    enhancer alone; JOINT.
    """

    config: Config
    enc: nn.Module
    vgg: VGG19

    def start_from(self, data: Loader) -> None:
        c = self.config
        if c.lam_feat and c.augments:
            raise UserError(
                "lam_feat compares what D's layers see of two images, which augmentation moves "
                "apart: give --lam-feat 0, or no augmentation."
            )
        if c.vgg_weights is None or not c.lam_vgg:
            return
        least = 2 * SMALLEST if c.grows and c.coarse_images else SMALLEST
        check_images(self.spec.image, "leave --vgg-weights out", least)
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

    def plan(self) -> Stages:
        c, (height, width) = self.config, self.spec.image[1:]
        n, half = c.batch_size, (height // 2, width // 2)
        if not c.grows:
            return Stages([(c.coarse_images, n, None)])
        return Stages(
            [(c.coarse_images, n, half), (c.fixed_images, n, None), (c.joint_images, n, None)]
        )

    def begin(self, stage: Stage) -> None:
        """A training of its own begins with new moments; that of both, with new ones of G alone."""
        self.reset("gen")
        if stage.number < JOINT or not self.config.fixed_images:
            self.reset("dis")

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
        return gen(code, y, None, self.current.number)

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
        if self.config.grows:  # what stands still lets gradients pass to the encoder all the same
            self.gen.get_submodule("coarse").requires_grad_(self.current.number != FIXED)
        f = self.enc(x_real, y) if self.config.features else None
        x_fake = self.gen(self.hidden(len(x_real)), y, f, self.current.number)

        loss_dis, real = self.loss_dis(x_real, x_fake.detach(), y)
        loss_gan, loss_feat = self.loss_gen(x_fake, y, real)
        loss_gen, logged = loss_gan + self.config.lam_feat * loss_feat, {"loss_feat": loss_feat}
        if "vgg" in self.frozen.networks:
            logged["loss_vgg"] = loss_vgg = self.loss_vgg(x_real, x_fake)
            loss_gen = loss_gen + self.config.lam_vgg * loss_vgg
        self.step(gen=loss_gen)
        self.step(dis=loss_dis)

        if self.phase(self.iteration):
            self._cluster()
        return {"loss_dis": loss_dis, "loss_gen": loss_gan, **logged}

    @torch.no_grad()
    def _cluster(self) -> None:
        """Let samples have the features of the instances in the next images of a stream."""
        c, stream, rows = self.config, self.stream("clusters"), []
        for _ in range(-(-c.cluster_images // c.batch_size)):
            x, y = next(stream)
            rows.append(self.gather(largest(self.enc(x, y), y, LARGEST)))
        table = self.gen.get_buffer("clusters")
        table.copy_(clusters(torch.cat(rows).to(table.dtype), len(table), c.clusters, ROUNDS))


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Equation 4: of several discriminators the mean, over all layers but the logits the mean times
    SCALE, of the mean |D^i(x) - D^i(G(y))|. Nothing descends into what `real` was computed by.
    """
    losses = [
        SCALE * l1_loss(b, a.detach()) / (len(theirs) - 1)
        for theirs, mine in zip(real, fake, strict=True)
        for a, b in zip(theirs[:-1], mine[:-1], strict=True)
    ]
    total: Tensor = sum(losses[1:], losses[0])
    return total / len(real)


def vgg_distance(real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Tensor:
    """The weighted sum of the mean distances of VGG19's activations, by their names."""
    losses = [weight * l1_loss(fake[n], real[n]) for n, weight in VGG_WEIGHTS.items()]
    return sum(losses[1:], losses[0])

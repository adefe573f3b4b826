"""CycleGAN's recipe and training."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib import config, updater
from ganlib.common.data import Loader
from ganlib.common.data.pool import Pool
from ganlib.common.generator import Generator
from ganlib.common.losses import loss_dis_least_squares
from ganlib.common.networks.translator import Upsampling
from ganlib.common.seeds import generator

SHOWN = 8
"""How many of each set pictures() has, in rows of a grid as long."""


class Config(config.AlgorithmConfig):
    """The recipe of the authors' PyTorch code, for two sets of a thousand images or so;
    example_configs/cyclegan_folders.yaml: theirs for 256 pixels.
    """

    condition = "unpaired"
    architecture: Literal["resnet"] = "resnet"
    """Which networks: the paper's residual generators and discriminators of patches."""
    blocks: config.Interval = 0
    """Residual blocks of a generator; 0: 9 for images of 256 pixels or more, 6 below."""
    upsampling: Upsampling = "transposed"
    """How a generator doubles sides: transposed: by transposed convolutions, the paper's; nearest:
    every pixel four times, then a convolution, which leaves no checkerboard."""
    n_layers: config.Interval = 3
    """Layers of stride 2 of D; with 0 to 3 a logit is of a patch of 1, 16, 34 or 70 pixels."""
    lam: config.NonNegative = 10.0
    """Weight of the cycle loss of sources: from source to image and back."""
    lam_back: config.NonNegative = 10.0
    """Weight of the cycle loss of images: from image to source and back."""
    lam_idt: config.NonNegative = 0.5
    """Weight of the identity loss, in parts of lam and lam_back; 0 where channels differ."""
    pool_images: config.Interval = 50
    """Generated images that the pool of each direction holds, for the discriminators; 0: none."""
    batch_size: int = 1
    """Images in a batch (of all GPUs together), and as many sources."""
    max_iter: int = 200_000
    """Iterations to train for; the authors' are 200 times the images of the larger set."""
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    lr_decay: Literal["none", "linear"] = "linear"
    lr_decay_start: float = 0.5

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The next multiples of 4 of which the discriminators' last norms have some pixels."""
        if height == width == 1:
            return 1, 1
        least = max(8, 3 << self.n_layers)
        return max(least, -(-height // 4) * 4), max(least, -(-width // 4) * 4)


class Updater(updater.Updater):
    """Section 3: both generators' step against discriminators that stand still, then both
    discriminators'. x is an image, y a source; x_fake is made of y, y_fake of x.
    """

    config: Config
    back: Generator
    dis_back: nn.Module
    pool: Pool
    pool_back: Pool
    backward = "back"
    shared = {"pool": "equal", "pool_back": "equal"}

    def setup(self) -> None:
        assert self.spec.source is not None
        like = next(self.gen.parameters())
        self.pool = Pool(self.config.pool_images, self.spec.image).to(like)
        self.pool_back = Pool(self.config.pool_images, self.spec.source).to(like)

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam over both generators, one over both discriminators."""
        return {"gen": self.adam(self.gen, self.back), "dis": self.adam(self.dis, self.dis_back)}

    def loss_gen(self, x_fake: Tensor, y_fake: Tensor) -> tuple[Tensor, Tensor]:
        """E (D(x_fake) - 1)^2, and the same of the way back."""
        real = self.dis(x_fake), self.dis_back(y_fake)
        return (real[0] - 1).square().mean(), (real[1] - 1).square().mean()

    def loss_cycle(self, y: Tensor, y_again: Tensor, x: Tensor, x_again: Tensor) -> Tensor:
        """Equation 2, with a weight for each of its terms."""
        c = self.config
        return c.lam * (y_again - y).abs().mean() + c.lam_back * (x_again - x).abs().mean()

    def loss_idt(self, none: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Section 5.2, L_identity: what a generator is to make it should leave as it is."""
        c = self.config
        of_gen = c.lam_back * (self.gen(none, x) - x).abs().mean()
        of_back = c.lam * (self.back(none, y) - y).abs().mean()
        return c.lam_idt * (of_gen + of_back)

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        """(E (D(x_real) - 1)^2 + E D(x_fake)^2) / 2."""
        return loss_dis_least_squares(self.dis(x_real), self.dis(x_fake), a=0, b=1)

    def loss_dis_back(self, y_real: Tensor, y_fake: Tensor) -> Tensor:
        """The same of sources."""
        return loss_dis_least_squares(self.dis_back(y_real), self.dis_back(y_fake), a=0, b=1)

    def update_core(self) -> dict[str, Tensor]:
        x_real, y_real = next(self.data)
        none = self.hidden(len(x_real))
        x_fake, y_fake = self.gen(none, y_real), self.back(none, x_real)
        y_again, x_again = self.back(none, x_fake), self.gen(none, y_fake)

        loss_gen, loss_gen_back = self.loss_gen(x_fake, y_fake)
        loss_cycle = self.loss_cycle(y_real, y_again, x_real, x_again)
        loss_all, logged = loss_gen + loss_gen_back + loss_cycle, {}
        if self.config.lam_idt:
            logged["loss_idt"] = loss_idt = self.loss_idt(none, x_real, y_real)
            loss_all = loss_all + loss_idt
        self.step(gen=loss_all)

        x_old, y_old = self._older(self.pool, x_fake), self._older(self.pool_back, y_fake)
        loss_dis, loss_dis_back = self.loss_dis(x_real, x_old), self.loss_dis_back(y_real, y_old)
        self.step(dis=loss_dis + loss_dis_back)
        return {
            "loss_gen": loss_gen,
            "loss_gen_back": loss_gen_back,
            "loss_cycle": loss_cycle,
            **logged,
            "loss_dis": loss_dis,
            "loss_dis_back": loss_dis_back,
        }

    def _older(self, pool: Pool, x: Tensor) -> Tensor:
        """Images out of the pool in place of the new ones, some of which are new."""
        u = self.gather(self.uniform(len(x), 2))
        return self.scatter(pool(self.gather(x.detach()), u))

    def pictures(self, seed: int) -> dict[str, Tensor]:
        """Held-out sources in a row, below them what becomes of each, and that translated back; the
        same of held-out images.
        """
        if self.held_out is None:
            return {}
        back = self.back if self.average_back is None else self.average_back
        there_and_back = self._rows(self.held_out, self.sampling_gen, back, seed)
        back_and_there = self._rows(self.held_out.turned(), back, self.sampling_gen, seed)
        return {"there_and_back": there_and_back, "back_and_there": back_and_there}

    def _rows(self, held_out: Loader, first: nn.Module, second: nn.Module, seed: int) -> Tensor:
        """(3 SHOWN, C, H, W), grey rows in equal channels beside coloured ones."""
        n = held_out.n_sources
        order = torch.randperm(n, generator=generator(seed, "pictures"))
        x = held_out.condition_at(order[torch.arange(SHOWN) % n])
        none = self.gen.make_hidden(len(x))
        x = x.to(none)
        made = first(none, x)
        rows = [self.spec.to_native(row.float()) for row in (x, made, second(none, made))]
        channels = max(row.shape[1] for row in rows)
        return torch.cat([row.expand(-1, channels, -1, -1) for row in rows])

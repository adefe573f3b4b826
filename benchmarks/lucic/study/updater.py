"""The study's settings, and the order of its steps (compare_gan v1.0, src/gans/abstract_gan.py)."""

from collections.abc import Callable

from torch import Tensor, nn

from ganlib import config, updater
from ganlib.common.data import DataSpec
from ganlib.common.generator import scaled
from ganlib.common.losses import gradient_of, stateless

from .net import Dis, Gen, counted


class Config(config.AlgorithmConfig):
    """What the study's methods share on MNIST and Fashion-MNIST: 20 epochs of 50,000 images."""

    multiple = 4
    max_iter: int = 15_625
    """Steps of D to train for."""
    adam_alpha: float = 1e-4
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    dis_bn: bool = True
    """Batch normalisation in D, and in VAE's encoder."""


class GANConfig(Config):
    """And those of them that have a D."""

    disc_iters: config.Count = 1
    """Steps of D, each an iteration, for each of G."""


def build(config: GANConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The study's networks."""
    ch = scaled(64, config.width)
    return {"gen": Gen(spec.image, ch), "dis": Dis(spec.image, ch, config.dis_bn)}


def last_bias(config: GANConfig) -> dict[str, str]:
    """D's parameter that a difference of its logits does not move."""
    return {"dis.layers.9.bias": "a constant added to the critic cancels in its loss"}


def unit(x: Tensor) -> Tensor:
    """Pixels in [-1, 1] to [0, 1]."""
    return (x + 1) / 2


class Updater(updater.Updater):
    """A step of D in every iteration, and in some of them then one of G. All pixels are in [0, 1].

    fresh: whether G has a z of its own. If not, the same samples serve both steps, and G's running
    averages move as by the two passes of the study.
    """

    config: GANConfig
    fresh = False

    def phase(self, iteration: int) -> bool:
        """Whether G has a step: in iterations 0, 1, n + 1, 2 n + 1, ..."""
        return iteration == 0 or (iteration - 1) % self.config.disc_iters == 0

    def near(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, ...]:
        """Further images for loss_dis(): those where it takes slopes."""
        return ()

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """What D descends."""
        raise NotImplementedError

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """What G descends."""
        raise NotImplementedError

    def after_dis(self) -> None:
        """After the step of D."""

    def finish(self, x_real: Tensor, z: Tensor) -> dict[str, Tensor]:
        """After both steps; returns more to log."""
        return {}

    def update_core(self) -> dict[str, Tensor]:
        trains_gen = self.phase(self.iteration)
        x_real = unit(next(self.data)[0])
        z = self.hidden(len(x_real))

        shared = trains_gen and not self.fresh
        with counted(self.gen, passes=2 if shared else 1):
            x_fake = unit(self.gen(z) if shared else self.fake(z))
        loss_dis = self.loss_dis(x_real, x_fake.detach(), *self.near(x_real, x_fake.detach()))
        self.step(dis=loss_dis)
        self.after_dis()
        observed = {"loss_dis": loss_dis}

        if trains_gen:
            if self.fresh:
                x_fake = unit(self.gen(self.hidden(len(x_real))))
            observed["loss_gen"] = self.loss_gen(x_fake)
            self.step(gen=observed["loss_gen"])
        return observed | self.finish(x_real, z)

    def penalty(self, height: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """E (sqrt(|grad h(D(x))|^2 + 1e-4) - 1)^2."""
        gradient, _ = gradient_of(lambda x: height(stateless(self.dis, x)), x)
        return ((gradient.square().flatten(1).sum(1) + 1e-4).sqrt() - 1).square().mean()

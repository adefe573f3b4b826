"""The first GAN's recipe and training: both networks at once, from the same samples."""

from collections.abc import Hashable
from typing import Literal

from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from ganlib import config, updater
from ganlib.common import losses
from ganlib.common.net import Generator

LOSSES_GEN = {
    "nonsaturating": losses.loss_gen_softplus,
    "minimax": losses.loss_gen_minimax,
}


class Config(config.AlgorithmConfig):
    """The authors' recipe for MNIST; example_configs/gan_cifar10.yaml is theirs for CIFAR-10."""

    architecture: Literal["mnist", "cifar_fc", "mlp"] = "mnist"
    """mnist: the authors' networks for MNIST; cifar_fc: for CIFAR-10, fully connected and 36 times
    as large; mlp: small, for points.
    """
    loss: Literal["nonsaturating", "minimax"] = "nonsaturating"
    """What G descends: nonsaturating, as the authors' code; minimax, as their equation 1."""
    n_dis: config.Count = 1
    """Algorithm 1's k, the discriminator's steps for each of the generator's. 1: both at once, as
    the authors' code; more: one after the other, each with fresh samples, as the paper prints it.
    """
    batch_size: config.Count = 100
    """Images in a batch (of all GPUs together)."""
    max_iter: config.Count = 125_000
    """Iterations to train for; 250 passes over 50,000 images, after which momentum is constant."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """sgd: the authors', with lr and momentum; adam: with the settings of its name."""
    lr: config.Positive = 0.1
    """SGD's learning rate at the start."""
    lr_divisor: config.Positive = 1.000004
    """What each iteration divides the learning rate by."""
    lr_min: config.NonNegative = 1e-6
    """SGD's learning rate stays above this."""
    momentum: config.Rate = 0.5
    """SGD's momentum at the start."""
    momentum_end: config.Rate = 0.7
    """And from iteration momentum_iter on."""
    momentum_iter: config.Count = 125_000
    """Iterations in which momentum rises linearly, in steps of 0.01."""

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The data's own: these networks do not care."""
        return height, width


class Updater(updater.Updater):
    """Section 3 of the paper, Algorithm 1."""

    config: Config
    gen: Generator
    dis: nn.Module

    def optimizers(self) -> dict[str, Optimizer]:
        """SGD or Adam for each network."""
        if self.config.optimizer == "adam":
            return super().optimizers()
        lr, momentum = self.config.lr, self.config.momentum
        return {
            "gen": SGD(self.gen.parameters(), lr, momentum, fused=True),
            "dis": SGD(self.dis.parameters(), lr, momentum, fused=True),
        }

    def schedule(self, iteration: int) -> dict[str, float]:
        """The learning rate falls exponentially, to a floor."""
        now = super().schedule(iteration)
        lowest = self.config.lr_min / self.config.lr
        return now | {"lr": now["lr"] * max(self.config.lr_divisor**-iteration, lowest)}

    def phase(self, iteration: int) -> Hashable:
        """Momentum, a number in the optimizer's work: it rises by 0.01 at a time, because each
        value has work of its own.
        """
        c = self.config
        if c.optimizer == "adam":
            return ()
        share = min(1.0, iteration / c.momentum_iter)
        return round(c.momentum + share * (c.momentum_end - c.momentum), 2)

    def loss_both(self, x_real: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """G's loss as the settings name it, D's (E softplus(-D(x)) + E softplus(D(G(z)))) / 2, and
        D(x).

        Both losses see the same D(G(z)), under the same dropout.
        """
        y_real, y_fake = self.dis(x_real), self.dis(self.gen(z))
        loss_dis = losses.loss_dis_softplus(y_real, y_fake) / 2
        return LOSSES_GEN[self.config.loss](y_fake), loss_dis, y_real

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """(E softplus(-D(x)) + E softplus(D(G(z)))) / 2, and D(x)."""
        y_real = self.dis(x_real)
        return losses.loss_dis_softplus(y_real, self.dis(x_fake)) / 2, y_real

    def loss_gen(self, z: Tensor) -> Tensor:
        """G's loss as the settings name it."""
        return LOSSES_GEN[self.config.loss](self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        self._set_momentum()
        return self.at_once() if self.config.n_dis == 1 else self.in_turn()

    def at_once(self) -> dict[str, Tensor]:
        """The authors' code: one step of both from the same samples."""
        x_real, _ = next(self.data)
        loss_gen, loss_dis, y_real = self.loss_both(x_real, self.hidden(len(x_real)))
        self.step(gen=loss_gen, dis=loss_dis)
        self.saw_real(y_real)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

    def in_turn(self) -> dict[str, Tensor]:
        """Algorithm 1: k steps of D, then one of G."""
        for _ in range(self.config.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            loss_dis, y_real = self.loss_dis(x_real, self.fake(self.hidden(n)))
            self.step(dis=loss_dis)
            self.saw_real(y_real)

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

    def _set_momentum(self) -> None:
        if self.config.optimizer == "sgd":
            for optimizer in self.optimizer.values():
                for group in optimizer.param_groups:
                    group["momentum"] = self.phase(self.iteration)

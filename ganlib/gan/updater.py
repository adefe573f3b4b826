"""The first GAN's recipe and training: both networks at once, from the same samples."""

from typing import Literal

from torch import Tensor

from ganlib import config
from ganlib.common import losses

from .sgd import SGDConfig, SGDUpdater

LOSSES_GEN = {"nonsaturating": losses.loss_gen_softplus, "minimax": losses.loss_gen_minimax}


class Config(SGDConfig):
    """The authors' recipe for MNIST; example_configs/gan_cifar10.yaml is theirs for CIFAR-10."""

    sides = {"mnist": None, "cifar_fc": None, "mlp": None}
    architecture: Literal["mnist", "cifar_fc", "quick", "mlp"] = "mnist"
    """mnist: the authors' networks for MNIST; cifar_fc: for CIFAR-10, fully connected and 36 times
    as large; quick: small convolutional ones, for a CPU; mlp: small, for points.
    """
    loss: Literal["nonsaturating", "minimax"] = "nonsaturating"
    """What G descends: nonsaturating, as the authors' code; minimax, as their equation 1."""
    n_dis: config.Count = 1
    """Algorithm 1's k, the discriminator's steps for each of the generator's. 1: both at once, as
    the authors' code; more: one after the other, each with fresh samples, as the paper prints it.
    """


class Updater(SGDUpdater):
    """Section 3 of the paper, Algorithm 1."""

    config: Config

    def loss_both(self, x_real: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """G's loss as the settings name it, D's (E softplus(-D(x)) + E softplus(D(G(z)))) / 2, and
        D(x).

        Both losses see the same D(G(z)), under the same dropout.
        """
        y_real, y_fake = self.dis(x_real), self.dis(self.gen(z))
        loss_dis = self.lecam(losses.loss_dis_softplus, y_real, y_fake) / 2
        return LOSSES_GEN[self.config.loss](y_fake), loss_dis, y_real

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """(E softplus(-D(x)) + E softplus(D(G(z)))) / 2, and D(x)."""
        y_real = self.dis(x_real)
        return self.lecam(losses.loss_dis_softplus, y_real, self.dis(x_fake)) / 2, y_real

    def loss_gen(self, z: Tensor) -> Tensor:
        """G's loss as the settings name it."""
        return LOSSES_GEN[self.config.loss](self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        self.set_momentum()
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

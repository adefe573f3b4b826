"""The conditional GAN's recipe and training: the first GAN's, and both networks are told y."""

from typing import Literal

from torch import Tensor

from ganlib import config
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.gan.sgd import SGDConfig, SGDUpdater


class Config(SGDConfig):
    """The paper's recipe for MNIST; what it does not say is the first GAN's."""

    condition = "labels"
    learns_in_bf16 = ("quick",)
    sides = {"mnist": None, "mlp": None}
    architecture: Literal["mnist", "quick", "mlp"] = "mnist"
    """mnist: the paper's for MNIST; quick: small, convolutional, for a CPU; mlp: for points."""
    dropout_gen: config.Rate = 0.5
    """The part of the hidden units of the generator of `mnist` that training leaves out."""
    dropout_dis: config.Rate = 0.5
    """The same of the discriminator's."""
    lr_divisor: float = 1.00004


class Updater(SGDUpdater):
    """Equation 2: D(x|y) and G(z|y), trained by gradient descent on both at once."""

    config: Config

    def loss_both(self, x_real: Tensor, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """E softplus(-D(G(z|y)|y)), (E softplus(-D(x|y)) + E softplus(D(G(z|y)|y))) / 2, and
        D(x|y).

        Real and generated images are of the same classes y; both losses see the same D(G(z|y)|y),
        under the same dropout.
        """
        y_real, y_fake = self.dis(x_real, y), self.dis(self.gen(z, y), y)
        loss_dis = self.lecam(loss_dis_softplus, y_real, y_fake) / 2
        return loss_gen_softplus(y_fake), loss_dis, y_real

    def update_core(self) -> dict[str, Tensor]:
        self.set_momentum()
        x_real, y = next(self.data)
        loss_gen, loss_dis, y_real = self.loss_both(x_real, self.hidden(len(x_real)), y)
        self.step(gen=loss_gen, dis=loss_dis)
        self.saw_real(y_real)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

"""SNGAN's recipe and training."""

from typing import Literal

from torch import Tensor

from ganlib import config, updater
from ganlib.common import losses

LOSSES = {
    "softplus": (losses.loss_dis_softplus, losses.loss_gen_softplus),  # equation 15
    "hinge": (losses.loss_dis_hinge, losses.loss_gen_hinge),  # equations 16 and 17
}


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe, its stdgan --architecture sndcgan;
    example_configs/sngan_cifar10_{cnn,resnet}.yaml: the paper's.
    """

    learns_in_bf16 = ("quick",)
    architecture: Literal["sndcgan", "cnn", "resnet", "quick", "mlp"] = "sndcgan"
    """sndcgan: chainer-gan-lib's; cnn, resnet: the paper's; quick: for a CPU; mlp: for points."""
    loss: Literal["softplus", "hinge"] = "softplus"
    """softplus: the non-saturating loss; hinge: the paper's choice for the ResNet."""
    n_dis: config.Count = 1
    """Discriminator updates per generator update."""
    gen_batch_multiplier: config.Count = 1
    """Generator batch in units of batch_size."""
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999


class Updater(updater.Updater):
    """n_dis discriminator steps, each with fresh z, then one generator step with fresh z."""

    config: Config

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's part of the loss that the settings name, and D(x)."""
        y_real = self.dis(x_real)
        return self.lecam(LOSSES[self.config.loss][0], y_real, self.dis(x_fake)), y_real

    def loss_gen(self, z: Tensor) -> Tensor:
        """The generator's part."""
        return LOSSES[self.config.loss][1](self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        for _ in range(self.config.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            loss_dis, y_real = self.loss_dis(x_real, self.fake(self.hidden(n)))
            self.step(dis=loss_dis)
            self.saw_real(y_real)

        loss_gen = self.loss_gen(self.hidden(n * self.config.gen_batch_multiplier))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

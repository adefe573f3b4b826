"""WGAN's recipe and training: Algorithm 1 of the paper, with its authors' long critic phases."""

from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer, RMSprop

from ganlib import config, updater
from ganlib.common.data.spec import next_power
from ganlib.common.losses import loss_dis_wasserstein, loss_gen_wasserstein


class Config(config.AlgorithmConfig):
    """The authors' recipe."""

    architecture: Literal["dcgan", "dense", "quick", "mlp"] = "dcgan"
    """dcgan, dense: the authors', dense fully connected; quick: for a CPU; mlp: for points."""
    n_dis: config.Count = 5
    """Critic updates per generator update."""
    n_dis_long: config.Count = 100
    """Critic updates in the iterations that train it long."""
    long_first: config.Interval = 25
    """How many iterations train the critic long at the start."""
    long_interval: config.Interval = 500
    """Every iteration divisible by this trains the critic long; 0 for none."""
    clip: config.Positive = 0.01
    """Largest absolute value of a parameter of the critic."""
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    """Of both networks; the paper finds the critic unstable with Adam."""
    adam_alpha: float = 5e-5
    """Learning rate, RMSProp's too."""
    adam_beta1: float = 0.5
    """Adam's decay of the first moment; RMSProp has none."""
    adam_beta2: float = 0.999
    """Adam's decay of the second moment; RMSProp's is 0.99."""

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The next power of 2 for the authors' DCGAN, which halves the image down to 4 pixels."""
        size = super().image_size(height, width)
        if self.architecture != "dcgan":
            return size
        return next_power(*size)


class Updater(updater.Updater):
    """n_dis clipped critic steps, each with fresh z, then one generator step with fresh z."""

    config: Config

    def optimizers(self) -> dict[str, Optimizer]:
        """RMSProp without momentum for each network, or Adam."""
        if self.config.optimizer == "adam":
            return super().optimizers()
        networks, lr = {"gen": self.gen, "dis": self.dis}, self.config.adam_alpha
        return {name: RMSprop(network.parameters(), lr) for name, network in networks.items()}

    def phase(self, iteration: int) -> int:
        """The number of critic steps: WassersteinGAN main.py, `Diters`."""
        c = self.config
        divisible = c.long_interval > 0 and iteration % c.long_interval == 0
        return c.n_dis_long if iteration < c.long_first or divisible else c.n_dis

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        """E D(G(z)) - E D(x)."""
        return loss_dis_wasserstein(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, z: Tensor) -> Tensor:
        """-E D(G(z))."""
        return loss_gen_wasserstein(self.dis(self.gen(z)))

    @torch.no_grad()
    def clip(self) -> None:
        """Every parameter of the critic to [-clip, clip], gains and biases too; no buffers."""
        for parameter in self.dis.parameters():
            parameter.clamp_(-self.config.clip, self.config.clip)

    def update_core(self) -> dict[str, Tensor]:
        for _ in range(self.phase(self.iteration)):
            x_real, _ = next(self.data)
            n = len(x_real)
            loss_dis = self.loss_dis(x_real, self.fake(self.hidden(n)))
            self.step(dis=loss_dis)
            self.clip()

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"w_distance": -loss_dis, "loss_dis": loss_dis, "loss_gen": loss_gen}


def unmoved(config: Config) -> dict[str, str]:
    """The critic's last bias, which cancels in D(G(z)) - D(x)."""
    if config.architecture == "dcgan":  # has none
        return {}
    return {"dis.l4.bias": "a constant added to the critic cancels in its loss"}

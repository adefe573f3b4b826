"""Shows: a whole method, here in one file.

Geometric GAN, of the hinge loss: Lim, Ye 2017, https://arxiv.org/abs/1705.02894
"""

from math import prod

from torch import Tensor, nn

from ganlib import Algorithm, AlgorithmConfig, Generator, config, updater
from ganlib.common.data import DataSpec
from ganlib.common.losses import loss_dis_hinge, loss_gen_hinge


class Config(AlgorithmConfig):
    adam_beta1: float = 0.5
    n_dis: config.Count = 2
    """Discriminator updates per generator update."""


class Gen(Generator):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__(n_hidden=64, latent="normal")
        self.layers = nn.Sequential(nn.Linear(64, ch), nn.ReLU(), nn.Linear(ch, prod(spec.image)))
        self.shape = spec.image

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.shape).tanh()


def build(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(8, round(256 * config.width))
    dis = nn.Sequential(nn.Flatten(), nn.Linear(prod(spec.image), ch), nn.ReLU(), nn.Linear(ch, 1))
    return {"gen": Gen(spec, ch), "dis": dis}


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        return loss_dis_hinge(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, z: Tensor) -> Tensor:
        return loss_gen_hinge(self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        for _ in range(self.config.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            loss_dis = self.loss_dis(x_real, self.fake(self.hidden(n)))
            self.step(dis=loss_dis)

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}


ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)

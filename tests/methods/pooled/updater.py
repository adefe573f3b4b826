"""The discriminator is shown generated images of earlier iterations too."""

from torch import Tensor

from ganlib import AlgorithmConfig, config, updater
from ganlib.common.data.pool import Pool
from ganlib.common.losses import loss_dis_least_squares, loss_gen_least_squares


class Config(AlgorithmConfig):
    pool_images: config.Count = 6
    """CycleGAN's are 50."""


class Updater(updater.Updater):
    pool: Pool
    shared = {"pool": "equal"}

    def setup(self) -> None:
        self.pool = Pool(self.config.pool_images, self.spec.image).to(next(self.gen.parameters()))

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        return loss_dis_least_squares(self.dis(x_real), self.dis(x_fake), a=0, b=1)

    def loss_gen(self, z: Tensor) -> Tensor:
        return loss_gen_least_squares(self.dis(self.gen(z)), c=1)

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n = len(x_real)
        fakes, u = self.gather(self.fake(self.hidden(n))), self.gather(self.uniform(n, 2))
        loss_dis = self.loss_dis(x_real, self.scatter(self.pool(fakes, u)))
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

"""Three stages: images of a quarter and a half of the size, then whole ones."""

from torch import Tensor, nn

from ganlib import AlgorithmConfig, config
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.training.bases.staged import Staged
from ganlib.training.update.streams import Stages


class Config(AlgorithmConfig):
    stage_images: config.Count = 32
    """Real images in each of the first two stages, and twice as many as a new size fades in for.
    The paper's are 1,200,000."""


class Updater(Staged):
    def plan(self) -> Stages:
        _, height, width = self.spec.image
        n, batch = self.config.stage_images, self.config.batch_size
        quarter, half = (height // 4, width // 4), (height // 2, width // 2)
        return Stages([(n, 2 * batch, quarter), (n, batch, half), (n, batch, None)])

    def schedule(self, iteration: int) -> dict[str, float]:
        alpha = self.stages.inside(iteration) / (self.config.stage_images / 2)
        return {**super().schedule(iteration), "alpha": min(1.0, alpha)}

    def generate(self, gen: nn.Module, z: Tensor, y: Tensor | None) -> Tensor:
        return gen(z, self.current.number, self.now["alpha"])

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, level: int, alpha: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real, level, alpha), self.dis(x_fake, level, alpha))

    def loss_gen(self, z: Tensor, level: int, alpha: Tensor) -> Tensor:
        return loss_gen_softplus(self.dis(self.gen(z, level, alpha), level, alpha))

    def update_core(self) -> dict[str, Tensor]:
        level, alpha = self.current.number, self.now["alpha"]
        x_real, _ = next(self.data)
        n = len(x_real)
        loss_dis = self.loss_dis(x_real, self.fake(self.hidden(n)), level, alpha)
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(self.hidden(n), level, alpha)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

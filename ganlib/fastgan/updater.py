"""FastGAN's recipe and training."""

from typing import Any, Literal

from torch import Tensor

from ganlib import config, updater
from ganlib.common.data.spec import next_power
from ganlib.common.losses import loss_dis_hinge, loss_gen_hinge

SMALLEST = 32
LOGITS = 50
"""Of an image: 5x5 of the whole, as many of a smaller copy."""
LEAST = 0.8
"""The hinge's margins are U(0.8, 1)."""


class Config(config.AlgorithmConfig):
    """The authors' numbers; example_configs/fastgan_folder.yaml: a folder of photos."""

    architecture: Literal["fastgan", "quick"] = "fastgan"
    """fastgan: the paper's at 256, 512 and 1024 pixels, of smaller images without the layers for
    larger ones; quick: a quarter as wide, for a CPU.
    """
    lam: config.NonNegative = 1.0
    """Weight of the squared errors of what D draws of a real image from its maps."""
    diffaugment: config.Policies = ("color", "translation")
    batch_size: int = 8
    max_iter: int = 50_000
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    ema_decay: float = 0.999

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return next_power(height, width, SMALLEST)


class Updater(updater.Updater):
    """A D step, then a G step by the same fakes."""

    config: Config
    gen: Any
    dis: Any

    def loss_dis(
        self, x_real: Tensor, x_fake: Tensor, small: Tensor, quadrants: Tensor, margins: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """E max(0, m - D(x)) + E max(0, m' + D(x~)), the sum of the mean squared errors of D's
        three drawings of x, and D(x).
        """
        y_real, drawn, seen = self.dis.autoencode(x_real, quadrants)
        y_fake = self.dis(x_fake, small)
        hinge = self.lecam(loss_dis_hinge, y_real, y_fake, *margins.unbind(1))
        return hinge, (drawn - seen).square().mean((0, 2, 3, 4)).sum(), y_real

    def loss_gen(self, x_fake: Tensor, small: Tensor) -> Tensor:
        """-E D(x~)."""
        return loss_gen_hinge(self.dis(x_fake, small))

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n = len(x_real)
        quadrants = (4 * self.uniform(n)).long()
        margins = LEAST + (1 - LEAST) * self.uniform(n, 2, LOGITS)
        x_fake, small = self.gen.pair(self.hidden(n))

        detached = x_fake.detach(), small.detach()
        loss_dis, loss_rec, y_real = self.loss_dis(x_real, *detached, quadrants, margins)
        self.step(dis=loss_dis + self.config.lam * loss_rec)
        self.saw_real(y_real)

        loss_gen = self.loss_gen(x_fake, small)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_rec": loss_rec, "loss_gen": loss_gen}

"""pix2pix's recipe and training."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus

MOST = 8
"""Halvings of the U-Net for 256 pixels."""


class Config(config.AlgorithmConfig):
    """The paper's recipe, for photographs of 256 pixels, with the PyTorch code's learning rate;
    example_configs/pix2pix_{edges2shoes,facades}.yaml: whole ones.
    """

    condition = "images"
    architecture: Literal["unet", "encoder_decoder", "quick"] = "unet"
    """unet: the paper's; encoder_decoder: that without skips; quick: a small U-Net, for a CPU."""
    downs: Annotated[config.Interval, Field(le=12)] = 0
    """How often the generator halves its source, whose sides are brought to multiples of 2^downs;
    0: until the shorter side is a pixel, 8 times at most, as the paper does with 256 pixels.
    """
    n_layers: Annotated[config.Interval, Field(le=5)] = 3
    """Layers of D, whose logits see squares of 1, 16, 34, 70, 142 or 286 pixels: 0 to 5."""
    conditional: bool = True
    """Show the discriminator the source too."""
    lam: config.NonNegative = 100.0
    """Weight of the L1 distance to the image of the pair; 0 leaves it out."""
    lam_gan: config.NonNegative = 1.0
    """Weight of what the discriminator says; 0 leaves L1 alone."""
    batch_size: int = 1
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    lr_decay: Literal["none", "linear"] = "linear"
    lr_decay_start: float = 0.5
    jitter: int = 30
    statistics: str = "batch"

    def halvings(self, height: int, width: int) -> int:
        """`downs`, or for 0 as many as bring the shorter side to a pixel, at most MOST."""
        return self.downs or min(MOST, max(1, (min(height, width) - 1).bit_length()))

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The next multiples of 2^downs; they need not be square."""
        multiple = 2 ** self.halvings(height, width)
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple


class Updater(updater.Updater):
    """One pass of the generator, a step of the discriminator, and the generator's against it."""

    config: Config

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Half of -log s(D(y, x)) - log(1 - s(D(y, G(y)))), which slows D, and D(y, x)."""
        y_real = self.dis(x_real, y)
        return self.lecam(loss_dis_softplus, y_real, self.dis(x_fake, y)) / 2, y_real

    def loss_gen(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """-log s(D(y, G(y))), and |x - G(y)| (equation 3), means over patches and pixels."""
        return loss_gen_softplus(self.dis(x_fake, y)), (x_fake - x_real).abs().mean()

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(x_real)), y)
        loss_dis, y_real = self.loss_dis(x_real, x_fake.detach(), y)
        self.step(dis=loss_dis)
        self.saw_real(y_real)

        loss_gan, loss_l1 = self.loss_gen(x_real, x_fake, y)
        self.step(gen=self.config.lam_gan * loss_gan + self.config.lam * loss_l1)
        return {"loss_dis": loss_dis, "loss_gen": loss_gan, "loss_l1": loss_l1}

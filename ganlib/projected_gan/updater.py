"""Projected GAN's recipe and training."""

from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ganlib import config, updater
from ganlib.common.data import Loader
from ganlib.common.data.spec import next_power
from ganlib.common.errors import UserError
from ganlib.common.losses import loss_dis_hinge, loss_gen_hinge
from ganlib.evaluation.extractors.base import OWN
from ganlib.fastgan.updater import SMALLEST

from .features import EFFICIENTNET, load, pyramid_of

Network = Literal["bundled", "efficientnet_lite0", "fashion", "emoji", "wardrobe"]


class Config(config.AlgorithmConfig):
    """The authors' numbers, but for the frozen network; example_configs/projected_gan_folder.yaml:
    theirs, with EfficientNet-Lite0.
    """

    architecture: Literal["fastgan", "lite", "quick"] = "fastgan"
    """fastgan: the authors', FastGAN's with twice as many channels; lite: with half of the
    convolutions, which they advise for few images; quick: small, for a CPU.
    """
    network: Network = "bundled"
    """The frozen network: efficientnet_lite0, the authors', of ganlib[projected]; or a classifier
    that comes with ganlib, bundled: fashion for grey images and emoji for others.
    """
    feature_size: config.Interval = 0
    """Side of the images that efficientnet_lite0 sees; 0: as they are, from 224 on."""
    feature_weights: Path | None = None
    """File of its weights, efficientnet-lite0-57934424.pth; default that of ganlib[projected]."""
    diffaugment: config.Policies = ("color", "translation", "cutout")
    adam_beta2: float = 0.99
    ema_decay: float = 0.9978

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        return next_power(height, width, SMALLEST)

    def network_for(self, channels: int) -> str:
        """The network's name, for images of so many channels."""
        if self.network != "bundled":
            return self.network
        return "fashion" if channels == 1 else "emoji"

    def seen(self, channels: int, side: int) -> int:
        """The side at which the network sees images; UserError where its maps would be too small,
        or for a setting that is another network's.
        """
        name = self.network_for(channels)
        own = pyramid_of(name)
        if name != EFFICIENTNET:
            if self.feature_size or self.feature_weights is not None:
                raise UserError(
                    f"--feature-size and --feature-weights are for --network {EFFICIENTNET}, and "
                    f"this one is {name}: leave them out, or choose that one."
                )
            return own.side
        if 0 < self.feature_size < 64:
            raise UserError(
                f"Of images of {self.feature_size} pixels {EFFICIENTNET} leaves too little to "
                "judge: give a --feature-size of 64 or more."
            )
        return self.feature_size or max(own.side, side)


class Updater(updater.Updater):
    """A G step, then a D step, each with z of its own."""

    config: Config
    gen: Any
    dis: Any
    shared = {"dis.mixing": "equal"}

    def start_from(self, data: Loader) -> None:
        self.dataset = data.data.name
        name = self.config.network_for(self.spec.image[0])
        self.freeze(name, load(name, self.config.feature_weights))
        self.dis.looks_through(getattr(self, name))

    def remarks(self) -> list[str]:
        name = self.config.network_for(self.spec.image[0])
        if name == EFFICIENTNET or OWN.get(self.dataset) == name:
            return []
        return [
            f"D sees these images by the small classifier '{name}', which was trained on others: "
            f"pip install ganlib[projected] and --network {EFFICIENTNET} is the authors' choice."
        ]

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """-E D(x~), over the logits of all discriminators."""
        return loss_gen_hinge(self.dis(x_fake))

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """E max(0, 1 - D(x)) + E max(0, 1 + D(x~)), and D(x)."""
        y_real = self.dis(x_real)
        return self.lecam(loss_dis_hinge, y_real, self.dis(x_fake)), y_real

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n = len(x_real)
        loss_gen = self.loss_gen(self.gen(self.hidden(n)))
        self.step(gen=loss_gen)

        loss_dis, y_real = self.loss_dis(x_real, self.fake(self.hidden(n)))
        self.step(dis=loss_dis)
        self.saw_real(y_real)
        return {"loss_gen": loss_gen, "loss_dis": loss_dis}

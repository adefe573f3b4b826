"""StyleGAN2's recipe."""

from typing import Literal

from ganlib import config
from ganlib.common.data import Condition
from ganlib.common.data.spec import next_power

SMALLEST = 4
"""Pixels on a side of the smallest images."""


class Config(config.AlgorithmConfig):
    """The configuration `auto` of stylegan2-ada-pytorch on one GPU, for 32 pixels and 25 million
    images; example_configs/stylegan2_*.yaml: the papers' recipes.
    """

    sides = {"paper256": 256, "paper512": 512, "paper1024": 1024}
    architecture: Literal["auto", "cifar", "paper256", "paper512", "paper1024", "quick"] = "auto"
    """auto: for any side of 8, 16, 32, ... pixels; cifar: the paper's for CIFAR-10, whose D has no
    skips; paper256, paper512, paper1024: the papers'; quick: small, for a CPU.
    """
    labels: bool = False
    """Tell both networks the classes of the images."""
    batch_size: int = 32
    max_iter: int = 781_250
    adam_alpha: float = 2.5e-3
    """Adam's learning rate; k / (k + 1) of it where a regulariser comes every k iterations."""
    adam_beta2: float = 0.99
    """Adam's decay of the second moment; to the power of k / (k + 1) likewise."""
    gamma: config.NonNegative | None = None
    """Weight of R1, times 1/2; default 0.0002 times pixels of an image over images of a batch."""
    r1_every: config.Count = 16
    """Iterations from one R1 to the next, which counts as many times."""
    path_weight: config.NonNegative = 2.0
    """Weight of the path length penalty; 0: none."""
    path_every: config.Count = 4
    """Iterations from one path length penalty to the next, which counts as many times."""
    style_mixing: config.Rate = 0.9
    """Probability that a batch has the styles of other latents from some layer on."""
    group: config.Count = 4
    """Images in a group of D's minibatch deviation."""
    ema_decay: float = 0.999
    """0 keeps no averaged generator; its decay follows from ema_images, unless that is 0."""
    ema_images: config.NonNegative | None = None
    """Images after which the averaged generator has forgotten half; default 312.5 batches."""
    ema_ramp: config.NonNegative = 0.05
    """That are no more than this part of the images seen so far; 0: as many from the start."""

    @property
    def condition(self) -> Condition:  # type: ignore[override]
        """Labels, if the settings ask for them."""
        return "labels" if self.labels else None

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """The side that the architecture is for, or a square of 8, 16, 32, ... pixels."""
        if self.architecture in self.sides:
            return super().image_size(height, width)
        return next_power(height, width, 2 * SMALLEST)

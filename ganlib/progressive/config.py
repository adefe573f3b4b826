"""Progressive growing's recipe; some settings follow the side of images, as 32=64,64=32,128=16."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ganlib import config
from ganlib.common.data.spec import next_power

SMALLEST = 4
"""Pixels on a side of the smallest images."""


def doubling(side: int) -> int:
    """`side` itself; ValueError for one that 4 pixels do not reach by doubling."""
    if side & (side - 1):
        raise ValueError("should be 4, 8, 16, 32, ...")
    return side


def table(text: str) -> dict[int, float]:
    """The values by the side from which on they hold; ValueError for what is no such text."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    try:
        return {int(side): float(value) for side, _, value in pairs}
    except ValueError:
        raise ValueError("should be SIDE=VALUE pairs such as 64=32,128=16") from None


def at(text: str, side: int, before: float) -> float:
    """The value for this side: that of the largest one named that is not larger, else `before`."""
    known = {s: value for s, value in table(text).items() if s <= side}
    return known[max(known)] if known else before


def _as_text(value: Any) -> Any:
    """A mapping, as a YAML file may have it, as text."""
    if not isinstance(value, Mapping):
        return value
    return ",".join(f"{side}={number}" for side, number in value.items())


def _positive(text: str) -> str:
    if not all(0 < value < inf for value in table(text).values()):
        raise ValueError("should have values above 0")
    return text


def _whole(text: str) -> str:
    if any(value < 1 or value % 1 for value in table(text).values()):
        raise ValueError("should have whole numbers from 1 on as values")
    return text


Numbers = Annotated[str, BeforeValidator(_as_text), AfterValidator(_positive)]
Counts = Annotated[str, BeforeValidator(_as_text), AfterValidator(_whole)]
Side = Annotated[int, Field(ge=SMALLEST), AfterValidator(doubling)]


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe, which is for 32 pixels;
    example_configs/progressive_{cifar10_paper,lsun256,celebahq1024}.yaml: the paper's.
    """

    architecture: Literal["chainer", "paper", "cifar10", "quick", "mlp"] = "chainer"
    """chainer: chainer-gan-lib's, for 32 pixels; paper: the paper's for up to 1024; cifar10: the
    paper's for CIFAR-10; quick: small, for a CPU; mlp: small, of one size, for points.
    """
    batch_size: int = 16
    batch_sizes: Counts = ""
    """Other batch sizes from a side of the images on, such as 256=14,512=6,1024=3."""
    start_resolution: Side = 4
    """Side of the images that training begins with."""
    max_resolution: Side | None = None
    """Side of the last ones; by default the first doubling of 4 in which the data fit."""
    stage_images: config.Count = 400_000
    """Real images that a size is trained alone on, and as many in which the next one fades in."""
    last_images: config.Count = 4_000_000
    """Real images for which the last size is trained alone, where max_iter is 0."""
    max_iter: config.Interval = 0
    """Iterations to train for; 0: as many as the stages take."""
    loss: Literal["wgan_gp", "hinge"] = "wgan_gp"
    """The critic's: the distance of the means, or hinges; with the penalties below both times."""
    n_dis: config.Count = 1
    """Critic updates per generator update."""
    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty, divided by gamma^2; 0: none."""
    gamma: config.Positive = 750.0
    """Norm that the critic's gradient is held near."""
    penalty_at: Literal["stage", "full"] = "stage"
    """At which images that gradient is taken: stage (those of the stage, as in chainer-gan-lib) or
    full (the same at the last size, enlarged by repeating pixels, as in the paper's programs: at
    images of half that side its norm is half as long).
    """
    drift: config.NonNegative = 1e-3
    """Weight of E D(x)^2, which holds the critic near 0."""
    adam_alpha: float = 1e-3
    adam_alphas: Numbers = ""
    """Other learning rates from a side of the images on, such as 128=0.0015,256=0.002."""
    adam_beta2: float = 0.99
    reset_adam: bool = False
    """Let Adam forget its moments where a stage begins."""
    ema_decay: float = 0.999

    def revisions(self) -> tuple[str, ...]:
        of_batches = self.architecture == "paper"
        return ("minibatch deviation is over the batch, not groups of 4",) if of_batches else ()

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """max_resolution, or 4 times a power of two; points stay points."""
        most = self.max_resolution
        if most is None or height == width == 1:
            return next_power(height, width, SMALLEST)
        return most, most

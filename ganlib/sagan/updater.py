"""SAGAN's recipe: the projection discriminator's training with a learning rate for each network."""

from typing import Literal

from torch.optim import Optimizer

from ganlib import config
from ganlib.sngan_projection import updater


class Config(config.AlgorithmConfig):
    """The authors' recipe, brain-research/self-attention-gan, with networks for 32 pixels;
    example_configs/sagan_imagenet128.yaml: theirs for ImageNet at 128 pixels.
    """

    condition = "labels"
    learns_in_bf16 = ("quick",)
    sides = {"imagenet128": 128, "imagenet128_at64": 128}
    architecture: Literal["imagenet128", "imagenet128_at64", "cifar10", "quick", "mlp"] = "cifar10"
    """imagenet128: the authors', with attention at 32 pixels; imagenet128_at64: theirs with it at
    64; cifar10: for 32 pixels, with it at 16; quick: small, for a CPU; mlp: small, for points.
    """
    n_dis: config.Count = 1
    """Discriminator updates per generator update."""
    gen_batch_multiplier: config.Count = 1
    """Generator batch in units of batch_size."""
    adam_alpha: float = 1e-4
    """Adam's learning rate, the generator's."""
    adam_alpha_dis: config.Positive = 4e-4
    """The discriminator's."""
    adam_beta2: float = 0.999


class Updater(updater.Updater):
    """The discriminator's step, then the generator's, each with fresh z and classes."""

    config: Config  # type: ignore[assignment]

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for both, D's with its own rate: the two-timescale rule (Heusel et al. 2017)."""
        dis = self.adam(self.dis, alpha=self.config.adam_alpha_dis)
        return {"gen": self.adam(self.gen), "dis": dis}

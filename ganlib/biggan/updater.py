"""BigGAN's recipe and training."""

from functools import reduce
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganlib import config
from ganlib.common.losses import loss_dis_hinge, orthogonal_penalty
from ganlib.sagan import updater


class Config(config.AlgorithmConfig):
    """The recipe of BigGAN-PyTorch for CIFAR-10, launch_cifar_ema.sh;
    example_configs/biggan_*.yaml: those for ImageNet.
    """

    condition = "labels"
    sides = {"imagenet128": 128, "imagenet256": 256, "imagenet512": 512, "deep128": 128}
    architecture: Literal[
        "cifar10", "imagenet128", "imagenet256", "imagenet512", "deep128", "quick", "mlp"
    ] = "cifar10"
    """cifar10: BigGAN-PyTorch's for 32 pixels; imagenet128, imagenet256, imagenet512: the paper's;
    deep128: BigGAN-deep; quick: small, for a CPU; mlp: small, for points.
    """
    batch_size: int = 50
    max_iter: int = 125_000
    n_dis: config.Count = 4
    """Discriminator updates per generator update."""
    adam_alpha: float = 2e-4
    """Adam's learning rate, the generator's."""
    adam_alpha_dis: config.Positive = 2e-4
    """The discriminator's."""
    adam_beta2: float = 0.999
    adam_epsilon: config.Positive = 1e-8
    """What Adam adds to the root of the second moment."""
    ema_decay: float = 0.9999
    """Decay of the averaged generator that sampling prefers; 0 keeps none. No ramp."""
    ema_start: config.Interval = 1000
    """The iteration, from 1 on, that begins to average; until then it is the generator itself."""
    orthogonal: config.NonNegative = 0.0
    """Weight of the orthogonal regularisation of the generator; the paper's is 1e-4."""
    statistics: str = "batch"

    def revisions(self) -> tuple[str, ...]:
        """Of BigGAN-deep's D, of the term of tables of gains, of where the average begins."""
        tables = self.architecture == "cifar10" and self.orthogonal
        said = {
            "D halves five times and not four": self.architecture == "deep128",
            "the orthogonal term is of gains less 1": tables,
            "the average begins an iteration earlier": self.ema_decay and self.ema_start,
        }
        return tuple(words for words, concerned in said.items() if concerned)


class Updater(updater.Updater):
    """n_dis discriminator steps, then one generator step, each with fresh z and classes.

    The discriminator sees real and generated images in one pass. Classes of generated images are
    each as often as any other.
    """

    config: Config  # type: ignore[assignment]

    def optimizers(self) -> dict[str, Optimizer]:
        """SAGAN's, with an epsilon by the settings."""
        optimizers = super().optimizers()
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["eps"] = self.config.adam_epsilon
        return optimizers

    def schedule(self, iteration: int) -> dict[str, float]:
        """The average is the generator itself before iteration ema_start, counted from 1."""
        decay = self.config.ema_decay if iteration + 1 >= self.config.ema_start else 0.0
        return {**super().schedule(iteration), "ema_decay": decay}

    def loss_dis(
        self, x_real: Tensor, y: Tensor, x_fake: Tensor, y_fake: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The hinge loss of the discriminator, and D(x, y)."""
        d = self.dis(torch.cat((x_fake, x_real)), torch.cat((y_fake, y)))
        d_fake, d_real = d.split((len(x_fake), len(x_real)))
        return self.lecam(loss_dis_hinge, d_real, d_fake), d_real

    def loss_orthogonal(self) -> Tensor:
        """Of all of the generator's matrices but the classes' vectors: equation 3. A table of gains
        counts as what it adds to 1, which is what the authors keep of it.
        """
        named = self.gen.named_parameters()
        matrices = [
            p.flatten(1) - 1 if name.endswith(".gains.weight") else p.flatten(1)
            for name, p in named
            if p.dim() > 1 and name != "shared.weight"
        ]
        return self.config.orthogonal * reduce(torch.add, map(orthogonal_penalty, matrices))

    def update_core(self) -> dict[str, Tensor]:
        loss_dis, n = self.train_dis()
        loss_gen = self.loss_gen(self.hidden(n), self.uniform_labels(n))
        if not self.config.orthogonal:
            self.step(gen=loss_gen)
            return {"loss_dis": loss_dis, "loss_gen": loss_gen}
        loss_orthogonal = self.loss_orthogonal()
        self.step(gen=loss_gen + loss_orthogonal)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen, "loss_orthogonal": loss_orthogonal}

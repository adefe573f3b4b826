"""The gradient descent of the first GANs: a learning rate that falls, momentum that rises."""

from collections.abc import Hashable
from typing import Literal

from torch.optim import SGD, Optimizer

from ganlib import config, updater


class SGDConfig(config.AlgorithmConfig):
    """goodfeli/adversarial mnist.yaml."""

    batch_size: int = 100
    max_iter: int = 125_000
    """Iterations to train for; 250 passes over 50,000 images, after which momentum is constant."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """sgd: the authors', with lr and momentum; adam: with the settings of its name."""
    lr: config.Positive = 0.1
    """SGD's learning rate at the start."""
    lr_divisor: config.Positive = 1.000004
    """What each iteration divides the learning rate by."""
    lr_min: config.NonNegative = 1e-6
    """SGD's learning rate stays above this."""
    momentum: config.Rate = 0.5
    """SGD's momentum at the start."""
    momentum_end: config.Rate = 0.7
    """And from iteration momentum_iter on."""
    momentum_iter: config.Count = 125_000
    """Iterations in which momentum rises linearly, in steps of 0.01."""


class SGDUpdater(updater.Updater):
    """Trains by the settings' optimizer; update_core() begins with set_momentum()."""

    config: SGDConfig

    def optimizers(self) -> dict[str, Optimizer]:
        """SGD or Adam for each network."""
        if self.config.optimizer == "adam":
            return super().optimizers()
        lr, momentum = self.config.lr, self.config.momentum
        return {
            name: SGD(network.parameters(), lr, momentum, fused=True)
            for name, network in self.trained.items()
        }

    def schedule(self, iteration: int) -> dict[str, float]:
        """The learning rate falls exponentially, to a floor."""
        now = super().schedule(iteration)
        lowest = self.config.lr_min / self.config.lr
        return now | {"lr": now["lr"] * max(self.config.lr_divisor**-iteration, lowest)}

    def phase(self, iteration: int) -> Hashable:
        """Momentum, which rises by 0.01 at a time, because each value is an update of its own."""
        c = self.config
        if c.optimizer == "adam":
            return ()
        share = min(1.0, iteration / c.momentum_iter)
        lowest, highest = sorted((c.momentum, c.momentum_end))
        rounded = round(c.momentum + share * (c.momentum_end - c.momentum), 2)
        return min(max(rounded, lowest), highest)

    def set_momentum(self) -> None:
        """Give the optimizers this iteration's."""
        if self.config.optimizer == "sgd":
            for optimizer in self.optimizer.values():
                for group in optimizer.param_groups:
                    group["momentum"] = self.phase(self.iteration)

"""How large the generator's weights have become."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ganlib import Extension, every
from ganlib.training.trainer import Trainer


class WeightNorm(Extension):
    name = "weight_norm"

    def __init__(self, interval: int) -> None:
        self.trigger = every(interval)

    def __call__(self, trainer: Trainer) -> None:
        weights = list(trainer.updater.gen.parameters())
        trainer.observation["norm_gen"] = nn.utils.get_total_norm(weights)


def make(settings: Mapping[str, Any]) -> Extension:
    return WeightNorm(settings["display_interval"])

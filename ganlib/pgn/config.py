"""PGN's recipe."""

from typing import Literal

from ganlib import config


class Config(config.AlgorithmConfig):
    """The paper's losses; their weights and the optimizer's numbers are this project's."""

    condition = "images"
    architecture: Literal["pgn", "quick"] = "pgn"
    """pgn: of the paper's kinds of layers; quick: the same, small, for a CPU."""
    lam_adv: config.NonNegative = 0.02
    """Weight of the adversarial loss beside the mean square error of values in [-1, 1]; 0: the
    error alone, the paper's baseline, without a discriminator."""
    predicted: config.Interval = 1
    """How many of the next frames training predicts, each after its own predictions; 0: all."""
    actions: config.Interval = 0
    """Numbers of an action: sources hold, after the past frames, one for each next frame that
    follows from it, as constant channels; 2 for --dataset pushed."""
    batch_size: int = 16
    """Sequences in a batch (of all GPUs together)."""
    adam_alpha: float = 1e-3
    """Adam's learning rate, the generator's."""
    adam_alpha_dis: config.Positive = 1e-4
    """The discriminator's."""
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999

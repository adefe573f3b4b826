"""VAE's recipe."""

from typing import Literal

from ganlib import config


class Config(config.AlgorithmConfig):
    """The paper's networks and batch, with Adam in place of Adagrad."""

    sides = {"paper": None, "mlp": None}
    architecture: Literal["paper", "dcgan", "quick", "mlp"] = "paper"
    """paper: a hidden layer of 500 tanh units; dcgan: convolutional, 32 pixels; quick: the same,
    small, for a CPU; mlp: for points.
    """
    decoder: Literal["bernoulli", "gaussian"] = "bernoulli"
    """bernoulli: pixels as probabilities; gaussian: a mean and a variance for each pixel."""
    n_hidden: config.Count = 20
    """Components of z."""
    batch_size: int = 100
    adam_alpha: float = 1e-3
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999

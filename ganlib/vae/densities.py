"""Log densities and the divergence of the lower bound, in nats: summed over all but the batch."""

import math

import torch.nn.functional as F
from torch import Tensor


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x) of independent Bernoulli variables, (N, ...) -> (N,); x in [0, 1].

    For x other than 0 and 1 this is a cross entropy and no likelihood: the sum over what x may be
    is not 1. Kingma & Welling 2013, appendix C.1.
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def log_normal(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log p(x) of independent normal variables, (N, ...) -> (N,).

    Kingma & Welling 2013, appendix C.2.
    """
    square = (x - mean).square() * (-log_variance).exp()
    return -0.5 * (math.log(2 * math.pi) + log_variance + square).flatten(1).sum(1)


def kl_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), (N, n_hidden) -> (N,).

    Kingma & Welling 2013, appendix B.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)

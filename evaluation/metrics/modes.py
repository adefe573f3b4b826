"""Scores of points against the mixture of Gaussians that they should come from.

As in VEEGAN (Srivastava et al. 2017, section 4.1) and PacGAN (Lin et al. 2018, section 4.1), but a
mode that a stray point falls on does not count as covered.
"""

from collections.abc import Iterable
from hashlib import sha256

import torch
from torch import Tensor

from ganlib.common.data import Mixture
from ganlib.evaluation.protocol import Instrument, Origin, Plain, Score, stamp

SCORES = ("modes", "high_quality", "reverse_kl")
NEAR = 3.0
"""Standard deviations from the nearest centre within which a point is of high quality."""
COVERED = 0.1
"""Share of the even number of points per mode that makes a mode covered."""


def mode_scores(points: Tensor, centres: Tensor, std: float) -> dict[str, float]:
    """`modes`, `high_quality` and `reverse_kl` of points (N, 2) for modes (K, 2) of equal weight.

    high_quality: the share of points at most NEAR * std from their nearest centre (of the mixture
    itself 1 - exp(-NEAR^2 / 2) = 0.989). modes: how many centres have COVERED * N / K such points
    or more. reverse_kl: KL(generated || even) = sum_k q_k log(K q_k) in nats, q_k the share of all
    points, near or not, whose nearest centre is k: 0 is best, log K is a single mode.
    """
    distance, nearest = torch.cdist(points.double(), centres.double()).min(1)
    near, k = distance <= NEAR * std, len(centres)
    good = torch.bincount(nearest[near], minlength=k)
    share = torch.bincount(nearest, minlength=k).double() / len(points)
    return {
        "modes": int((good >= COVERED * len(points) / k).sum()),
        "high_quality": float(near.double().mean()),
        "reverse_kl": float(torch.xlogy(share, k * share).sum()),
    }


def score_points(
    batches: Iterable[Tensor], mixture: Mixture, origin: Origin | None = None
) -> dict[str, Score]:
    """mode_scores of all points in batches (N, 2, 1, 1), float in [-1, 1], with their protocol."""
    points = torch.cat([batch.flatten(1).cpu() for batch in batches])
    settings: dict[str, Plain] = {
        "modes": len(mixture.centres),
        "centres": _digest(mixture.centres),
        "std": mixture.std,
        "near": NEAR,
        "share": COVERED,
    }
    by = Instrument("points", precision="float64")
    protocol = stamp(by, origin or Origin(), len(points), settings, rounding="none")
    values = mode_scores(points, mixture.centres, mixture.std)
    return {name: Score(name, value, None, protocol) for name, value in values.items()}


def _digest(centres: Tensor) -> str:
    """16 hexadecimal digits of the places (K, 2) in any order.

    In millionths: another processor's sine may have other last bits.
    """
    places = sorted((centres.double() * 1e6).round().long().tolist())
    return sha256(repr(places).encode()).hexdigest()[:16]

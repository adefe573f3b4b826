"""How often each class was asked for, beside how often it is among real images."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.evaluation.metrics.by_class import proportions


def labels(*counts: int) -> Tensor:
    """So many of class 0, of class 1, ..."""
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))


@pytest.mark.parametrize(
    ("counts", "real", "expected"),
    [
        ((100, 100, 100), (6000, 6000, 6000), ("marginal", 100)),
        ((70, 20, 10), (700, 200, 100), ("marginal", 10)),
        ((80, 110, 110), (600, 600, 600), ("marginal", 100)),
        ((1000, 1000, 1000), (700, 200, 100), ("uniform", 1000)),
        ((1000, 1001, 1000), (700, 200, 100), ("uniform", 1000)),
        ((1500, 1000, 500), (600, 600, 600), ("given", 500)),
        ((3000, 0, 0), (600, 600, 600), ("given", 0)),
        ((100, 100, 0), (600, 600, 0), ("marginal", 100)),
        ((100, 100, 1), (600, 600, 0), ("given", 100)),
        ((100, 90, 1), (600, 600), ("given", 90)),
    ],
)
def test_kinds(counts: tuple[int, ...], real: tuple[int, ...], expected: tuple[str, int]) -> None:
    found = proportions(labels(*counts), labels(*real), len(real))
    assert (found.kind, found.least) == expected


@pytest.mark.parametrize("share", [[0.1] * 10, [0.5, 0.5], [0.9, 0.05, 0.03, 0.02], [1e-3] * 1000])
@pytest.mark.parametrize("n", [200, 10_000])
def test_independent_draws_are_marginal_whatever_the_seed(share: list[float], n: int) -> None:
    real = labels(*(round(10_000 * part) for part in share))
    random, found = np.random.default_rng(0), set()
    for _ in range(200):
        y = random.choice(len(share), n, p=np.array(share) / sum(share))
        found.add(proportions(torch.from_numpy(y), real, len(share)))
    assert found == {("marginal", round(n * min(share)))}


def test_other_draws_are_not() -> None:
    real, random = labels(1000, 1000, 1000, 1000), np.random.default_rng(0)
    for _ in range(200):
        y = torch.from_numpy(random.choice(4, 10_000, p=[0.31, 0.23, 0.23, 0.23]))
        assert proportions(y, real, 4).kind == "given"

"""Draws: a share has its rows of what is drawn for all."""

import pytest
import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.training.update.accumulation import Draws, MicroBatches


def make(count: int) -> tuple[MicroBatches, Draws]:
    batches = MicroBatches(count)
    draws = Draws(batches, lambda: torch.zeros((), dtype=torch.float64))
    draws.generator.manual_seed(5)
    draws.restart()
    return batches, draws


def test_shares_have_between_them_the_rows_of_the_whole() -> None:
    _, alone = make(1)
    expected = [alone.filled(Tensor.uniform_, 6, 2), alone.filled(Tensor.normal_, 6, 1, 3)]
    batches, draws = make(3)
    parts: list[list[Tensor]] = [[], []]
    for batches.current in range(3):
        parts[0].append(draws.filled(Tensor.uniform_, 2, 2))
        parts[1].append(draws.filled(Tensor.normal_, 2, 1, 3))
    assert all(torch.equal(torch.cat(rows), x) for rows, x in zip(parts, expected, strict=True))
    assert expected[1].shape == (6, 1, 3) and expected[1].dtype == torch.float64


def test_an_iteration_draws_anew() -> None:
    _, draws = make(2)
    first = draws.filled(Tensor.normal_, 3)
    draws.restart()
    assert not torch.equal(draws.filled(Tensor.normal_, 3), first)


def test_labels_come_as_often_as_in_the_data() -> None:
    """Against the chi-squared distribution: 4 classes, one of which has no images."""
    draws = Draws(MicroBatches(), lambda: torch.empty(0))
    draws.generator.manual_seed(0)
    marginal = [0.5, 0.0, 0.2, 0.3]
    y = draws.labels(10_000, marginal)
    counts = torch.bincount(y, minlength=4)
    assert y.dtype == torch.int64 and counts[1] == 0
    expected = 10_000 * torch.tensor(marginal)[counts > 0]
    assert ((counts[counts > 0] - expected) ** 2 / expected).sum() < 13.8  # 0.1 % of 2 degrees


def test_labels_without_classes_are_refused() -> None:
    with pytest.raises(UserError, match="the data set has none"):
        Draws(MicroBatches(), lambda: torch.empty(0)).labels(3, ())

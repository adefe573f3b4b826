"""Draws: a share has its rows of what is drawn for all."""

import torch
from torch import Tensor

from ganlib.training.draws import Draws
from ganlib.training.passes import Passes


def make(count: int) -> tuple[Passes, Draws]:
    passes = Passes(count)
    draws = Draws(passes, lambda: torch.zeros((), dtype=torch.float64))
    draws.generator.manual_seed(5)
    draws.restart()
    return passes, draws


def test_shares_have_between_them_the_rows_of_the_whole() -> None:
    _, alone = make(1)
    expected = [alone.filled(Tensor.uniform_, 6, 2), alone.filled(Tensor.normal_, 6, 1, 3)]
    passes, draws = make(3)
    parts: list[list[Tensor]] = [[], []]
    for passes.current in range(3):
        parts[0].append(draws.filled(Tensor.uniform_, 2, 2))
        parts[1].append(draws.filled(Tensor.normal_, 2, 1, 3))
    assert all(torch.equal(torch.cat(rows), x) for rows, x in zip(parts, expected, strict=True))
    assert expected[1].shape == (6, 1, 3) and expected[1].dtype == torch.float64


def test_an_iteration_draws_anew() -> None:
    _, draws = make(2)
    first = draws.filled(Tensor.normal_, 3)
    draws.restart()
    assert not torch.equal(draws.filled(Tensor.normal_, 3), first)

"""Grids that are killed end as others: what is compared, and a few kills."""

import random
from typing import Any

import pytest
import torch

from scripts.kill_grids import kill_grids, same


@pytest.mark.parametrize(
    "other",
    [
        {"a": [torch.ones(2), 3]},
        {"a": [torch.zeros(2), 4]},
        {"a": [torch.zeros(2)]},
        {"a": [torch.zeros(2).double(), 3]},
        {"a": [[0.0, 0.0], 3]},
        {"b": [torch.zeros(2), 3]},
        {"a": [torch.zeros(2), 3], "b": 0},
    ],
)
def test_states_are_compared_to_the_last_bit(other: Any) -> None:
    state = {"a": [torch.zeros(2), 3]}
    assert same(state, {"a": [torch.zeros(2), 3]})
    assert not same(state, other)


@pytest.mark.slow
def test_a_few_kills() -> None:
    assert kill_grids(kills=4, iterations=120, draws=random.Random(0)) >= 4

"""The Vendi score against its kernel's eigenvalues and sets whose answer is known."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.evaluation import Evaluator
from ganlib.evaluation.metrics.vendi import vendi


@pytest.mark.parametrize(("n", "d"), [(60, 7), (7, 60)])
def test_it_is_the_entropy_of_the_kernels_eigenvalues(n: int, d: int) -> None:
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0)) + 0.5
    rows = x.double().numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T / n)
    values = values[values > 1e-12]
    assert vendi(x) == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-9)


def test_it_counts_what_is_different() -> None:
    assert vendi(torch.eye(9).repeat(20, 1)) == pytest.approx(9)
    assert vendi(torch.eye(9)[:5] * 3) == pytest.approx(5)
    assert vendi(torch.ones(50, 4)) == pytest.approx(1)


def test_half_of_the_images_twice_are_as_different_as_half(plain: Any, noise: Tensor) -> None:
    evaluator = Evaluator(plain, {"train": noise})
    (half,) = evaluator([noise[:700]], ["vendi"]).scores.values()
    (twice,) = evaluator([noise[:700], noise[:700]], ["vendi"]).scores.values()
    assert half.value == pytest.approx(twice.value) and half.better == "higher"
    assert (half.name, half.protocol.reference) == ("Vendi-plain700", None)

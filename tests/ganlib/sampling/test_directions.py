"""Directions: against NumPy's singular values and least squares."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ganlib
from ganlib.common.errors import UserError
from ganlib.sampling import directions
from ganlib.sampling.directions import Directions, closed_form, of_classes, principal

Make = Callable[..., Path]


def same_lines(a: Tensor, b: Any) -> None:
    """Vectors of length 1 that are each other's, perhaps times -1."""
    cosines = (a.double() * torch.as_tensor(b)).sum(1).abs()
    torch.testing.assert_close(cosines, torch.ones_like(cosines), rtol=1e-4, atol=1e-4)


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "SAMPLES", 512)


def test_closed_form_are_the_singular_vectors_of_the_first_layer(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan"))
    layer = next(m for m in model.updater.sampling_gen.modules() if isinstance(m, torch.nn.Linear))
    found = model.directions("sefa", 3)
    same_lines(found.vectors, np.linalg.svd(layer.weight.detach().double().numpy())[2][:3])
    torch.testing.assert_close(found.deviations, torch.full((3,), 3**-0.5), rtol=0.2, atol=0)
    assert found.names == ["0", "1", "2"]


def test_what_else_a_layer_is_told_is_left_out(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("acgan"))
    d = model.updater.sampling_gen.n_hidden
    (matrix,) = directions._first_layers(model.updater.sample_stream(0), "z")
    layer = next(m for m in model.updater.sampling_gen.modules() if isinstance(m, torch.nn.Linear))
    torch.testing.assert_close(matrix.float(), layer.weight.detach()[:, :d], rtol=1e-4, atol=1e-5)


def test_of_codes_the_layers_that_read_those(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("styled"))
    gen: Any = model.updater.sampling_gen
    found = closed_form(model.updater.sample_stream(0), "code", 2)
    same_lines(found.vectors, np.linalg.svd(gen.style.weight.detach().double().numpy())[2][:2])


def test_principal_components_of_codes_are_numpys(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("styled"))
    codes = model.code(model.latents(list(range(512)))[0]).double().numpy()
    values, vectors = np.linalg.eigh(np.cov(codes.T))
    found = principal(model.updater.sample_stream(0), 2)
    same_lines(found.vectors, vectors.T[::-1][:2].copy())
    np.testing.assert_allclose(found.deviations, np.sqrt(values[::-1][:2]), rtol=1e-3)


def test_of_classes_is_the_least_squares_fit_of_logits(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan"))
    stream = model.updater.sample_stream(0)
    seen = list[Tensor]()

    def logits(x: Tensor) -> Any:
        seen.append(torch.stack([x.mean((1, 2, 3)), x[:, 0, 9, 9]], 1))
        return SimpleNamespace(logits=seen[-1])

    extractor: Any = logits
    extractor.classes = ("bright", "dotted")
    found = of_classes(stream, "z", extractor)
    z = stream.latents(range(512))[0].double().numpy()
    design = np.column_stack([z, np.ones(512)])
    weights = np.linalg.lstsq(design, torch.cat(seen).double().numpy(), rcond=None)[0][:-1].T
    assert found.names == ("bright", "dotted")
    cosines = (found.vectors.numpy() * weights).sum(1) / np.linalg.norm(weights, axis=1)
    np.testing.assert_allclose(cosines, 1, rtol=1e-4)


def test_along_goes_back_and_on_in_deviations() -> None:
    two = Directions(["a", "b"], torch.eye(3)[:2], torch.tensor([1.0, 2.0]))
    path = two.along(torch.tensor([[5.0, 5.0, 5.0]]), reach=3, frames=3)
    assert path.tolist() == [
        [[[2, 5, 5], [5, 5, 5], [8, 5, 5]], [[5, -1, 5], [5, 5, 5], [5, 11, 5]]]
    ]
    layers = two.along(torch.zeros(4, 6, 3), reach=1, frames=5)
    assert layers.shape == (4, 2, 5, 6, 3)
    assert layers[0, 1, -1].tolist() == 6 * [[0, 2, 0]]


def test_what_there_is_not_is_said(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan", dataset="other"))
    with pytest.raises(UserError, match="in all directions: give directions=.sefa. instead"):
        model.directions("pca")
    with pytest.raises(UserError, match="no classifier of this run's data"):
        model.directions("classes")

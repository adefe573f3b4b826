"""AuthPct and FLD against their definitions, and what copies of training images do to them."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from torch import Tensor

from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Extractor, Features
from ganlib.evaluation.metrics import fld
from ganlib.evaluation.metrics.authpct import authenticity
from ganlib.evaluation.metrics.formulas import nearest


def normal(n: int, d: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_authentic_samples_are_counted_one_by_one() -> None:
    train, fake = normal(80), torch.cat([normal(40, seed=1), normal(80)[:10] + 1e-3])
    found = authenticity(nearest(fake, train), train)
    t, g = train.double().numpy(), fake.double().numpy()
    authentic = 0
    for x in g:
        gaps = np.linalg.norm(t - x, axis=1)
        k = gaps.argmin()
        others = np.linalg.norm(np.delete(t, k, 0) - t[k], axis=1)
        authentic += others.min() < gaps[k]
    assert found == pytest.approx(100 * authentic / 50)
    assert 20 < found < 80


def test_copies_are_not_authentic_and_their_likelihoods_show_it(plain: Any, noise: Tensor) -> None:
    """Unseen images beside them, and the search for the nearest is made once for two metrics."""
    train, test, unseen = noise[:500], noise[500:800], noise[800:1100]
    evaluator = Evaluator(plain, {"train": train, "test": test})
    found = {
        what: evaluator([x], ["duplicates", "authpct", "fld"]).scores
        for what, x in {"copies": train[:300], "unseen": unseen}.items()
    }
    names = ["AuthPct-plain300-train", "FLD-plain300-test", "FLD-gap-plain300-test"]
    assert list(found["copies"])[-3:] == names
    copies, new = ([one[name].value for name in names] for one in found.values())
    assert copies[0] == 0 and 40 < new[0] < 80
    assert copies[1] > 1000 and abs(new[1]) < 20  # in hundredths of a nat a dimension
    assert copies[2] < -1000 and abs(new[2]) < 20
    assert found["unseen"][names[1]].protocol.settings["train_digest"]


def test_a_feature_that_is_0_for_all_test_images_counts_as_it_is(noise: Tensor) -> None:
    train, test, unseen = noise[:500], noise[500:800].clone(), noise[800:1100]
    test[:, :, 0, 0] = 0
    (found,) = (
        score.value
        for name, score in Evaluator(Pixels(), {"train": train, "test": test})(
            [unseen], ["fld"]
        ).scores.items()
        if name.startswith("FLD-pixels")
    )
    assert np.isfinite(found)


class Pixels(Extractor):
    name, digest, device, n_features = "pixels", "0" * 64, torch.device("cpu"), 64

    def __call__(self, x: Tensor) -> Features:
        return Features(x[:, :1, :8, :8].flatten(1).float())


def test_likelihoods_are_scipys() -> None:
    x, centres, widths = normal(30), normal(7, seed=1), normal(7, 1, seed=2)[:, 0]
    density = sum(
        multivariate_normal(c.numpy(), np.exp(w.item())).pdf(x.numpy()) / 7
        for c, w in zip(centres, widths, strict=True)
    )
    expected = -np.log(density) / 4 - np.log(2 * np.pi) / 2
    np.testing.assert_allclose(fld.nlls(x, centres, widths), expected, rtol=1e-5)


def test_widths_are_those_that_scipy_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least mean of -log p over the training images, with the Gaussian at their mean."""
    monkeypatch.setattr(fld, "ENOUGH", -1.0)  # all epochs
    monkeypatch.setattr(fld, "ROWS", 40)
    x, centres = normal(100).double(), normal(5, seed=1).double()
    squares = torch.cdist(x, centres).square().numpy()
    far = 0.81 * (x - x.mean(0)).square().sum(1, keepdim=True).numpy()

    def loss(w: Any) -> float:
        near = -(squares / np.exp(w[:5]) + 4 * w[:5]) / 2 - np.log(5)
        rest = -(far / np.exp(w[5]) + 4 * w[5]) / 2
        return float(-np.log(np.exp(near).sum(1) + np.exp(rest)[:, 0]).mean() / 4)

    best = minimize(loss, np.zeros(6), method="Nelder-Mead", options={"maxiter": 20_000})
    epochs: list[int] = []
    widths = fld.fitted(centres, x, lambda: epochs.append(1))
    assert len(epochs) == fld.EPOCHS
    reached = min(loss(np.append(widths, wide)) for wide in np.linspace(-2, 2, 81))
    assert reached == pytest.approx(best.fun, abs=2e-3)
    start = np.log((squares.min(0) + 1e-3) / 4)
    assert loss(np.append(start, 0)) > best.fun + 0.02

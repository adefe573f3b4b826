"""Standard errors over draws of samples, against those of many draws and of means."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib import evaluation
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator, Score
from ganlib.evaluation.comparison.reading import recorded
from ganlib.evaluation.metrics.base import Context, Metric, metrics

pytestmark = pytest.mark.filterwarnings("ignore:.* too few")


def draws(n: int, seed: int) -> Tensor:
    """uint8 (n, 1, 8, 8), brighter than noise."""
    random = torch.Generator().manual_seed(seed)
    return torch.randint(30, 256, (n, 1, 8, 8), generator=random).to(torch.uint8)


def test_the_error_of_a_mean_is_its_deviation_over_the_root_of_n(
    plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(context: Context) -> dict[str, float]:
        return {"mean": float(context.features[:, 0].double().mean())}

    monkeypatch.setattr(type(metrics), "__getitem__", lambda self, name: Metric(compute))
    evaluator = Evaluator(plain, {"train": noise}, intervals=True)
    (found,) = evaluator([noise], ["brightness"]).scores.values()
    x = plain(noise).pool[:, 0].double().numpy()
    groups = np.array([x[k::10].mean() for k in range(10)])  # as many in each
    assert found.error == pytest.approx(groups.std(ddof=1) / 10**0.5, rel=1e-9)
    assert found.error == pytest.approx(x.std() / 1500**0.5, rel=0.5)


def test_the_error_is_the_deviation_of_many_draws(plain: Any, noise: Tensor) -> None:
    """Of the Frechet distance and of Vendi, by 40 independent draws of 500 samples."""
    names = ["fid", "vendi"]
    evaluator = Evaluator(plain, {"train": noise}, intervals=True)
    alone = Evaluator(plain, {"train": noise})
    runs = [alone([draws(500, seed)], names).scores for seed in range(40)]
    found = [evaluator([draws(500, seed)], names).scores for seed in range(100, 106)]
    for name, score in found[0].items():
        deviation = np.std([run[name].value for run in runs], ddof=1)
        errors = [one[name].error or 0.0 for one in found]
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(deviation, rel=0.35)
        assert score.std is None and score.protocol.hash == runs[0][name].protocol.hash


def test_what_has_a_spread_of_its_own_keeps_it(plain: Any, noise: Tensor) -> None:
    evaluator = Evaluator(plain, {"train": noise, "test": noise[:50]}, intervals=True)
    scores = evaluator([draws(100, 0)], ["is", "fid", "prdc"]).scores
    for name, score in scores.items():
        assert (score.error is None) == (score.std is not None)
        assert name.startswith("IS") == (score.std is not None)
    plainly = Evaluator(plain, {"train": noise, "test": noise[:50]})([draws(100, 0)], ["fid"])
    for name, score in plainly.scores.items():
        assert score.value == scores[name].value and score.error is None
        assert "error" not in score.to_dict()


def test_each_group_that_is_left_out_has_a_sample(plain: Any, noise: Tensor) -> None:
    evaluator = Evaluator(plain, {"train": noise}, intervals=True)
    with pytest.raises(UserError, match="9 images to give intervals to: at least 10 are needed"):
        evaluator([draws(9, 0)], ["fid"])
    (score,) = evaluator([draws(10, 0)], ["fid"]).scores.values()
    assert score.error is not None


def test_warnings_are_of_all_samples(
    plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(context: Context) -> dict[str, float]:
        warnings.warn(f"{context.n} images", stacklevel=1)
        return {"number": context.n}

    monkeypatch.setattr(type(metrics), "__getitem__", lambda self, name: Metric(compute))
    with pytest.warns(UserWarning, match="images") as told:
        evaluation.score([noise[:100]], noise, ["number"], plain, intervals=True)
    assert [str(one.message) for one in told] == ["100 images"]


def test_it_is_kept_with_the_score(plain: Any, noise: Tensor, tmp_path: Path) -> None:
    evaluator = Evaluator(plain, {"train": noise}, intervals=True)
    (found,) = evaluator([draws(300, 0)], ["fid"]).scores.values()
    record = found.to_dict()
    assert record["error"] == found.error and Score.from_dict(found.name, record) == found
    assert (score := recorded(record)) is not None and score.error == found.error
    assert (score := recorded({**record, "error": "much"})) is not None and score.error is None

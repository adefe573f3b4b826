"""Names in the settings of scores are checked before anything is trained."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ganlib
from ganlib.common.errors import UserError
from ganlib.registry import PLUGINS
from ganlib.runs.default_extensions import _best_by

SMALL: dict[str, Any] = {"algorithm": "dcgan", "dataset": "ring8", "gpu": -1, "max_iter": 1}


@pytest.fixture(autouse=True)
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever plugins other tests registered, the names are ganlib's own."""
    for kind, home in PLUGINS.items():
        registry = getattr(import_module(home), kind)
        place, *_ = import_module(registry.package).__path__
        own = {k: e for k, e in registry.entries.items() if str(e.source).startswith(place)}
        monkeypatch.setattr(registry, "entries", own)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"extension": ["nope"]}, "no extension 'nope'. There are: mlflow, tensorboard, "),
        ({"extension": ["reports"]}, "reports.py has no make."),
        (
            {"extractor": "nope", "evaluation_interval": 0},
            "emoji, fashion, inception, vgg16, wardrobe.",
        ),
        ({"extractor": "fasion", "evaluation_interval": 0}, "Did you mean 'fashion'?"),
        ({"metrics": "is,fit", "evaluation_interval": 0}, "Did you mean 'fid'?"),
        ({"best_by": "fid"}, "write min:NAME or max:NAME"),
        ({"keep_snapshots": "best:2"}, '="best:2" goes by a score, and this run has none'),
        ({"keep_snapshots": "best:"}, "keep_snapshots is 'best:', but should be a number, or best"),
        ({"best_by": "max:IS"}, "gives 'IS'. There are: high_quality, modes, reverse_kl."),
        ({"best_by": "max:modes", "evaluation_interval": 0}, "gives 'modes'. There are none."),
    ],
)
def test_an_unknown_name_is_refused(
    settings: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as told:
        ganlib.train(**{**SMALL, **settings})
    assert words in str(told.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("split", "n", "name"),
    [
        ("train", 10_000, "FD10k-train"),
        ("train", 20_000, "FD20k-train"),
        ("test", 300, "FD300-test"),
        ("test", 7000, "FD5k-test"),
        ("test", 50_000, "FD10k-test"),
    ],
)
def test_the_best_snapshot_goes_by_a_score_that_there_is(split: str, n: int, name: str) -> None:
    extractor = SimpleNamespace(score_name="FD")
    inputs = SimpleNamespace(extractor=extractor, real={split: None})
    evaluator = SimpleNamespace(extractor=extractor, main=split, inputs=lambda: inputs)
    settings: Any = SimpleNamespace(run=SimpleNamespace(best_by=None), metrics=["fid"])
    scorer: Any = SimpleNamespace(evaluator=evaluator)
    drawing: Any = SimpleNamespace(count=lambda updater: n)
    assert _best_by(settings, Any, scorer, drawing) == f"min:{name}"  # type: ignore[arg-type]

"""Networks that fit the data."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.spec import POINTS, DataSpec
from ganlib.registry import algorithms
from ganlib.runs.fitting import check_architecture, fitted
from ganlib.runs.grid import find_finished, plan
from ganlib.runs.settings import resolve

SMALL: dict[str, Any] = {"dataset": "ring8", "max_iter": 2, "width": 0.1, "gpu": -1}
SMALL |= {"evaluation_interval": 0, "sample_interval": 0, "tensorboard": False, "batch_size": 8}
SPEC = DataSpec(POINTS, POINTS, n_classes=8)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", algorithms.names())
def test_points_take_their_own_architecture_unless_another_is_given(name: str) -> None:
    settings = resolve({"algorithm": name})
    usual = settings.algorithm.architecture
    for shape, expected in ((POINTS, "mlp"), ((1, 28, 28), usual), ((2, 16, 16), usual)):
        assert fitted(settings, shape).algorithm.architecture == expected
    given = resolve({"algorithm": name, "architecture": usual})
    assert fitted(given, POINTS) is given
    for one in get_args(type(settings.algorithm).model_fields["architecture"].annotation):
        asked = resolve({"algorithm": name, "architecture": one})
        try:
            check_architecture(asked, SPEC)
        except UserError as error:
            assert one != "mlp" and f"The architecture '{one}' of {name} is for images" in str(
                error
            )


def test_what_is_taken_is_recorded_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    model = ganlib.train(algorithm="dcgan", **SMALL)
    assert model.settings["architecture"] == "mlp"
    recorded = yaml.safe_load((model.out / "config.yaml").read_text())
    assert recorded["architecture"] == "mlp"
    assert ganlib.load(model.out).sample(3).shape == (3, 2, 1, 1)
    again = ganlib.train(algorithm="dcgan", resume="auto", out=model.out / "x", **SMALL)
    assert again.settings["architecture"] == "mlp"
    (model.out / "DONE").unlink()
    longer = ganlib.train(algorithm="dcgan", resume="auto", **{**SMALL, "max_iter": 3})
    assert longer.out.samefile(model.out)


def test_a_grid_knows_what_has_finished() -> None:
    model = ganlib.train(algorithm="dcgan", **SMALL)
    (settings,) = plan("dcgan", None, SMALL)
    assert find_finished(settings) == model.out
    (other,) = plan("dcgan", None, {**SMALL, "architecture": "dcgan"})
    assert find_finished(other) is None


def test_one_that_cannot_be_is_one_sentence_and_leaves_nothing() -> None:
    with pytest.raises(UserError) as told:
        ganlib.train(algorithm="sngan", architecture="resnet", **SMALL)
    assert str(told.value) == (
        "The architecture 'resnet' of sngan is for images, and ring8 holds points: leave "
        "--architecture out, or give --architecture mlp."
    )
    assert not list(Path().iterdir())

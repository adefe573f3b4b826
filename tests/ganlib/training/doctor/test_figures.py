"""What the doctor measures."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.common.query import DataQuery
from ganlib.contract.fixtures import toy
from ganlib.training.doctor.classes import classifier
from ganlib.training.doctor.figures import Figures


@pytest.fixture
def updater(make_updater: Any) -> Any:
    return make_updater("dcgan", architecture="mlp", data=DataQuery("ring8").open())


def stands_for(updater: Any, monkeypatch: pytest.MonkeyPatch, images: Tensor) -> None:
    """From now on samples are these, over and over."""
    monkeypatch.setattr(updater, "generate", lambda gen, code, y: images[: len(code)])


def test_real_images_are_as_far_apart_and_as_near_to_training_as_others(
    updater: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = torch.randperm(len(updater.data.data))
    stands_for(updater, monkeypatch, updater.data.images_at(every[:200]))
    numbers, missing = Figures(updater, None, classifier(updater, "ring8"))()
    assert numbers["spread"] == pytest.approx(1, abs=0.25)
    assert 0.4 < numbers["nearest"] < 2.5
    assert numbers["classes"] == 8 and missing == ()
    assert 0.2 < numbers["auc"] < 0.8


def test_missing_modes_are_named(updater: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = torch.nonzero(updater.data.data.y < 6)[:200, 0]
    stands_for(updater, monkeypatch, updater.data.images_at(kept))
    updater.config = updater.config.model_copy(update={"batch_size": 64})
    numbers, missing = Figures(updater, None, classifier(updater, "ring8"))()
    assert numbers["classes"] == 6 and missing == ("mode 6", "mode 7")


def test_one_image_has_no_spread_and_is_near_if_it_is_of_the_data(
    make_updater: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("dcgan")
    one = updater.data.images_at(torch.tensor([3])).expand(200, -1, -1, -1)
    stands_for(updater, monkeypatch, one)
    numbers, _ = Figures(updater, toy(n=20))()
    # the root of what float32 leaves of a difference of squares: 0.0011 by some processors
    assert numbers["spread"] < 3e-3 and numbers["nearest"] < 3e-3
    assert {"dis_train", "dis_test", "dis_fake", "grad_gen", "grad_dis"} - numbers.keys() == {
        "grad_gen",
        "grad_dis",
    }
    updater.update()
    numbers, _ = Figures(updater, toy(n=20))()
    assert numbers["grad_gen"] > 0 and numbers["grad_dis"] > 0


def test_held_out_images_are_of_the_whole_file(make_updater: Any) -> None:
    """Whose first ones may all be alike."""
    test = toy(n=400)
    order = test.x.float().mean((1, 2, 3)).argsort()
    figures = Figures(make_updater("dcgan"), replace(test, x=test.x[order], y=None))
    assert figures.new.float().mean() == pytest.approx(200, abs=100)


def test_a_discriminator_of_another_kind_is_asked_in_its_own_way(make_updater: Any) -> None:
    numbers, _ = Figures(make_updater("improved_gan"), None)()
    assert "dis_train" in numbers


def test_without_a_number_of_the_discriminator_its_figures_are_left_out(make_updater: Any) -> None:
    for algorithm in ("vae", "began", "cramer", "pix2pixhd"):
        numbers, _ = Figures(make_updater(algorithm), None)()
        assert not [name for name in numbers if name.startswith("dis") or name == "auc"]
        assert "spread" in numbers

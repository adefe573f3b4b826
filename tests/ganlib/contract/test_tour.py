"""What a method is tried by, and what it is told."""

import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib import AlgorithmConfig, config
from ganlib.common.losses import loss_dis_hinge
from ganlib.common.registry import Entry
from ganlib.contract import test_contract as contract
from ganlib.contract.fixtures import data_of, maker, small_updater
from ganlib.contract.tour import (
    NEAR,
    Record,
    first_of_each,
    mistakes,
    tour,
    unread,
    waiting,
)
from ganlib.registry import Algorithm, algorithms

pytestmark = pytest.mark.usefixtures("small_methods")


def lazily(iteration: int) -> tuple[bool, bool]:
    return iteration % 16 == 0, iteration % 4 == 0


@pytest.mark.parametrize(
    ("phase", "starts", "firsts"),
    [
        (lambda k: (), [0], [0]),
        (lazily, [0], [0, 1, 4]),
        (lazily, [2], [2, 4, 16]),
        (lambda k: k >= 5_000_000, [0], [0, 5_000_000]),
        (lambda k: k % 7 == 3, [0, 10_000], [0, 3]),
        (lambda k: min(k // 10**6, 3), [0], [0, 10**6]),
        (lambda k: k in range(10_000, 10_000 + NEAR), [0, 9_999], [0, 10_000]),
    ],
)
def test_every_phase_has_its_first_iteration(
    phase: Callable[[int], Hashable], starts: list[int], firsts: list[int]
) -> None:
    assert first_of_each(phase, starts) == firsts


def declare(
    like: str = "lazily",
    settings: type[config.AlgorithmConfig] | None = None,
    unmoved: dict[str, str] | None = None,
    **methods: Any,
) -> str:
    """A method of this name: that of tests/methods with other methods in its updater."""
    old = algorithms[like]
    updater = type("Updater", (old.updater,), methods)
    new = Algorithm(settings or old.config, old.build, updater, lambda config: unmoved or {})
    algorithms.entries["mine"] = Entry("here", None, lambda: new)
    return "mine"


def toured(**parts: Any) -> Record:
    return tour(declare(**parts), lambda name, **settings: small_updater(name, **settings))


def hinge(self: Any, x_real: Tensor, x_fake: Tensor) -> Tensor:
    return loss_dis_hinge(self.dis(x_real), self.dis(x_fake))


def test_a_gradient_of_zero_is_none_that_lacks() -> None:
    """Every logit of the new networks is inside of the margin, so that the bias's terms cancel."""
    seen = toured(loss_dis=hinge)
    assert list(mistakes(seen, {})) == []
    assert waiting(seen, {}) == {"dis.layers.3.bias"}
    assert not waiting(seen, {"dis.layers.3.bias": "it cancels"})


def test_stages_are_tried_however_long_they_are() -> None:
    """In batches of 4 the paper's 1,200,000 images are more than max_iter's iterations."""

    class Long(algorithms["growing"].config):  # type: ignore[misc]
        stage_images: config.Count = 1_200_000
        lr_decay: str = "linear"

    seen = toured(like="growing", settings=Long)
    assert seen.iterations == [0, 150_000, 450_000]
    assert list(mistakes(seen, {})) == [] and not seen.still


def setup_more(self: Any) -> None:
    self.register_buffer("path_mean", torch.zeros(()))
    self.gen.more = nn.Linear(2, 3)


def core(self: Any) -> dict[str, Tensor]:
    x_real, _ = next(self.data)
    loss = self.dis(self.gen(self.hidden(len(x_real)))).mean()
    self.step(gen=loss)
    return {"loss": loss}


def idle(self: Any) -> dict[str, Tensor]:
    self.step(gen=0 * self.gen(self.hidden(2)).mean())
    return {}


@pytest.mark.parametrize(
    ("parts", "unmoved", "words"),
    [
        ({"setup": setup_more}, {}, "gen.more.bias, gen.more.weight: nothing moves it"),
        ({"setup": setup_more}, {}, "iterations 0 and 1, 1 and 2, 4 and 5, where every stage"),
        ({"setup": setup_more}, {}, "no gradient, which is not one of 0"),
        ({"setup": setup_more}, {}, r"in Algorithm\(unmoved=...\)"),
        ({"setup": setup_more}, {"gen.more.bias": "", "gen.more.weight": "unused"}, "no reason"),
        ({}, {"dis.layers.1.bias": "of no use"}, "`unmoved` names dis.layers.1.bias: a step has"),
        ({"update_core": core}, {}, "No step is by an optimizer of dis.layers.1.bias"),
        (
            {"schedule": lambda self, k: {"lr": 0.0}},
            {},
            "and 5 more had a gradient and has not moved: is its learning rate 0.$",
        ),
        ({"update_core": idle}, {}, "Every gradient of gen is exactly 0"),
    ],
)
def test_what_is_stuck_is_said_in_a_sentence(
    parts: dict[str, Any], unmoved: dict[str, str], words: str
) -> None:
    assert re.search(words, " ".join(mistakes(toured(**parts), unmoved)))


def test_a_step_that_moves_what_it_does_not_descend_is_a_mistake() -> None:
    own = {"gen": {"gen.a"}, "dis": {"dis.b"}}
    seen = Record(own=own, moved={"gen": {"gen.a", "dis.b"}, "dis": {"dis.b"}})
    assert list(mistakes(seen, {})) == ["step(gen=...) has moved dis.b, of another optimizer."]


def draw(self: Any) -> dict[str, Tensor]:
    torch.randn(4)
    self.data.data.x[torch.randperm(32)]
    nn.functional.dropout(self.normal(4, 1))
    return core(self)


def test_random_numbers_of_its_own_are_told_with_their_lines() -> None:
    first = draw.__code__.co_firstlineno
    lines = {f"{Path(__file__).name}:{first + k}" for k in (1, 2)}
    assert lines < toured(update_core=draw).drawn and len(toured(update_core=draw).drawn) == 3


@pytest.mark.parametrize("name", ["lazily", "styled", "dropped", "pooled", "adaptive", "labelled"])
def test_the_updaters_calls_and_networks_may_draw(name: str) -> None:
    assert tour(name, small_updater).drawn == set()


class Settings(AlgorithmConfig):
    r1_every: config.Count = 16
    path_every: config.Count = 4
    gamma: config.NonNegative = 10.0
    ema_images: config.Positive = 10_000.0
    gamma_end: config.NonNegative = 1.0
    unheard: config.Count = 1


def late(self: Any) -> dict[str, Tensor]:
    """Reads a setting that the tour does not come to."""
    return {"gamma_end": self.config.gamma_end} if self.iteration == 3 else core(self)


def test_a_setting_that_nothing_reads_is_told(tmp_path: Path) -> None:
    seen = toured(settings=Settings, update_core=late)
    assert unread("mine", seen) == ["gamma_end", "unheard"]
    assert unread("lazily", tour("lazily", small_updater)) == []


def keeping(self: Any) -> dict[str, Tensor]:
    """Keeps a tensor from one 16th iteration to the next where no snapshot finds it."""
    values = core(self)
    if self.phase(self.iteration)[0]:
        kept = vars(self).get("kept", 0 * values["loss"].detach())
        values["kept"] = kept.clone()
        vars(self)["kept"] = kept + 1
    return values


def test_what_is_kept_outside_of_snapshots_from_a_16th_iteration_is_found() -> None:
    with pytest.raises(AssertionError, match="Not the same to the last bit: \\['kept'\\]"):
        contract.test_resume_is_bitwise(declare(update_core=keeping), small_updater)


@pytest.mark.parametrize(
    ("dataset", "source", "shapes"),
    [
        (None, "unpaired:emoji", [(32, 1, 28, 28), (32, 3, 28, 28)]),
        (None, "edges", [(32, 1, 28, 28), (32, 1, 28, 28)]),
        ("fashion_mnist", None, [(32, 1, 28, 28), None]),
        ("emoji", "edges", [(32, 3, 28, 28), (32, 1, 28, 28)]),
    ],
)
def test_data_that_are_asked_for_are_a_few_images(
    dataset: str | None, source: str | None, shapes: list[tuple[int, ...] | None]
) -> None:
    data = data_of(dataset, source, 1, 28)
    assert [getattr(images, "shape", None) for images in (data.x, data.source)] == shapes
    assert (maker(dataset, source), maker(None, None)) == (maker(dataset, source), small_updater)

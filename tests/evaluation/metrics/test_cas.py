"""The classification accuracy score on images whose classes are easily told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator, Score
from ganlib.evaluation.extractors.base import in_channels
from ganlib.evaluation.extractors.small import Classifier, Kind
from ganlib.evaluation.metrics import cas
from ganlib.evaluation.metrics.cas import (
    RESIZE,
    SIDE,
    logits,
    trained,
)

CLASSES = ("dark", "bright", "even")


def pictures(n: int, seed: int, channels: int = 1, side: int = 8) -> DataSet:
    """Dark ones, bright ones, and ones that are bright on the left: uint8 (n, channels, ...)."""
    random = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (n,), generator=random)
    x = torch.randint(0, 60, (n, channels, side, side), generator=random)
    x += 150 * (y == 1)[:, None, None, None]
    x[..., : side // 2] += 150 * (y == 2)[:, None, None, None]
    return DataSet("", x.to(torch.uint8), y, None, CLASSES)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch, where it does not matter what is learned."""
    monkeypatch.setattr(cas, "EPOCHS", 1)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The images of every training, in order."""
    given: list[Tensor] = []

    def noted(x: Tensor, *more: Any) -> Classifier:
        given.append(x)
        return trained(x, *more)

    monkeypatch.setattr(cas, "trained", noted)
    return given


@pytest.fixture
def scored(plain: Any) -> Callable[..., Score]:
    """scored(samples, y): the only score, against 400 training and 200 test images."""

    def call(x: Any, y: Tensor, **more: Any) -> Score:
        real = more.pop("real", {"train": pictures(400, 1), "test": pictures(200, 2)})
        (found,) = Evaluator(plain, real)([(x, y)], ("cas",), **more).scores.values()
        return found

    return call


def test_the_answer_is_known(scored: Callable[..., Score]) -> None:
    """Right samples teach everything, swapped classes nothing, two of three classes two thirds."""
    samples, test = pictures(300, 3), pictures(200, 2)
    assert samples.y is not None and test.y is not None
    right = scored(samples.x, samples.y)
    assert (right.name, right.value, right.std) == ("CAS300-test", 1.0, 0.0)
    assert right.more["real"]["value"] == 1.0
    swapped = scored(samples.x, (samples.y + 1) % 3)
    assert swapped.value == 0.0 and swapped.more["real"]["value"] == 1.0
    assert swapped.protocol.hash == right.protocol.hash
    two = samples.y != 2
    part = scored(samples.x[two], samples.y[two])
    assert part.more["by_class"]["even"] == {"value": 0.0, "n": int((test.y == 2).sum())}
    assert part.more["by_class"]["dark"]["value"] + part.more["by_class"]["bright"]["value"] > 1
    assert part.protocol.settings["labels"] == "given"


@pytest.mark.usefixtures("short")
def test_it_is_trained_on_samples_alone_and_beside_it_on_as_many_real_images(
    scored: Callable[..., Score], trainings: list[Tensor]
) -> None:
    samples, train = pictures(300, 3), pictures(400, 1)
    found = scored(samples.x, samples.y)  # type: ignore[arg-type]
    assert len(trainings) == 6
    assert all(torch.equal(x, samples.x) for x in trainings[:3])  # type: ignore[arg-type]
    chosen = {tuple(x.flatten().tolist()) for x in trainings[3]}
    real = {tuple(x.flatten().tolist()) for x in train.x}  # type: ignore[attr-defined]
    assert len(chosen) == 300 and chosen < real
    assert all(torch.equal(x, trainings[3]) for x in trainings[4:])
    assert (found.more["real"]["n"], found.more["real"]["split"]) == (300, "train")


@pytest.mark.usefixtures("short")
def test_what_real_images_reach_is_computed_once(
    scored: Callable[..., Score], trainings: list[Tensor], cache: Path
) -> None:
    samples = pictures(300, 3)
    first = scored(samples.x, samples.y)
    assert scored(samples.x, samples.y) == first and len(trainings) == 9
    scored(samples.x, samples.y, n=299)
    assert len(trainings) == 15  # of another number of images
    for file in (cache / "cas").glob("*.safetensors"):
        file.write_text("{")
    assert scored(samples.x, samples.y) == first and len(trainings) == 21
    other = pictures(400, 1)
    relabelled = DataSet("", other.x, other.y.flip(0), None, CLASSES)  # type: ignore[union-attr]
    scored(samples.x, samples.y, real={"train": relabelled, "test": pictures(200, 2)})
    assert len(trainings) == 27  # of other labels


@pytest.mark.usefixtures("short")
def test_the_protocol_says_how(scored: Callable[..., Score]) -> None:
    samples = pictures(300, 3)
    protocol = scored(samples.x, samples.y).protocol  # type: ignore[arg-type]
    assert (protocol.extractor, protocol.extractor_digest) == ("classifier", "")
    assert (protocol.reference, protocol.n_reference, protocol.n_generated) == ("test", 200, 300)
    settings = dict(protocol.settings)
    assert len(str(settings.pop("real_labels"))) == 12
    train = pictures(400, 1).y
    assert train is not None
    assert settings.pop("n_per_class") == round(300 * min(train.bincount().tolist()) / 400)
    assert settings == {
        "metric": "cas",
        "labels": "marginal",
        "classes": 3,
        "network": "conv5s2-32 conv3s2-64 conv3s2-64, BN, ReLU; mean, linear",
        "optimizer": "AdamW 0.004, decay 0.05, one cycle",
        "epochs": 10,
        "batch": 128,
        "seeds": "0 1 2",
    }


@pytest.mark.usefixtures("short")
def test_progress_ends_where_it_said(scored: Callable[..., Score]) -> None:
    told: dict[str, list[tuple[int, int | None]]] = {}
    samples = pictures(300, 3)
    scored(
        samples.x,
        samples.y,
        progress=lambda what, done, total: told.setdefault(what, []).append((done, total)),
    )
    for what in ("classifier of samples", "classifier of real images"):
        assert told[what] == [(k, 6) for k in range(1, 7)]


@pytest.mark.usefixtures("short")
def test_random_numbers_and_gradients_are_left_alone(scored: Callable[..., Score]) -> None:
    samples = pictures(300, 3)
    torch.manual_seed(5)
    first = scored(samples.x, samples.y)  # type: ignore[arg-type]
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), after) and torch.is_grad_enabled()
    torch.manual_seed(6)
    assert scored(samples.x, samples.y) == first  # type: ignore[arg-type]


@pytest.mark.usefixtures("short")
def test_only_test_images_with_labels_will_do(scored: Callable[..., Score]) -> None:
    samples, train, test = pictures(300, 3), pictures(400, 1), pictures(200, 2)
    called = DataSet("", test.x, test.y, None, ("a", "b", "c"))
    for real in (
        {"train": train},
        {"train": train, "test": test.x},
        {"train": train, "test": called},
    ):
        with pytest.raises(UserError, match="on real test images, and there are none with labels"):
            scored(samples.x, samples.y, real=real)
    beyond = torch.arange(300) % 4
    with pytest.raises(UserError, match="labels from 0 to 3 where there are 3 classes"):
        scored(samples.x, beyond)
    found = scored(samples.x, samples.y, real={"test": test})
    assert found.name == "CAS300-test" and "real" not in found.more


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (3, 64)])
def test_images_are_brought_to_the_networks_size(channels: int, side: int) -> None:
    data = pictures(140, 0, 1, side)
    x = RESIZE(in_channels(data.x, channels))  # type: ignore[arg-type]
    assert x.shape == (140, channels, min(side, SIDE), min(side, SIDE))
    assert torch.allclose(x.mean((1, 2, 3)), data.x.float().mean((1, 2, 3)), atol=1)  # type: ignore
    colours = torch.randint(256, (2, 3, 8, 8)).to(torch.uint8)
    assert torch.equal(in_channels(colours, 1)[:, 0], colours.float().mean(1))
    network = Classifier(Kind("", "", channels, SIDE, ("",) * 7, cas.LAYERS))
    assert logits(network, data.x).shape == (140, 7)  # type: ignore[arg-type]


@pytest.mark.usefixtures("short")
def test_fewer_images_than_a_batch_are_enough() -> None:
    data = pictures(20, 0)
    network = trained(data.x, data.y, 1, 3, 0, lambda: None)  # type: ignore[arg-type]
    assert not network.training

"""What later methods need of the machine: labels, source images, stages, a third network."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.generator import Generator
from ganlib.config import AlgorithmConfig
from ganlib.registry import Algorithm, algorithms
from ganlib.training.updater import Updater

SMALL = {"batch_size": 4, "gpu": -1, "sample_interval": 0, "evaluation_interval": 0, "max_iter": 3}


class Told(Generator):
    """A linear generator that adds what it is told to its images."""

    def __init__(self, spec: Any) -> None:
        super().__init__(8, "normal")
        self.shape = spec.image
        self.linear = nn.Linear(8, spec.image[1] * spec.image[2])
        self.told = nn.Embedding(max(1, spec.n_classes), 1)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None
        x = self.linear(z).unflatten(1, self.shape)
        more = self.told(y)[:, :, None, None] if y.dim() == 1 else y.mean((1, 2, 3), keepdim=True)
        return torch.tanh(x + more)


class TellingUpdater(Updater):
    """Least squares to the batch's own images: any loss will do here."""

    def update_core(self) -> dict[str, Tensor]:
        x, y = next(self.data)
        assert y is not None and len(y) == len(x)
        loss = (self.generate(self.gen, self.hidden(len(x)), y) - x).square().mean()
        self.step(gen=loss)
        return {"loss_gen": loss}


class Labels(AlgorithmConfig):
    @property
    def condition(self) -> Any:
        return "labels"


class Pictures(AlgorithmConfig):
    @property
    def condition(self) -> Any:
        return "images"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))


def register(name: str, **parts: Any) -> None:
    from ganlib.common.registry import Entry

    whole = Algorithm(**{"build": lambda config, spec: {"gen": Told(spec)}, **parts})
    algorithms.add(name, Entry("this test", None, lambda: whole))


def test_labels_reach_the_networks_and_the_samples(toy_file: Path) -> None:
    register("told", config=Labels, updater=TellingUpdater)
    model = ganlib.train(algorithm="told", dataset=str(toy_file), ema_decay=0.5, **SMALL)
    assert model.spec.n_classes == 3
    z, y = model.latents(list(range(300)), seed=1)
    assert y is not None and y.shape == (300,) and set(y.tolist()) == {0, 1, 2}
    again = ganlib.load(model.out)
    assert torch.equal(again.sample(5), model.sample(5))
    assert torch.equal(model.decode(z[:5], y[:5]), model.sample(5, seed=1))


def test_labels_are_asked_for_where_there_are_none(toy_file: Path) -> None:
    register("told", config=Labels, updater=TellingUpdater)
    x = torch.zeros(8, 1, 16, 16, dtype=torch.uint8)
    write_hdf5(Path("plain.h5"), DataSet("plain", x))
    with pytest.raises(UserError, match="needs labels"):
        ganlib.train(algorithm="told", dataset="plain.h5", **SMALL)


def test_source_images_reach_the_networks_and_held_out_ones_the_samples() -> None:
    register("drawn", config=Pictures, updater=TellingUpdater)
    random = torch.Generator().manual_seed(0)
    x = torch.randint(256, (12, 1, 16, 16), dtype=torch.uint8, generator=random)
    train, test = DataSet("pairs", x[:8], source=x[:8]), DataSet("pairs", x[8:], source=x[8:])
    write_hdf5(Path("pairs.h5"), train, test)
    model = ganlib.train(algorithm="drawn", dataset="pairs.h5", **SMALL)
    assert model.spec.source == (1, 16, 16)
    _, y = model.latents(list(range(20)), seed=0)
    held_out = {tuple(image.flatten().tolist()) for image in (x[8:].float() / 127.5 - 1)}
    assert y is not None
    assert {tuple(image.flatten().tolist()) for image in y} <= held_out
    assert model.sample(3).shape == (3, 1, 16, 16)


class StagedUpdater(TellingUpdater):
    """A generator that makes half the contrast until iteration 2, with pictures of its own."""

    def phase(self, iteration: int) -> Hashable:
        return iteration >= 2

    def generate(self, gen: nn.Module, z: Tensor, y: Tensor | None) -> Tensor:
        x: Tensor = gen(z, y)
        return x if self.phase(self.iteration) else x / 2

    def pictures(self, seed: int) -> dict[str, Tensor]:
        return {"inner": torch.zeros(4, 1, 8, 8)}

    def scores(self, test: DataSet) -> dict[str, float]:
        return {"test_error": 1 / len(test)}


@pytest.mark.filterwarnings("ignore:'intra' is left out")
def test_stages_pictures_and_scores_of_ones_own(toy_file: Path) -> None:
    register("staged", config=Labels, updater=StagedUpdater)
    settings = {**SMALL, "evaluation_interval": 3, "extractor": "fashion", "evaluation_images": 2}
    with pytest.warns(UserWarning, match="too few"):
        model = ganlib.train(
            algorithm="staged", dataset=str(toy_file), display_interval=3, **settings
        )
    assert (model.out / "samples" / "inner_0000003.png").is_file()
    assert '"test_error": 0.125' in (model.out / "log.jsonl").read_text()


class ThreeUpdater(Updater):
    """Three networks: one steps alone, two at once."""

    def update_core(self) -> dict[str, Tensor]:
        x, y = next(self.data)
        made = self.gen(self.hidden(len(x)), y)
        loss = made.square().mean()
        self.step(gen=loss, dis=self.dis(made).mean())
        den = self.den(x).square().mean()
        self.step(den=den)
        return {"loss_gen": loss, "loss_den": den}


def test_a_third_network_is_stepped_saved_and_resumed(toy_file: Path) -> None:
    def build(config: Any, spec: Any) -> dict[str, nn.Module]:
        conv = {name: nn.Conv2d(1, 1, 3) for name in ("dis", "den")}
        return {"gen": Told(spec), **conv}

    register("three", config=Labels, updater=ThreeUpdater, build=build)
    settings = {"algorithm": "three", "dataset": str(toy_file), **SMALL}
    whole = ganlib.train(**{**settings, "max_iter": 6}, out="whole")
    ganlib.train(**settings, out="parts")
    parts = ganlib.train(**{**settings, "max_iter": 6}, resume="parts")
    a, b = whole.updater.state_dict(), parts.updater.state_dict()
    assert {"den.weight", "dis.weight"} < set(a)
    assert all(torch.equal(a[name], b[name]) for name in a)

"""Every method on a GPU that has no values: nothing of an update lies on the CPU, or is read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_gpu
import pytest
import torch
from fake_gpu import GPU, OneDevice
from small_methods import FOLDER, NAMES
from test_cuda import LOADING, noiseless, short
from torch import Tensor

from ganlib.common.data import DataSet, Loader, crops, fit_spec
from ganlib.common.data.crops import cropped
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.config import RunConfig
from ganlib.contract.tour import FAR, first_of_each
from ganlib.registry import add_plugins, algorithms
from ganlib.speed.accelerate import accelerate
from ganlib.training.update.streams import borders

Make = Callable[..., Any]
ALL = [*algorithms.names(), *NAMES]
SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": FAR}


@pytest.fixture(autouse=True)
def on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))
    add_plugins(FOLDER)
    fake_gpu.use(monkeypatch)


@pytest.mark.parametrize("name", ALL)
def test_weights_are_drawn_on_the_cpu(
    name: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are the latents that some start from: the same numbers everywhere."""
    noiseless(monkeypatch)
    with fake_gpu.NoDraws():
        make_updater(name, device=GPU)


def firsts(updater: Any) -> list[int]:
    """The first iteration of two stages or phases, if there are."""
    starts = list(borders(updater.stage, updater.length()))
    return sorted({*starts, *first_of_each(updater.phase, starts)})[:2]


@pytest.mark.parametrize("name", ALL)
def test_updates_and_samples(name: str, make_updater: Make) -> None:
    updater = make_updater(name, **SETTINGS, **short(name))
    accelerate(updater, RunConfig(algorithm=name), 10, pytest.fail)
    fake_gpu.move(updater)
    for updater.iteration in firsts(updater):  # noqa: B020
        values = updater.update()
        assert all(value.device == GPU for value in values.values())
    with OneDevice(copies=True):
        samples = next(updater.sample(3, seed=0))
        updater.pictures(0)
    assert samples.device == GPU


@pytest.mark.parametrize("name", [*NAMES, "wgan", "progressive"])
def test_captures(name: str, make_updater: Make) -> None:
    """What an iteration is given lies there, and is put where it was at the capture."""
    updater = fake_gpu.move(make_updater(name, **SETTINGS, **short(name)))
    for first in firsts(updater):
        for _ in range(3):
            updater.iteration = first
            updater.update()
        assert updater.phase(first) in updater.perform._graphs


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sngan", {"architecture": "resnet", "width": 0.05}),
        ("dcgan", {"diffaugment": "color,translation,cutout", "ada_target": 0.6}),
        ("sngan", {"ada": "blit,geometry,color,filter,noise,cutout", "lecam": 0.3}),
        ("vae", {"dequantize": True, "jitter": 4}),
        ("pix2pixhd", {"features": True, "max_iter": FAR}),
    ],
)
def test_what_is_not_a_default(name: str, settings: dict[str, Any], make_updater: Make) -> None:
    updater = make_updater(name, **settings)
    accelerate(updater, RunConfig(algorithm=name), 10, pytest.fail)
    fake_gpu.move(updater)
    for updater.iteration in firsts(updater):  # noqa: B020
        updater.update()


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_updates_in_two_passes(name: str, make_updater: Make) -> None:
    updater = make_updater(name, **SETTINGS, **short(name))
    updater.split(2)
    updater = fake_gpu.move(updater)
    for _ in range(2):
        updater.update()


@pytest.mark.parametrize("settings", LOADING)
@pytest.mark.parametrize("where", ["gpu", "cpu", "file"])
def test_batches_lie_there(
    where: str,
    settings: dict[str, Any],
    toy_data: Callable[..., DataSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever the images do: crops, mirrored, of which an epoch's last are with the next's."""
    data = toy_data(n=10)
    data = replace(data, source=255 - data.x)  # type: ignore[operator]
    if where != "gpu":
        monkeypatch.setattr(crops, "place", lambda images, device: images)
    if where == "file":
        write_hdf5(tmp_path / "set.h5", data)
        monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
        data = read_hdf5(tmp_path / "set.h5", "train")
    data = cropped(data, 24)
    loader = Loader(data, fit_spec(data, (32, 32)), 4, 0, flip=True, device=GPU, **settings)
    with OneDevice(copies=True):
        batches = [next(loader) for _ in range(3)]
    loader.close()
    assert all(batch.x.device == GPU == batch.y.device for batch in batches if batch.y is not None)
    assert batches[0].x.shape == (4, 1, 32, 32)


@pytest.mark.parametrize("name", ["wgan", "gan", "dcgan"])
def test_what_is_resumed_lies_there_too(name: str, make_updater: Make) -> None:
    """Of RMSprop, SGD and Adam; the state is a file's, on the CPU."""
    first = make_updater(name)
    for _ in range(2):
        first.update()
    state = first.state()
    resumed = fake_gpu.move(make_updater(name))
    resumed.steps.load_state(state["optimizers"])
    resumed.iteration = state["iteration"]
    for optimizer in resumed.optimizer.values():
        assert all(group.get("capturable", True) for group in optimizer.param_groups)
        kept = [t for of_one in optimizer.state.values() for t in of_one.values()]
        assert all(t.device == GPU for t in kept)
    resumed.update()


ONE = torch.ones(())  # as what a method keeps where it should not


def reading(core: Any) -> dict[str, Tensor]:
    return {k: v * v.item() for k, v in core().items()}


def beside(core: Any) -> dict[str, Tensor]:
    return {k: v + ONE for k, v in core().items()}


def copying(core: Any) -> dict[str, Tensor]:
    return {k: v + ONE.to(v.device) for k, v in core().items()}


def counting(core: Any) -> dict[str, Tensor]:
    return {k: v * float(ONE) for k, v in core().items()}


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (reading, "meta"),
        (beside, "tensor of the CPU"),
        (copying, "_to_copy.* works on the CPU"),
        (counting, "_local_scalar_dense.* works on the CPU"),
    ],
)
def test_it_shows_what_is_wrong(mistake: Any, words: str, make_updater: Make) -> None:
    updater = fake_gpu.move(make_updater("dcgan"))
    core = updater.update_core
    updater.update_core = lambda: mistake(core)
    with pytest.raises(RuntimeError, match=words):
        updater.update()

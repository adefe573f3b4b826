"""Every method on a GPU that has no values: nothing of an update lies on the CPU, or is read."""

from collections.abc import Callable
from typing import Any

import fake_gpu
import pytest
import torch
from fake_gpu import GPU, OneDevice
from small_methods import FOLDER, NAMES
from test_cuda import noiseless
from torch import Tensor

from ganlib.config import RunConfig
from ganlib.contract.test_contract import brief
from ganlib.registry import add_plugins, algorithms
from ganlib.speed.accelerate import accelerate

Make = Callable[..., Any]
ALL = [*algorithms.names(), *NAMES]
SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 10}


def short(name: str) -> dict[str, Any]:
    """Two steps of the critic are as good as a hundred."""
    return {**brief(name), "n_dis_long": 2} if name == "wgan" else brief(name)


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


@pytest.mark.parametrize("name", ALL)
def test_updates_and_samples(name: str, make_updater: Make) -> None:
    updater = make_updater(name, **SETTINGS, **short(name))
    accelerate(updater, RunConfig(algorithm=name), 10, pytest.fail)
    fake_gpu.move(updater)
    values = updater.update()
    assert all(value.device == GPU for value in values.values())
    with OneDevice(copies=True):
        samples = next(updater.sample(3, seed=0))
        updater.pictures(0)
    assert samples.device == GPU


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sngan", {"architecture": "resnet", "width": 0.05}),
        ("dcgan", {"diffaugment": "color,translation,cutout", "ada_target": 0.6}),
        ("vae", {"dequantize": True, "jitter": 4}),
    ],
)
def test_what_is_not_a_default(name: str, settings: dict[str, Any], make_updater: Make) -> None:
    updater = make_updater(name, **settings)
    accelerate(updater, RunConfig(algorithm=name), 10, pytest.fail)
    fake_gpu.move(updater).update()


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_updates_in_two_passes(name: str, make_updater: Make) -> None:
    updater = make_updater(name, **SETTINGS, **short(name))
    updater.split(2)
    updater = fake_gpu.move(updater)
    for _ in range(2):
        updater.update()


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


def reading(core: Any) -> dict[str, Tensor]:
    return {"k": torch.zeros(()) + core()["loss_dis"].item()}


def beside(core: Any) -> dict[str, Tensor]:
    return {k: v + torch.ones(1) for k, v in core().items()}


def copying(core: Any) -> dict[str, Tensor]:
    return {k: v + torch.ones(1).to(v.device) for k, v in core().items()}


@pytest.mark.parametrize(
    ("mistake", "words"),
    [(reading, "meta"), (beside, "tensor of the CPU"), (copying, "from one device")],
)
def test_it_shows_what_is_wrong(mistake: Any, words: str, make_updater: Make) -> None:
    updater = fake_gpu.move(make_updater("dcgan"))
    core = updater.update_core
    updater.update_core = lambda: mistake(core)
    with pytest.raises(RuntimeError, match=words):
        updater.update()

"""The fast path on a GPU; without one there is nothing to run here."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from test_cuda import nobody_waits
from torch import Tensor

from ganlib.registry import algorithms
from ganlib.speed import accelerate as precision
from ganlib.speed.compiled import compile_losses
from ganlib.speed.graph import WARM_UP, CudaRecorder, Graphs
from ganlib.training.device import devices

Make = Callable[..., Any]
GPUS = ["cuda:0"] if torch.cuda.is_available() else []
SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 60}
pytestmark = [
    pytest.mark.parametrize("device", GPUS),
    pytest.mark.parametrize("name", algorithms.names()),
]


@pytest.fixture
def deterministic() -> Iterator[None]:
    devices.make_deterministic()
    precision.set_float32("fp32")
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def on_gpu(make_updater: Make) -> Make:
    """make_updater on a GPU, in the layout that training has."""

    def make(name: str, device: str, **settings: Any) -> Any:
        updater = make_updater(name, device=device, **settings)
        for network in updater.children():
            devices.place(network, torch.device(device))
        return updater

    return make


def capture(updater: Any) -> Any:
    updater.perform = Graphs(updater, CudaRecorder(updater.clock.device), pytest.fail)
    return updater


def test_fifty_captured_iterations_are_fifty_eager_ones(
    name: str, device: str, on_gpu: Make, deterministic: None
) -> None:
    """Bitwise, and across a resume into a fresh capture."""
    eager, captured = on_gpu(name, device, **SETTINGS), capture(on_gpu(name, device, **SETTINGS))
    for k in range(50):
        if k == 25:
            file = io.BytesIO()
            torch.save(captured.state(), file)
            file.seek(0)
            captured = on_gpu(name, device, **SETTINGS)
            captured.load_state(torch.load(file, map_location="cpu", weights_only=True))
            capture(captured)
        a, b = eager.update(), captured.update()
        assert [key for key in a if not torch.equal(a[key], b[key])] == [], k
    pairs = zip(eager.state_dict().items(), captured.state_dict().values(), strict=True)
    assert [key for (key, x), y in pairs if not torch.equal(x, y)] == []


def test_no_update_waits_for_the_gpu(name: str, device: str, on_gpu: Make) -> None:
    for updater in (on_gpu(name, device), capture(on_gpu(name, device))):
        for _ in range(WARM_UP + 2):
            updater.update()
        with nobody_waits():
            for _ in range(3):
                updater.update()


@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler, about itself
@pytest.mark.parametrize(("way", "bound"), [("fp32", 1e-3), ("tf32", 5e-3), ("bf16", 5e-2)])
def test_compiled_and_captured_is_the_eager_first_update(
    way: Any, bound: float, name: str, device: str, on_gpu: Make
) -> None:
    """The first update after the warm-up: losses and weights, relative to how far these moved."""
    precision.set_float32(way)
    torch._dynamo.reset()
    eager, fast = on_gpu(name, device), on_gpu(name, device)
    if way == "bf16":
        for updater in (eager, fast):
            for network in updater.children():
                precision.train_in_bf16(network)
    compile_losses(fast, pytest.fail)
    before = [p.detach().clone() for p in eager.parameters()]
    a, b = eager.update(), fast.update()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=bound, atol=bound)
    capture(fast)
    for _ in range(WARM_UP + 1):
        c, d = eager.update(), fast.update()
    assert all(torch.isfinite(d[key]) for key in c)
    moved: Tensor = sum((p - q).norm() for p, q in zip(eager.parameters(), before, strict=True))
    assert moved > 0

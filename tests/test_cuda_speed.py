"""The fast path on a GPU. Without one `-m slow` rehearses it on the CPU: with a stand-in for CUDA
graphs, and compiled as far as PyTorch's own operations.
"""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_cuda import DEVICES, nobody_waits, short
from torch import Tensor

from ganlib.contract.tape import prepare, record
from ganlib.registry import algorithms
from ganlib.speed import accelerate as precision
from ganlib.speed.compiled import compile_update
from ganlib.speed.graph import WARM_UP, CudaRecorder, Graphs
from ganlib.training.device import devices

Make = Callable[..., Any]
SETTINGS: dict[str, Any] = {"ema_decay": 0.9, "lr_decay": "linear", "max_iter": 60}
MANY = 50 if torch.cuda.is_available() else 2 * (WARM_UP + 2)
WAYS = [("fp32", 1e-3), ("tf32", 5e-3), ("bf16", 5e-2)]
pytestmark = [
    pytest.mark.usefixtures("switches"),
    pytest.mark.parametrize("device", DEVICES),
    pytest.mark.parametrize("name", algorithms.names()),
]


@pytest.fixture
def on_gpu(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """make_updater on a GPU, in the layout that training has."""

    def make(name: str, device: str, **settings: Any) -> Any:
        updater = make_updater(name, device=device, **short(name), **settings)
        for network in updater.children():
            devices.place(network, torch.device(device))
        if device == "cpu":
            prepare(monkeypatch, updater)
        return updater

    return make


def capture(updater: Any) -> Any:
    device = updater.clock.device
    recorder = CudaRecorder(device) if device.type == "cuda" else record
    updater.perform = Graphs(updater, recorder, pytest.fail)
    return updater


def test_captured_iterations_are_eager_ones(name: str, device: str, on_gpu: Make) -> None:
    """Bitwise, and across a resume into a fresh capture."""
    devices.make_deterministic()
    precision.set_float32("fp32")
    eager, captured = on_gpu(name, device, **SETTINGS), capture(on_gpu(name, device, **SETTINGS))
    for k in range(MANY):
        if k == MANY // 2:
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
@pytest.mark.parametrize(("way", "bound"), WAYS if torch.cuda.is_available() else WAYS[-1:])
def test_compiled_and_captured_is_the_eager_first_update(
    way: Any, bound: float, name: str, device: str, on_gpu: Make
) -> None:
    """The first update after the warm-up: losses and weights, relative to how far these moved."""
    precision.set_float32(way)
    torch._dynamo.reset()
    eager, fast = on_gpu(name, device), on_gpu(name, device)
    if way == "bf16":
        for updater in (eager, fast):
            for network in updater.trained.values():
                precision.train_in_bf16(network)
    compile_update(fast, pytest.fail, "eager" if device == "cpu" else "inductor")
    before = [p.detach().clone() for p in eager.parameters()]
    a, b = eager.update(), fast.update()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=bound, atol=bound)
    if device != "cpu":  # the stand-in records no compiled code
        capture(fast)
    for _ in range(WARM_UP + 1):
        c, d = eager.update(), fast.update()
    assert all(torch.isfinite(d[key]) for key in c)
    moved: Tensor = sum((p - q).norm() for p, q in zip(eager.parameters(), before, strict=True))
    assert moved > 0

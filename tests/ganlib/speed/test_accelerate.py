"""ganlib/speed: spectrally normalised networks, compiled and captured."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganlib.common.errors import UserError
from ganlib.config import RunConfig
from ganlib.contract.tape import prepare, record
from ganlib.speed.accelerate import accelerate
from ganlib.speed.compiled import Trial, compile_update
from ganlib.speed.graph import WARM_UP, Graphs
from ganlib.training.device import ranks

Make = Callable[..., Any]


def fast(updater: Any) -> Any:
    accelerate(updater, RunConfig(algorithm="sngan"), 10, pytest.fail)
    return updater


def test_compiled_updates_are_the_plain_ones(make_updater: Make) -> None:
    """Power iterations too: the same u afterwards."""
    settings = {"architecture": "resnet", "dtype": torch.float64, "width": 0.05}
    plain, compiled = make_updater("sngan", **settings), fast(make_updater("sngan", **settings))
    torch._dynamo.reset()
    compile_update(compiled, pytest.fail, "aot_eager")
    a, b = plain.update(), compiled.update()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(
        dict(plain.dis.named_buffers()), dict(compiled.dis.named_buffers()), rtol=1e-6, atol=1e-8
    )
    torch._dynamo.reset()


def test_so_are_captured_ones(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bitwise, by the stand-in for a CUDA graph that ganlib/contract/tape.py explains."""
    eager, captured = (
        fast(make_updater("sngan", architecture="resnet", width=0.05)) for _ in range(2)
    )
    prepare(monkeypatch, eager, captured)
    captured.perform = Graphs(captured, record, pytest.fail)
    for _ in range(WARM_UP + 2):
        a, b = eager.update(), captured.update()
        assert all(torch.equal(a[key], b[key]) for key in a)
    pairs = zip(eager.state_dict().items(), captured.state_dict().values(), strict=True)
    assert [key for (key, x), y in pairs if not torch.equal(x, y)] == []


@pytest.mark.parametrize(("version", "refused"), [("2.7.1", True), ("2.8.0a0+gpu", False)])
def test_graphs_of_an_older_pytorch_are_refused(
    version: str, refused: bool, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pools of memory are entered in another way. A newer one asks for a GPU next."""
    monkeypatch.setattr(torch, "__version__", type(torch.__version__)(version))
    words = "need PyTorch 2.8, and this one is 2.7.1: .* --no-graph" if refused else "needs a GPU"
    with pytest.raises(UserError, match=words):
        accelerate(make_updater("dcgan"), RunConfig(algorithm="dcgan", graph=True), 10, pytest.fail)


@pytest.mark.parametrize("sync_bn", [False, True])
def test_several_ranks_decide_by_trial_too(
    sync_bn: bool, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not of losses in which ranks meet."""
    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "broadcast_", lambda tensors: None)
    # what a run on a GPU has, of which the graphs are made with its first update
    monkeypatch.setattr("ganlib.speed.accelerate.CudaRecorder", lambda device: record)
    updater = make_updater("dcgan")
    vars(updater)["clock"] = SimpleNamespace(device=torch.device("cuda"))
    accelerate(updater, RunConfig(algorithm="dcgan", sync_bn=sync_bn), 100, pytest.fail)
    assert isinstance(updater.perform, Graphs if sync_bn else Trial)

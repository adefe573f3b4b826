"""A network that does not train, by the small method with a perceptual loss, in whole runs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ganlib
from ganlib.common.errors import UserError
from ganlib.contract.fixtures import small_updater
from ganlib.training.snapshot import read_snapshot


@pytest.fixture
def train(toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    settings = {"algorithm": "perceptual", "dataset": str(toy_file), "width": 0.05, "gpu": -1}
    quiet = {"batch_size": 4, "sample_interval": 0, "evaluation_interval": 0}
    return lambda **more: ganlib.train(**settings, **quiet, **more)


def other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(small_updater("perceptual"))
    module = sys.modules[kind.__module__]
    features: Callable[[Any], nn.Module] = vars(module)["features"]

    def doubled(spec: Any) -> nn.Module:
        network = features(spec)
        with torch.no_grad():
            next(network.parameters()).mul_(2)
        return network

    monkeypatch.setattr(module, "features", doubled)


def test_a_run_goes_on_with_the_same_weights_alone(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(out="run", max_iter=1)
    said = " ".join(capsys.readouterr().err.split())
    assert "cpu, fp32; parameters: gen" in said and "vgg" not in said
    state = read_snapshot(Path("run/snapshots/iter_0000001.pt"))["updater"]
    assert set(state["frozen"]) == {"vgg"} and not any("vgg" in name for name in state["modules"])
    with monkeypatch.context() as patch:
        other_weights(patch)
        with pytest.raises(UserError, match="1.pt does not fit.* network 'vgg' had the SHA-256"):
            train(resume="run", max_iter=2)
    assert train(resume="run", max_iter=2).updater.iteration == 2
    assert ganlib.load("run").sample(2).isfinite().all()


def test_in_bfloat16_it_computes_so_too(train: Callable[..., Any]) -> None:
    model = train(out="run", max_iter=1, precision="bf16")
    inside: list[torch.dtype] = []
    vgg = model.updater.vgg
    vgg[0].register_forward_hook(lambda layer, inputs, output: inside.append(output.dtype))
    assert vgg(torch.zeros(1, 1, 32, 32)).dtype == torch.float32
    assert inside == [torch.bfloat16] and not vgg.training

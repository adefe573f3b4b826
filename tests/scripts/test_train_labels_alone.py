"""scripts/train_labels_alone.py: improved_gan's D without the losses of images without labels."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from torch import Tensor

from ganlib.improved_gan.updater import Updater
from ganlib.runs.grid import plan
from ganlib.runs.run import build, open_data
from ganlib.runs.settings import Settings
from scripts.train_labels_alone import CONFIG, main, train

SMALL: dict[str, Any] = {
    "gpu": -1,
    "improved_gan": {
        "architecture": "mnist",
        "width": 0.1,
        "batch_size": 4,
        "n_labels": 6,
        "adam_alpha": 0.01,
        "lr_decay": "linear",
        "max_iter": 3,
    },
}


@pytest.fixture
def config(toy_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"dataset": str(toy_file), **SMALL}))
    return path


def settings(config: Path, seeds: str = "0") -> list[Settings]:
    return plan("improved_gan", seeds, {"config": config})


def weights(net: torch.nn.Module) -> Tensor:
    return torch.nn.utils.parameters_to_vector(net.parameters()).detach()


def test_it_is_improved_gan_with_the_other_losses_at_zero(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights, labels, order, noise, steps and rates: the same D at the end."""
    (one,) = settings(config)
    start = build(one, *open_data(one), torch.device("cpu"))
    alone = train(one)
    loss_dis = Updater.loss_dis

    def without(self: Updater, *batch: Tensor) -> tuple[Tensor, Tensor]:
        loss_lab, loss_unl = loss_dis(self, *batch)
        return loss_lab, 0 * loss_unl

    monkeypatch.setattr(Updater, "loss_dis", without)
    both = build(one, *open_data(one), torch.device("cpu"))
    for _ in range(3):
        both.update()
    torch.testing.assert_close(weights(alone.dis), weights(both.dis))
    assert not torch.allclose(weights(alone.dis), weights(start.dis))
    assert torch.equal(weights(alone.gen), weights(start.gen))


def test_it_prints_an_error_for_each_seed(config: Path) -> None:
    done = CliRunner().invoke(main, [str(config), "0,3"], catch_exceptions=False)
    first, second, last = done.output.splitlines()
    assert first.startswith("seed 0: test error ") and second.startswith("seed 3: test error ")
    a, b = (float(line.split()[-2]) for line in (first, second))
    assert 0 <= a <= 100 and 0 <= b <= 100
    assert last == f"mean {(a + b) / 2:.2f} +- {abs(a - b) / 2**0.5:.2f} %"


def test_its_default_is_the_short_run() -> None:
    (one,) = settings(CONFIG)
    assert (one.run.dataset, one.algorithm.max_iter) == ("fashion_mnist", 2000)

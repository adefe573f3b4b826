"""An extension of a user's own is found by its name and made of the run's settings."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganlib.common.io.jsonl import read_lines
from ganlib.registry import extensions
from ganlib.training.extensions.reports import LogReport
from ganlib.training.trainer import Trainer


def test_what_it_observes_is_in_the_log(make_updater: Any, tmp_path: Path) -> None:
    trainer = Trainer(make_updater("hinged"), tmp_path, 4)
    trainer.extend(extensions["weight_norm"]({"display_interval": 2}), LogReport(2))
    trainer.run()
    squares = [p.detach().square().sum() for p in trainer.updater.gen.parameters()]
    lines = read_lines(tmp_path / "log.jsonl")
    assert [line["iteration"] for line in lines] == [2, 4]
    assert lines[-1]["norm_gen"] == pytest.approx(float(torch.stack(squares).sum().sqrt()))

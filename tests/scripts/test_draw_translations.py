"""scripts/draw_translations.py, of two runs."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

import ganlib
from scripts.draw_translations import main


def test_a_block_for_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings: dict[str, Any] = {
        "algorithm": "srgan",
        "blocks": 1,
        "dataset": "emoji",
        "source": "low-resolution:4",
        "max_iter": 1,
        "width": 0.1,
        "gpu": -1,
        "evaluation_interval": 0,
        "tensorboard": False,
    }
    for seed in (0, 1):
        ganlib.train(**settings, seed=seed, out=f"run{seed}")
    result = CliRunner().invoke(main, ["p.png", "run0", "run1", "--rows", "2", "--across", "3"])
    assert result.exit_code == 0, result.exception
    with Image.open("p.png") as picture:
        assert picture.size == (3 * (3 * 66 + 16) - 18, 2 * (28 + 2 * 66 - 2) + 12)

"""The losses of five iterations on the bundled data, as recorded. A change of one is a decision."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from starting import bundled

import ganlib
from ganlib.registry import algorithms

GOLDEN = Path(__file__).parent / "golden"

OURS = [name for name, _ in algorithms.find(Path(ganlib.__file__).parent)]


@pytest.mark.parametrize("algorithm", OURS)
def test_golden_losses(
    algorithm: str, make_updater: Callable[..., Any], pytestconfig: pytest.Config
) -> None:
    path = GOLDEN / f"{algorithm}.json"
    updater = make_updater(algorithm, data=bundled(algorithm), dtype=torch.float64, width=0.25)
    losses = [{k: float(v) for k, v in updater.update().items()} for _ in range(5)]
    if pytestconfig.getoption("--update-golden"):
        content = {"torch": torch.__version__, "width": 0.25, "losses": losses}
        path.write_text(json.dumps(content, indent=1) + "\n")
    golden = json.loads(path.read_text())
    for k, (now, then) in enumerate(zip(losses, golden["losses"], strict=True)):
        assert now == pytest.approx(then, rel=1e-3 if k else 1e-5), f"iteration {k}"

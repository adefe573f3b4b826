import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib import evaluation
from ganlib.common.errors import UserError
from ganlib.common.sources import open_dataset
from ganlib.evaluation.fashion import WEIGHTS, accuracy, load_classifier
from ganlib.evaluation.features import (
    Options,
    arithmetic,
    default_extractor,
    extractors,
    make_extractor,
)
from ganlib.speed.precision import set_float32

CPU = torch.device("cpu")


def test_both_are_listed() -> None:
    assert {"fashion", "inception"} <= set(extractors.names())
    with pytest.raises(UserError, match="Did you mean 'inception'"):
        make_extractor("inceptoin")


def test_a_plugin_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation.extractors, "__path__", [*evaluation.extractors.__path__])
    monkeypatch.setattr(extractors, "entries", dict(extractors.entries))
    (tmp_path / "mean.py").write_text(
        "from ganlib.evaluation.features import Extractor, Features\n"
        "class Mean(Extractor):\n"
        "    name, digest, n_features = 'mean', '0', 1\n"
        "    def __call__(self, x):\n"
        "        return Features(x.to(self.device).float().mean((1, 2, 3))[:, None])\n"
        "def make(device, options):\n"
        "    mean = Mean()\n"
        "    mean.device = device\n"
        "    return mean\n"
    )
    extractors.add_folder(tmp_path)
    x = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1)
    found = evaluation.score([x], x, ("is", "fid"), "mean")
    assert list(found) == ["FD-mean40-reference"]


def test_a_data_set_has_its_extractor() -> None:
    assert default_extractor("fashion_mnist") == "fashion"
    assert default_extractor("cifar10") == "inception"


def test_the_classifier_is_what_its_record_says() -> None:
    record = json.loads(WEIGHTS.with_suffix(".json").read_text())
    content = WEIGHTS.read_bytes()
    assert len(content) < 10**6
    assert sha256(content).hexdigest() == record["sha256"] == make_extractor("fashion").digest
    test = open_dataset("fashion_mnist", split="test")
    assert isinstance(test.x, Tensor) and test.y is not None
    found = accuracy(load_classifier(content), test.x, test.y)
    assert found == pytest.approx(record["accuracy"], abs=1e-3)
    assert found >= 0.92


def test_fashion_takes_other_channels_and_sizes(clothes: Tensor) -> None:
    fashion, x = make_extractor("fashion"), clothes[:4]
    pool, logits = fashion(x)
    assert pool.shape == (4, 128) and logits is not None and logits.shape == (4, 10)
    assert pool.dtype == torch.float32
    assert torch.equal(fashion(x.repeat(1, 3, 1, 1)).pool, pool)
    larger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (fashion(larger).pool - pool).norm() / pool.norm() < 0.2


def test_fashion_refuses_other_weights(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    file.write_bytes(b"something else")
    with pytest.raises(UserError, match="does not hold"):
        make_extractor("fashion", CPU, Options(weights=file))


def test_other_arithmetic_is_stamped() -> None:
    plain = make_extractor("fashion").describe()
    fast = make_extractor("fashion", CPU, Options(precision="bf16")).describe()
    assert plain["precision"] == "float32" and fast["precision"] == "bf16"


@pytest.mark.parametrize("training", ["ieee", "tf32"])
def test_arithmetic_is_exact_inside_and_as_before_outside(training: str) -> None:
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("PyTorch 2.9 or newer")
    before = matmul.fp32_precision
    matmul.fp32_precision = training
    try:
        with torch.autocast("cpu"), arithmetic(CPU, "float32"):
            assert matmul.fp32_precision == "ieee"
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
            assert not torch.is_grad_enabled()
        assert matmul.fp32_precision == training
    finally:
        matmul.fp32_precision = before


@pytest.fixture
def switches() -> Iterator[None]:
    """They are as in a new process afterwards."""
    yield
    set_float32("fp32")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = True, False


SWITCHES: list[Callable[[], object]] = [
    torch.get_float32_matmul_precision,
    lambda: torch.backends.cuda.matmul.allow_tf32,
    lambda: torch.backends.cudnn.allow_tf32,
    lambda: torch.backends.cudnn.benchmark,
]


@pytest.mark.parametrize("training", ["fp32", "tf32", "bf16"])
def test_pytorchs_older_switches_agree_and_nothing_is_searched_for(
    training: Any, switches: None
) -> None:
    """Training sets the older ones, and PyTorch raises where it reads them if the newer differ."""
    set_float32(training)
    torch.backends.cudnn.benchmark = True
    before = [switch() for switch in SWITCHES]
    with arithmetic(CPU, "float32"):
        assert [switch() for switch in SWITCHES] == ["highest", False, False, False]
    with arithmetic(CPU, "tf32"):
        assert [switch() for switch in SWITCHES] == ["high", True, True, False]
    assert [switch() for switch in SWITCHES] == before


def test_a_switch_that_only_the_user_has_set_is_put_back(switches: None) -> None:
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("PyTorch 2.9 or newer")
    set_float32("fp32")
    matmul.fp32_precision = "tf32"
    with arithmetic(CPU, "float32"):
        assert matmul.fp32_precision == "ieee"
    assert matmul.fp32_precision == "tf32"

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import evaluation
from ganlib.commands.scores.sights import blurred
from ganlib.common.errors import UserError
from ganlib.common.query import open_dataset
from ganlib.evaluation.extractors.base import (
    TRAINED,
    Options,
    arithmetic,
    default_extractor,
    extractors,
    folded,
    make_extractor,
)
from ganlib.evaluation.extractors.emoji import EMOJI
from ganlib.evaluation.extractors.fashion import FASHION
from ganlib.evaluation.extractors.small import Classified, Kind, load_classifier
from ganlib.evaluation.extractors.wardrobe import WARDROBE
from ganlib.speed.accelerate import set_float32
from scripts.train_classifier import accuracy

CPU = torch.device("cpu")


def recorded(kind: Kind) -> Any:
    """How the weights were made and how good they are."""
    return json.loads(kind.weights.with_suffix(".json").read_text())


def test_all_are_listed() -> None:
    assert {"emoji", "fashion", "inception", "wardrobe"} <= set(extractors.names())
    with pytest.raises(UserError, match="Did you mean 'inception'"):
        make_extractor("inceptoin")


def test_a_plugin_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation.extractors, "__path__", [*evaluation.extractors.__path__])
    monkeypatch.setattr(extractors, "entries", dict(extractors.entries))
    (tmp_path / "mean.py").write_text(
        "from ganlib.evaluation.extractors.base import Extractor, Features\n"
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
    assert default_extractor("emoji") == "emoji"
    assert default_extractor("wardrobe") == default_extractor("wardrobe_wide") == "wardrobe"
    assert default_extractor("moving") == default_extractor("pushed") == "fashion"
    assert default_extractor("cifar10") == "inception"


@pytest.mark.parametrize("kind", [FASHION, EMOJI, WARDROBE])
def test_weights_are_those_of_the_record(kind: Kind) -> None:
    record, content = recorded(kind), kind.weights.read_bytes()
    assert len(content) < 400_000
    assert sha256(content).hexdigest() == record["sha256"] == make_extractor(kind.name).digest
    assert default_extractor(kind.dataset) == TRAINED[kind.dataset] == kind.name


@pytest.mark.parametrize(("kind", "least"), [(FASHION, 0.92), (EMOJI, 0.67)])
def test_a_classifier_is_what_its_record_says(kind: Kind, least: float) -> None:
    record = recorded(kind)
    test = open_dataset(kind.dataset, split="test")
    assert isinstance(test.x, Tensor) and test.y is not None
    assert len(test.classes) == kind.n_classes
    found = accuracy(load_classifier(kind, kind.weights.read_bytes()), test.x, test.y)
    assert found == pytest.approx(record["accuracy"], abs=3e-3)
    assert found >= least


def test_wardrobes_classifier_tells_what_covers_most() -> None:
    """On the first of the test canvases, a hundredth of all."""
    record, rows = recorded(WARDROBE), torch.arange(400)
    test = open_dataset("wardrobe", split="test")
    assert test.source is not None and test.classes == ("ground", *WARDROBE.classes)
    counts = [np.bincount(map_.flatten(), minlength=11)[1:] for map_ in test.source[rows][:, 0]]
    y = torch.tensor([int(count.argmax()) for count in counts])
    network = load_classifier(WARDROBE, WARDROBE.weights.read_bytes())
    found = accuracy(network, test.x[rows], y)
    assert found == pytest.approx(record["accuracy"], abs=0.07)  # three standard deviations


def test_distances_of_canvases_grow_with_blur() -> None:
    extractor = make_extractor("wardrobe")
    train, test = (open_dataset("wardrobe", split=split).x for split in ("train", "test"))
    evaluator = evaluation.Evaluator(extractor, {"train": train[torch.arange(400)]})
    x = test[torch.arange(300)]
    changed = [x, *(blurred(x, side) for side in (3, 7)), torch.zeros_like(x)]
    scores = [evaluator([images], ["fid"]).scores for images in changed]
    values = [score["FD-wardrobe300-train"].value for score in scores]
    assert values == sorted(values) and values[2] > 1.5 * values[0]


@pytest.mark.parametrize(
    ("kind", "digest", "side"),
    [
        (FASHION, "220e2a03c99c02a0d58a202355ceeb3778528ba803ddc65c713885203c76201c", 28),
        (EMOJI, "4845275e07acf1ea267781ee30b18b607eb77ee891012b176d59ad1aa71f9f78", 64),
        (WARDROBE, "bb202d6af70f50dd0a2be23872742eb05c16ec323dfe4887353ac58fa7e8694f", 64),
    ],
)
def test_what_protocols_say_of_a_classifier_never_changes(
    kind: Kind, digest: str, side: int
) -> None:
    """All scores that were ever stored would become incomparable."""
    extractor = make_extractor(kind.name)
    assert (extractor.name, extractor.digest) == (kind.name, digest)
    assert extractor.describe() == {
        "resize": f"bilinear, antialiased, to {side}x{side}",
        "precision": "float32",
    }
    assert (extractor.score_name, extractor.suffix) == (f"FD-{kind.name}", f"-{kind.name}")


def test_hashes_of_scores_in_fashion_are_those_of_earlier_versions(clothes: Tensor) -> None:
    test = open_dataset("fashion_mnist", split="test").x[torch.arange(300)]
    found = evaluation.score([test], {"train": clothes[:600]}, ("is", "fid", "kid"), "fashion")
    assert {name: score.protocol.hash for name, score in found.items()} == {
        "IS-fashion300": "eb9fc0801995",
        "FD-fashion300-train": "921a6cc526ba",
        "KD-fashion300-train": "dfcbf91261aa",
    }
    assert found["FD-fashion300-train"].value == pytest.approx(0.316999, rel=1e-3)


def test_fashion_takes_other_channels_and_sizes(clothes: Tensor) -> None:
    fashion, x = make_extractor("fashion"), clothes[:4]
    pool, logits = fashion(x)
    assert pool.shape == (4, 128) and logits is not None and logits.shape == (4, 10)
    assert pool.dtype == torch.float32
    assert torch.equal(fashion(x.repeat(1, 3, 1, 1)).pool, pool)
    larger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (fashion(larger).pool - pool).norm() / pool.norm() < 0.2


@pytest.mark.parametrize("kind", [EMOJI, WARDROBE])
def test_those_of_colours_take_other_channels_and_sizes(kind: Kind) -> None:
    extractor = make_extractor(kind.name)
    x = open_dataset(kind.dataset, split="test").x[torch.arange(4)]
    pool, logits = extractor(x)
    assert pool.shape == (4, 128) and logits is not None and logits.shape == (4, kind.n_classes)
    grey = x.float().mean(1, keepdim=True).to(torch.uint8)
    assert torch.equal(extractor(grey).pool, extractor(grey.repeat(1, 3, 1, 1)).pool)
    assert (extractor(grey).pool - pool).norm() / pool.norm() > 0.1, "colour must matter"
    larger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (extractor(larger).pool - pool).norm() / pool.norm() < 0.2


@pytest.mark.parametrize(
    ("name", "other"), [("fashion", EMOJI), ("emoji", WARDROBE), ("wardrobe", EMOJI)]
)
def test_other_weights_are_refused(name: str, other: Kind, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    file.write_bytes(b"something else")
    for path in (file, other.weights):
        with pytest.raises(UserError, match=f"does not hold the weights of the extractor '{name}'"):
            make_extractor(name, CPU, Options(weights=path))


@pytest.mark.parametrize("kind", [FASHION, EMOJI])
def test_other_arithmetic_is_stamped(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the layers written out, in float64."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    plain = make_extractor(kind.name)
    fast = make_extractor(kind.name, CPU, Options(precision="bf16"))
    assert plain.describe()["precision"] == "float32"
    assert fast.describe()["precision"] == "bf16, folded"
    assert isinstance(fast, Classified)
    assert {w.dtype for w in fast.network.parameters()} == {torch.bfloat16}
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.network.modules())
    random = torch.Generator().manual_seed(0)
    shape = (8, kind.channels, kind.side, kind.side)
    x = torch.randint(256, shape, dtype=torch.uint8, generator=random)
    network = load_classifier(kind, kind.weights.read_bytes())
    h, body = x.double() / 127.5 - 1, network.body
    for conv, norm in zip(body[::3], body[1::3], strict=True):
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        h = F.conv2d(h, conv.weight.double(), None, conv.stride, conv.padding)
        mean, var, gamma, beta = (
            v.double()[:, None, None]
            for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        h = ((h - mean) / (var + norm.eps).sqrt() * gamma + beta).relu()
    exact = h.mean((2, 3))
    whole = folded(network)(x)[0]  # before its weights are rounded
    for found, bound in ((plain(x).pool, 1e-6), (whole, 1e-6), (fast(x).pool, 1e-2)):
        assert found.dtype == torch.float32
        assert 0 < (found - exact).norm() / exact.norm() < bound


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_arithmetic_that_a_processor_has_not_is_refused(
    precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    with pytest.raises(UserError, match=f"--precision {precision} .* 'cpu' .* leave it out"):
        make_extractor("fashion", CPU, Options(precision=precision))


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

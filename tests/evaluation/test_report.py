"""What scores are stamped with."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.evaluation import Origin, Score, differences
from ganlib.evaluation.evaluate import Evaluator
from ganlib.evaluation.metrics.formulas import duplicates

# Scores on disk are compared by their hashes: these are of floats, as generators make them, and
# may only change where a score came out otherwise.
FROZEN = {
    "IS50": "5cb8cf3f8be7",
    "FID50-train": "0a2c994b24e7",
    "KID50-train": "030a075866a7",
    "precision50-train": "d732a22adf62",
    "recall50-train": "d732a22adf62",
    "density50-train": "25316f7e88a8",
    "coverage50-train": "25316f7e88a8",
}
DUPLICATES = ("duplicates50-train", "nearest-median50-train", "nearest-least50-train")

pytestmark = pytest.mark.filterwarnings("ignore:.* too few")


@pytest.fixture
def inception(plain: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Cheap features whose scores are called as Inception's are."""
    monkeypatch.setattr(type(plain), "score_name", "FID")
    monkeypatch.setattr(type(plain), "suffix", "")
    return plain


def pattern(n: int, step: int) -> Tensor:
    """uint8 (n, 1, 8, 8), the same for ever."""
    return (torch.arange(n * 64) * step % 251).to(torch.uint8).view(n, 1, 8, 8)


def scores(extractor: Any, **references: Tensor) -> dict[str, Score]:
    """Of the same 50 images, given as floats."""
    floats = pattern(50, 13) / 127.5 - 1
    origin = Origin("ema", "running", None, 3)
    return Evaluator(extractor, references)([floats], origin=origin).scores


def hashes(found: dict[str, Score]) -> dict[str, str]:
    return {name: score.protocol.hash for name, score in found.items()}


def test_the_hashes_are_frozen(inception: Any) -> None:
    both = hashes(scores(inception, train=pattern(60, 7), test=pattern(40, 11)))
    assert {name: key for name, key in both.items() if name not in DUPLICATES} == {
        **FROZEN,
        "FID50-test": "c6a4274dfb40",
    }
    train = hashes(scores(inception, train=pattern(60, 7)))
    assert train == FROZEN | dict.fromkeys(DUPLICATES, "396680805e72")


def test_what_depends_on_the_test_images_is_stamped_with_them(inception: Any) -> None:
    train, more = pattern(60, 7), pattern(41, 11)
    a = scores(inception, train=train, test=more[:40])
    for other in (more, pattern(40, 17)):
        b = scores(inception, train=train, test=other)
        for name in a:
            fields = {
                line.partition(":")[0] for line in differences(a[name].protocol, b[name].protocol)
            }
            if name in DUPLICATES:
                assert fields == {"unseen_digest"} | ({"n_unseen"} if len(other) == 41 else set())
            elif not name.endswith("-test"):
                assert fields == set() and a[name].value == b[name].value


def test_each_value_of_duplicates_depends_on_the_unseen_images() -> None:
    samples = torch.linspace(1, 2, 50).double()
    a, b = (duplicates(samples, unseen) for unseen in (samples + 0.5, samples + 0.7))
    assert all(x != y for x, y in zip(a, b, strict=True))

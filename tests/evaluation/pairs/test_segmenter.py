"""pairs/segmenter.py: counts against a loop, scikit-learn's formulas by hand, and a network that
learns, once.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.evaluation import Origin
from ganlib.evaluation.pairs import segmenter
from ganlib.evaluation.pairs.segmenter import (
    NONE,
    Confusion,
    Segmenter,
    SegmentingNet,
    load_segmenter,
    named,
    trained,
)
from ganlib.evaluation.pairs.sums import segmentation_scores
from ganlib.evaluation.protocol import Split
from ganlib.pix2pixhd import CLASSES
from ganlib.pix2pixhd import example as blocks


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path))


class Known(Segmenter):
    """Finds what it was told to."""

    def __init__(self, classes: str, answers: Tensor) -> None:
        super().__init__(SegmentingNet(1, len(classes)), tuple(classes), "")
        self.__dict__["answers"] = answers

    def __call__(self, x: Tensor) -> Tensor:
        found: Tensor = self.__dict__["answers"][: len(x)]
        return found


def test_the_scores_by_a_loop() -> None:
    """Of four classes, of which one is neither there nor found, and pixels of none."""
    random = np.random.default_rng(0)
    truth = random.choice([0, 1, 3, 7], (5, 6, 4))  # 7 has no name, 2 never comes
    found = random.choice([0, 1, 3], (5, 6, 4))
    confusion = Confusion(Known("abcd", torch.from_numpy(found)))
    confusion.add(torch.zeros(5, 1, 6, 4, dtype=torch.uint8), torch.from_numpy(truth).int())
    right = total = 0
    both, either = np.zeros(4), np.zeros(4)
    for t, f in zip(truth.flat, found.flat, strict=True):
        if t == 7:
            continue
        right, total = right + (t == f), total + 1
        for c in range(4):
            both[c] += t == c and f == c
            either[c] += t == c or f == c
    assert confusion.n == 5 and confusion.pixel_accuracy == pytest.approx(right / total)
    expected = {"abcd"[c]: both[c] / either[c] for c in (0, 1, 3)}
    assert confusion.mean_iou == pytest.approx(np.mean(list(expected.values())))
    as_fcn = np.mean([*expected.values(), 0])  # which counts what never comes
    assert confusion.mean_iou == pytest.approx(4 / 3 * as_fcn)
    assert list(confusion.scores()) == ["pixel_accuracy", "mean_iou"]
    by_class = confusion.by_class()
    assert {name: row["value"] for name, row in by_class.items()} == pytest.approx(expected)
    assert [row["n"] for row in by_class.values()] == [int((truth == c).sum()) for c in (0, 1, 3)]


def test_maps_that_name_no_class_have_no_scores() -> None:
    confusion = Confusion(Known("ab", torch.zeros(3, 4, 4, dtype=torch.int64)))
    confusion.add(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.full((3, 4, 4), 9).int())
    assert confusion.n == 3 and confusion.scores() == {} == confusion.by_class()
    with pytest.warns(UserWarning, match="pixel_accuracy and mean_iou: the maps name no"):
        assert segmentation_scores(confusion, confusion, Split("test", 3, ""), Origin()) == {}


def test_classes_without_a_name() -> None:
    assert named(torch.tensor([0, 2, 3, 255, -1]), 3).tolist() == [0, 2, NONE, NONE, NONE]


@pytest.mark.parametrize("size", [(16, 16), (13, 22), (5, 8)])
def test_every_size_is_taken(size: tuple[int, int]) -> None:
    network = SegmentingNet(3, 5).eval()
    x = torch.randint(256, (2, 3, *size), dtype=torch.uint8)
    assert network(x).shape == (2, 5, *size)


def test_it_learns_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Greys that tell the class; the second time it is read, of other data another is trained."""
    monkeypatch.setattr(segmenter, "STEPS", 30)
    monkeypatch.setitem(trained.__globals__, "STEPS", 30)
    told: list[tuple[str, int, int | None]] = []
    data = blocks(3, 16)
    whole = trained(data.x[torch.arange(32)], maps_of(data), 3, steps=30)
    network = SegmentingNet(3, 3)
    network.load_state_dict(whole)
    found = Segmenter(network.eval(), CLASSES, "")(data.x[torch.arange(32)])
    assert float((found == maps_of(data)).double().mean()) > 0.8

    calls: list[Any] = []
    real = segmenter.trained

    def watch(*args: Any) -> Any:
        calls.append(args)
        return real(*args, steps=3)

    monkeypatch.setattr(segmenter, "trained", watch)
    first = load_segmenter(data, progress=lambda *what: told.append(what))
    second = load_segmenter(data)
    assert len(calls) == 1 and first.digest == second.digest
    assert told == [("images for the segmenter", 32, 32), *(("segmenter", k, 3) for k in (1, 2, 3))]
    x = data.x[torch.arange(4)]
    assert torch.equal(first(x), second(x)) and first(x).shape == (4, 16, 16)
    load_segmenter(blocks(1, 16))
    assert len(calls) == 2


def maps_of(data: DataSet) -> Tensor:
    assert data.source is not None
    return data.source[torch.arange(len(data))][:, 0]


def test_a_training_is_a_function_of_its_arguments() -> None:
    data = blocks(1, 16)
    x, maps = data.x[torch.arange(32)], maps_of(data)
    first = trained(x, maps, 3, steps=2)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    second = trained(x, maps, 3, steps=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(t, second[name]) for name, t in first.items())
    other = trained(x, maps, 3, steps=2, seed=1)
    assert not torch.equal(first["last.weight"], other["last.weight"])


def test_data_without_maps_are_a_sentence() -> None:
    data = blocks(1, 16)
    with pytest.raises(UserError, match="have none: leave --segmentation out"):
        load_segmenter(DataSet("toy", data.x))
    small = DataSet(
        "small", data.x[..., ::2, ::2], source=data.source, classes=CLASSES, source_kind="ids"
    )
    with pytest.raises(UserError, match="as large as their images"):
        load_segmenter(small)

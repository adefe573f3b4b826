"""The labels of canvases."""

import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.evaluation.extractors.wardrobe import WARDROBE
from scripts import train_wardrobe_classifier
from scripts.train_wardrobe_classifier import canvases, most_covered


def test_the_class_that_covers_most_and_never_the_ground() -> None:
    maps = torch.randint(5, (50, 6, 8), generator=generator(0, "maps"))
    maps[:, :3] = 0
    counts = [np.bincount(one.flatten(), minlength=5)[1:] for one in maps]
    found = most_covered(maps, 4)
    assert found.tolist() == [int(count.argmax()) for count in counts]
    assert len(found.unique()) == 4


def test_all_canvases_have_their_own_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they are read in parts."""
    y = torch.arange(12) % 10
    x = torch.arange(12, dtype=torch.uint8)[:, None, None, None].expand(12, 3, 4, 4)
    maps = torch.zeros(12, 2, 4, 4, dtype=torch.int32)
    maps[:, 0, 0, 1:3] = (y[:, None] + 1).int()
    maps[:, 1] = 7  # numbers of items, which say nothing

    def open_maps(name: str, split: str) -> DataSet:
        assert (name, split) == ("wardrobe", "test")
        return DataSet(name, x, source=maps, source_kind="ids")

    monkeypatch.setattr(train_wardrobe_classifier, "open_dataset", open_maps)
    monkeypatch.setattr(train_wardrobe_classifier, "AT_ONCE", 5)
    images, labels = canvases(WARDROBE, "test")
    assert torch.equal(images, x) and torch.equal(labels, y)

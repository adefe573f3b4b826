"""The way back: images and sources exchanged, in what is told of data and in the data."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.errors import UserError


def pairs(side: int = 6, source_side: int = 6, n_sources: int = 5) -> DataSet:
    random = torch.Generator().manual_seed(0)
    x = torch.randint(256, (8, 3, side, side), generator=random).byte()
    source = torch.randint(256, (n_sources, 1, source_side, source_side), generator=random).byte()
    return DataSet("set", x, torch.arange(8) % 2, source, ("a", "b"), {"sources": "grey"})


@pytest.mark.parametrize(("size", "fit"), [(6, "none"), (7, "pad"), (16, "resize")])
def test_the_networks_see_the_other_set_as_its_sources_were_seen(size: int, fit: str) -> None:
    data = pairs()
    spec, back = fit_spec(data, (size, size)), fit_spec(data, (size, size)).turned()
    assert (back.image, back.native, back.source) == ((1, size, size), (1, 6, 6), (3, size, size))
    assert back.fit == fit and (back.n_classes, back.classes, back.marginal) == (0, (), ())
    assert isinstance(data.source, Tensor) and isinstance(data.x, Tensor)
    assert torch.equal(back.to_image(data.source), spec.to_source(data.source))
    assert torch.equal(back.to_source(data.x), spec.to_image(data.x))
    y = torch.rand(2, 1, size, size)
    assert back.to_native(y).shape == (2, 1, 6, 6)
    again = back.turned()
    assert (again.image, again.native, again.source) == (spec.image, spec.native, spec.source)


def test_frames_are_exchanged_too() -> None:
    data = DataSet(
        "film", torch.zeros(2, 6, 4, 4).byte(), source=torch.zeros(2, 3, 4, 4).byte(), frames=2
    )
    for turned in (data.turned(), fit_spec(data, (4, 4)).turned()):
        assert (turned.frames, turned.source_frames) == (1, 2)


def test_data_say_that_they_are_turned() -> None:
    data = pairs(n_sources=8)
    back = data.turned()
    assert back.x is data.source and back.source is data.x and len(back) == 8
    assert back.y is None and back.classes == ()
    assert back.provenance == {"sources": "back from set to grey"} and back.paired


def test_sets_that_are_no_pairs_are_none_on_the_way_back() -> None:
    longer = pairs(n_sources=5)
    alike = replace(pairs(n_sources=8), pairs=False)
    assert not longer.turned().paired and not alike.turned().paired


def test_a_loader_gives_images_as_sources() -> None:
    data = pairs()
    loader = Loader(data, fit_spec(data, (8, 8)), 2, 0, condition="unpaired", jitter=2)
    back = loader.turned()
    assert (loader.n_sources, back.n_sources) == (5, 8)
    y = back.condition_at(torch.tensor([7, 0]))
    x = fit_spec(data, (8, 8)).to_image(data.x[torch.tensor([7, 0])]) / 127.5 - 1
    assert y is not None
    torch.testing.assert_close(y, x)
    assert torch.equal(
        loader.condition_at(torch.tensor([1])), back.turned().condition_at(torch.tensor([1]))
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pairs(source_side=3), "Images of 6x6 and sources of 3x3 must be of one size"),
        (DataSet("ids", torch.zeros(1, 1, 4, 4).byte(), source=torch.zeros(1, 2, 4, 4).int(),
                 source_kind="ids"), "no way back to maps of classes"),
        (DataSet("wide", torch.zeros(1, 1, 4, 6).byte(), source=torch.zeros(1, 1, 3, 5).byte()),
         "Images of 6x4 and sources of 5x3 must be of one size"),
        (DataSet("none", torch.zeros(1, 1, 4, 4).byte()), "where there are no sources"),
    ],
)  # fmt: skip
def test_where_there_is_no_way_back(data: DataSet, words: str) -> None:
    for turn in (data.turned, fit_spec(data, data.shape[1:]).turned):
        with pytest.raises(UserError, match=words):
            turn()

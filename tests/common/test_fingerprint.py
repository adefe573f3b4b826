"""The same data are known anywhere, and other data by what differs."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.fingerprint import SPREAD, changes, fingerprint
from ganlib.common.hdf5 import Hdf5Images, write_hdf5

Make = Callable[..., DataSet]


def test_the_fingerprint_is_of_the_content(toy_data: Make, tmp_path: Path) -> None:
    data = toy_data(n=300)
    write_hdf5(tmp_path / "toy.h5", data)
    lazy = replace(
        data, name="elsewhere", x=Hdf5Images(tmp_path / "toy.h5", "train/images", data.x.shape)
    )
    assert changes(fingerprint(data), fingerprint(lazy)) == ""


def test_the_digest_by_hand(toy_data: Make) -> None:
    data = toy_data(n=3)
    assert isinstance(data.x, torch.Tensor)
    by_hand = sha256(b"torch.uint8 (3, 1, 28, 28)" + data.x.numpy().tobytes()).hexdigest()
    assert fingerprint(data)["images"] == by_hand


def test_sources_of_another_length_and_kind_are_known_too(toy_data: Make) -> None:
    data = toy_data(n=20)
    ids = torch.arange(40 * 2 * 4, dtype=torch.int32).reshape(40, 2, 2, 2)
    by_hand = sha256(b"torch.int32 (40, 2, 2, 2) of 40" + ids.numpy().tobytes()).hexdigest()
    then = fingerprint(replace(data, source=ids))
    assert then["sources"] == by_hand
    many = torch.zeros(SPREAD + 1, 1, 2, 2, dtype=torch.uint8)
    prints = {
        fingerprint(replace(data, source=source))["sources"]
        for source in (ids, ids[:20], ids.to(torch.uint8), many, many[:-1], many.repeat(2, 1, 1, 1))
    }
    assert len(prints) == 6


@pytest.mark.parametrize("n", [1, 2, SPREAD, SPREAD + 1, 100_000])
def test_the_first_and_the_last_image_are_looked_at(n: int) -> None:
    seen: list[torch.Tensor] = []

    class Watched:
        shape = (n, 1, 1, 1)

        def __len__(self) -> int:
            return n

        def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
            seen.append(index)
            return torch.zeros(len(index), 1, 1, 1, dtype=torch.uint8)

    fingerprint(DataSet("watched", Watched()))
    (index,) = seen
    assert index[0] == 0 and index[-1] == n - 1 and len(index) == min(n, SPREAD)
    assert (index.diff() >= 1).all() and (n == 1 or index.diff().max() <= n / (SPREAD - 1) + 1)


def test_what_differs_is_named(toy_data: Make) -> None:
    data = toy_data()
    then = fingerprint(data)
    assert data.y is not None and isinstance(data.x, torch.Tensor)
    cases: list[tuple[DataSet, str]] = [
        (toy_data(n=20), "count was 32 and is now 20"),
        (toy_data(channels=3), "shape was [1, 28, 28] and is now [3, 28, 28]"),
        (replace(data, x=data.x.flip(0)), "other images"),
        (replace(data, y=data.y.flip(0)), "other labels"),
        (replace(data, y=None), "other labels"),
        (replace(data, source=data.x), "other sources"),
        (replace(data, x=255 - data.x, y=None), "other images, other labels"),
    ]
    for other, words in cases:
        assert changes(then, fingerprint(other)) == words

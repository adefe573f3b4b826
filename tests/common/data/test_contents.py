"""What is known of a split beside its images."""

from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.data.condition import check_condition
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5

X = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)


def test_words_of_the_provenance_decide_nothing() -> None:
    words = {"sources": "unpaired, other", "mirrored": "never", "actions": "7"}
    data = DataSet("set", X, source=X, provenance=words)
    assert data.paired and data.actions is None
    check_condition(data, "images", flip=True)
    with pytest.raises(UserError, match="--flip would mirror the pictures of 'set'"):
        check_condition(replace(data, flips=False), "images", flip=True)
    with pytest.raises(UserError, match="has 3 images and 3 sources, which are no pairs"):
        check_condition(replace(data, pairs=False), "images")
    assert not replace(data, pairs=False).paired and not replace(data, pairs=False).turned().paired


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            DataSet("moves", X, source=X, flips=False, actions=2),
            {"mirrored": "never: pushes would stay as they are", "actions": "2"},
        ),
        (
            DataSet(
                "maps", X, source=torch.zeros(3, 2, 8, 8, dtype=torch.int32), classes=("sky",),
                source_kind="ids", instances=False,
            ),
            {"instances": "none"},
        ),
        (
            DataSet("sets", X, source=X, provenance={"sources": "unpaired, other"}, pairs=False),
            {"sources": "unpaired, other"},
        ),
    ],
)  # fmt: skip
def test_files_have_it_in_the_words_that_they_always_had(
    data: DataSet, words: dict[str, str], tmp_path: Path
) -> None:
    write_hdf5(tmp_path / "a.h5", data)
    with h5py.File(tmp_path / "a.h5") as file:
        assert dict(file["provenance"].attrs) == words
    assert read_hdf5(tmp_path / "a.h5", "train").contents() == data.contents()

"""Two sets of images of which no two belong together."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5, write_streams
from ganlib.common.query import DataQuery, open_dataset


@pytest.fixture
def sets(tmp_path: Path) -> tuple[str, str]:
    """Five images in colour, and seven hundred grey ones in a file."""
    for i in range(5):
        path = tmp_path / "photos" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 40 * i, np.uint8)).save(path)
    x = torch.arange(700)[:, None, None, None].expand(-1, 1, 8, 8) % 256
    write_hdf5(tmp_path / "grey.h5", DataSet("grey", x.byte()))
    return str(tmp_path / "photos"), str(tmp_path / "grey.h5")


@pytest.mark.parametrize("swapped", [False, True])
def test_the_second_set_is_the_source_in_memory_and_in_a_file(
    swapped: bool, sets: tuple[str, str], tmp_path: Path
) -> None:
    name, other = sets[::-1] if swapped else sets
    data, file = open_dataset(name, source=f"unpaired:{other}"), tmp_path / "both.h5"
    write_streams(file, DataQuery(name, source=f"unpaired:{other}").stream())
    wanted = open_dataset(other).x
    for one in (data, open_dataset(str(file))):
        assert isinstance(one.x, Tensor) and isinstance(one.source, Tensor)
        assert isinstance(wanted, Tensor) and torch.equal(one.source, wanted)
        assert torch.equal(one.x, open_dataset(name).x[torch.arange(len(one))])
        assert one.provenance["sources"].startswith("unpaired, ")


def test_size_and_crop_are_of_both(sets: tuple[str, str]) -> None:
    data = open_dataset(sets[0], size=12, crop=10, source=f"unpaired:{sets[1]}")
    assert data.source is not None
    assert (data.x.shape, data.source.shape) == ((5, 3, 10, 10), (700, 1, 10, 10))
    given = DataSet("given", torch.zeros(3, 3, 16, 16, dtype=torch.uint8))
    both = DataQuery(size=12, source=f"unpaired:{sets[0]}", memory=given).open()
    assert both.source is not None and both.source.shape == (5, 3, 12, 12)
    with pytest.raises(UserError, match="^'given' is no folder of files"):
        DataQuery(source="left", memory=given).open()


def test_a_subset_is_of_each_set_as_far_as_it_goes(sets: tuple[str, str]) -> None:
    data = DataQuery(sets[1], size=8, source=f"unpaired:{sets[0]}", subset=6).open()
    assert len(data) == 6 and data.source is not None and len(data.source) == 5
    alone = DataQuery(sets[1], size=8, subset=6).open()
    assert torch.equal(data.x[torch.arange(6)], alone.x[torch.arange(6)])

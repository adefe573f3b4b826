"""Checksums of images, sources and labels in our HDF5 files."""

from pathlib import Path
from zlib import crc32

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ganlib.commands.data import command
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5 import check_hdf5, read_hdf5
from ganlib.common.formats.hdf5_writing import Storage, write_streams
from ganlib.common.formats.stream import as_stream

N = 600
random = np.random.default_rng(0)
X = torch.from_numpy(random.integers(0, 256, (N, 3, 8, 8), dtype=np.uint8))
IDS = torch.from_numpy(random.integers(0, 2**16, (N, 2, 4, 4), dtype=np.int32))
DATA = DataSet("noise", X, torch.arange(N) % 3, IDS, source_kind="ids")


def written(folder: Path, storage: Storage = "contiguous") -> Path:
    write_streams(folder / "set.h5", as_stream(DATA), storage=storage, sides=(4, 2))
    return folder / "set.h5"


def flip(path: Path, key: str, place: int) -> None:
    """Change a byte of a dataset in the file, as a disk does."""
    with h5py.File(path) as file:
        dataset = file[key]
        if dataset.chunks is None:
            offset = dataset.id.get_offset()
        else:
            offset = dataset.id.get_chunk_info(0).byte_offset
    with path.open("rb+") as raw:
        raw.seek(offset + place)
        (byte,) = raw.read(1)
        raw.seek(offset + place)
        raw.write(bytes([byte ^ 1]))


def checked(path: Path) -> str:
    """What `ganlib data info --check` prints; UserError as it raises it."""
    result = CliRunner().invoke(command, ["info", str(path), "--check"])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_they_are_crc_32_of_the_bytes_in_the_file(tmp_path: Path) -> None:
    with h5py.File(written(tmp_path)) as file:
        for key, values in (("images", X.numpy()), ("source", IDS.numpy().astype("<u2"))):
            found = file[f"train/crc32/{key}"][()]
            assert found.tolist() == [crc32(row.tobytes()) for row in values]
        assert file["train/crc32/labels"][1] == crc32(b"\1" + bytes(7))
        for side in (4, 2):
            smaller = file[f"train/smaller/{side}"][()]
            found = file[f"train/crc32/smaller/{side}"][()]
            assert found.tolist() == [crc32(row.tobytes()) for row in smaller]


@pytest.mark.parametrize("storage", ["contiguous", "lzf", "gzip"])
def test_whole_files_pass(storage: Storage, tmp_path: Path) -> None:
    path = written(tmp_path, storage)
    keys = ("images", "source", "labels", "smaller/2", "smaller/4")
    lines = [f"/train/{key}: {N}, all as they were written" for key in keys]
    assert checked(path).splitlines()[: len(keys)] == lines
    assert torch.equal(read_hdf5(path, "train").x, X)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", random.integers(0, X.numel(), 15).tolist())
def test_one_changed_pixel_is_noticed(place: int, tmp_path: Path) -> None:
    path = written(tmp_path)
    flip(path, "train/images", place)
    sentence = rf"of /train/images, 1 are not as they were written \(number {place // 192}\)"
    with pytest.raises(UserError, match=sentence):
        read_hdf5(path, "train")
    with pytest.raises(UserError, match=sentence):
        checked(path)


@pytest.mark.parametrize("storage", ["contiguous", "lzf"])
@pytest.mark.parametrize("key", ["images", "source", "labels", "smaller/4"])
def test_so_are_sources_labels_and_packed_images(
    storage: Storage, key: str, tmp_path: Path
) -> None:
    path = written(tmp_path, storage)
    flip(path, f"train/{key}", 8)
    with pytest.raises(UserError, match="set.h5 is damaged: of /train/|must lie in"):
        checked(path)
        read_hdf5(path, "train").smaller[4].at_once()  # type: ignore[attr-defined]


def test_of_a_large_file_some_are_looked_at_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    path = written(tmp_path)
    flip(path, "train/images", 192)  # of number 1, which is none of 256 out of 600
    assert len(read_hdf5(path, "train")) == N
    with pytest.raises(UserError, match=r"1 are not as they were written \(number 1\)"):
        checked(path)
    flip(path, "train/images", 0)
    with pytest.raises(UserError, match=r"1 are not as they were written \(number 0\)"):
        read_hdf5(path, "train")


def test_files_without_any_still_open(tmp_path: Path) -> None:
    path = written(tmp_path)
    flip(path, "train/images", 0)
    with h5py.File(path, "r+") as file:
        del file["train/crc32"]
    assert len(read_hdf5(path, "train")) == N
    assert next(check_hdf5(path)) == "/train/images: no checksums"


def test_checksums_that_are_none(tmp_path: Path) -> None:
    path = written(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["train/crc32/images"]
        file["train/crc32/images"] = np.zeros(N - 1, np.uint32)
    with pytest.raises(UserError, match="crc32/images must be uint32"):
        read_hdf5(path, "train")
    with pytest.raises(UserError, match="--check is for an .h5 file, and emoji is none"):
        CliRunner().invoke(command, ["info", "emoji", "--check"], catch_exceptions=False)

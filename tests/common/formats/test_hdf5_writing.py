"""A full disk under an HDF5 file."""

import errno
import io
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ganlib.common.formats.hdf5_writing import Disk, hdf5_writer


class Short(io.FileIO):
    """Takes at most 5 bytes at once and 12 in all."""

    def write(self, data: Any) -> int:
        taken = bytes(data)[: min(5, 12 - self.tell())]
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(taken)

    def truncate(self, size: int | None = None) -> int:
        raise OSError(errno.EFBIG, "File too large")


class ShortDisk(Disk, Short):
    """On a disk of 12 bytes."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[ShortDisk]:
    (tmp_path / "a").touch()
    with ShortDisk(tmp_path / "a") as disk:
        yield disk


def read(disk: Disk, n: int) -> bytes:
    """As HDF5 does."""
    found = bytearray(n)
    assert disk.readinto(found) == n
    return bytes(found)


def test_all_is_written_in_as_many_parts_as_it_takes(disk: Disk, tmp_path: Path) -> None:
    assert disk.write(b"0123456789ab") == 12
    assert (tmp_path / "a").read_bytes() == b"0123456789ab"
    assert disk.error is None
    disk.seek(2)
    assert read(disk, 3) == b"234" and disk.tell() == 5
    assert read(disk, 9) == b"56789ab\0\0"


def test_after_an_error_what_is_written_can_be_read_again(disk: Disk, tmp_path: Path) -> None:
    assert disk.write(b"0123456789abcdef") == 16
    assert disk.truncate(3) == 3
    disk.seek(1)
    assert disk.write(b"xyz") == 3 and disk.tell() == 4
    assert (tmp_path / "a").read_bytes() == b"0123456789ab"
    disk.seek(0)
    assert read(disk, 18) == b"0xyz456789abcdef\0\0"
    disk.seek(13)
    assert read(disk, 2) == b"de"
    assert disk.error is not None and disk.error.strerror == "No space left on device"


def test_an_error_is_raised_at_once_and_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="too large"), hdf5_writer(path) as (file, call):
            call(file.create_dataset, "x", (9_000,), "uint8", np.ones(9_000, np.uint8))
            call(file.create_dataset, "y", (9_000,), "uint8", np.ones(9_000, np.uint8))
            raise AssertionError("went on")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not file and path.stat().st_size == 10_000


def test_the_main_thread_never_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, threads = tmp_path / "a.h5", set()
    path.touch()
    write = Disk.write

    def note(self: Disk, data: Any) -> int:
        threads.add(threading.current_thread())
        return write(self, data)

    monkeypatch.setattr(Disk, "write", note)
    with hdf5_writer(path) as (file, call):
        call(file.create_dataset, "x", (1000,), "uint8", np.arange(1000, dtype=np.uint8))
    assert len(threads) == 1 and threading.main_thread() not in threads
    with h5py.File(path) as file:
        assert file["x"][999] == 999 % 256

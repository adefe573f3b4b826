"""HDF5 files written so that a full disk is an error like any other.

The HDF5 library crashes at the end of the process if something that it holds could not be written.
It is therefore given a file that never fails, and whose first error is asked for.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import h5py

Call: TypeAlias = Callable[..., Any]


class Disk:
    """An open, unbuffered file as h5py wants it, without errors.

    After the first error what is written is kept in memory, for HDF5 may ask for it again.
    """

    def __init__(self, file: Any) -> None:
        self._file, self._at = file, 0
        self._error: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the OSError for which something was not written, if there is one."""
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """All of `data`; its length."""
        start, rest = self._at, memoryview(data).cast("B")
        self._at += len(rest)
        while rest and self._error is None:
            with self._noting():
                self._file.seek(self._at - len(rest))
                rest = rest[self._file.write(rest) :]
        if rest:
            self._kept.append((self._at - len(rest), bytes(rest)))
        return self._at - start

    def readinto(self, buffer: Any) -> int:
        """Bytes from here on, zeros behind the end; how many."""
        view = memoryview(buffer).cast("B")
        with self._noting():
            self._file.seek(self._at)
            n = self._file.readinto(view)
            view[n:] = bytes(len(view) - n)
        for place, data in self._kept:
            first, last = max(place, self._at), min(place + len(data), self._at + len(view))
            if first < last:
                view[first - self._at : last - self._at] = data[first - place : last - place]
        self._at += len(view)
        return len(view)

    def read(self, size: int) -> bytes:
        """So many bytes from here on."""
        buffer = bytearray(size)
        self.readinto(buffer)
        return bytes(buffer)

    def truncate(self, size: int) -> int:
        """`size`, to which the file is cut or made longer."""
        with self._noting():
            self._file.truncate(size)
        return size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the place of what comes next, in bytes."""
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        """The place of what comes next, in bytes."""
        return self._at

    def flush(self) -> None:
        """Nothing: no byte is held back."""

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._error = self._error or error


@contextmanager
def hdf5_writer(path: Path) -> Iterator[tuple[Any, Call]]:
    """A new HDF5 file in place of `path`, and a function that does all calls for it.

    call(function, *arguments) is the function's result; OSError if the disk did not take what was
    written. It runs in a thread of its own: Ctrl-C reaches the main thread alone, where it would be
    an error in the middle of a write.
    """
    with path.open("rb+", buffering=0) as raw, ThreadPoolExecutor(1) as thread:
        disk = Disk(raw)

        def call(function: Callable[..., Any], *arguments: Any) -> Any:
            try:
                return thread.submit(function, *arguments).result()
            finally:
                disk.check()

        file = thread.submit(h5py.File, disk, "w").result()
        try:
            yield file, call
        finally:
            call(file.close)

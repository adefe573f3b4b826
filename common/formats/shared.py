"""Decoded data that the processes of a machine share: the first that needs them decodes and keeps
them; it and all others map that file into memory, which the system then has once.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from hashlib import sha256
from math import inf
from pathlib import Path
from shutil import disk_usage
from typing import Any

import PIL
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import REMARKS
from ganlib.common.formats.folders import files
from ganlib.common.io.cache import cache_folder, locked
from ganlib.common.io.console import note
from ganlib.common.io.files import atomic, remove_torn

VERSION = 2  # of what is kept: raised where the same files are decoded otherwise
WORTH = 1.0  # seconds; what takes less is decoded by everybody
UNUSED = 30 * 24 * 3600  # seconds after which what nobody asked for makes room
FILE = "data.safetensors"
PARTS = ("x", "y", "source")


def shared_data(
    facts: Mapping[str, Any], places: Sequence[Path], load: Callable[[], DataSet]
) -> DataSet:
    """load(), or what it gave on this machine before, with its remarks, if no file has changed.

    places: the files and folders that it reads; facts: plain values that say what of them, and how.
    What is no tensor is not kept, nor what took less than WORTH seconds or leaves the disk no room.
    """
    try:
        places, home = [place.resolve() for place in places], cache_folder()
    except (OSError, RuntimeError, ValueError, UserError):
        # of names that are none, for which load() has the words; of a user without a home folder
        return load()
    told = {
        "version": VERSION,
        "pillow": PIL.__version__,
        "fields": [one.name for one in fields(DataSet)],
        "places": [*map(str, places)],
        **facts,
    }
    key = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
    path = home / "decoded" / key / FILE
    kept = _read(path, _stamp(places))
    if kept is None:
        with locked(path, f"Another process is decoding {places[0]}: this one waits for it."):
            stamp = _stamp(places)
            kept = _read(path, stamp)
            if kept is None:
                return _made(path, places, stamp, load)
    data, remarks = kept
    for line in remarks:
        note(line)
    return data


def _made(path: Path, places: Sequence[Path], before: str, load: Callable[[], DataSet]) -> DataSet:
    """load(), from the file that is then at `path`, unless it is not kept."""
    start, n = time.monotonic(), len(REMARKS)
    data, kept = load(), None
    stamp = _stamp(places)
    if time.monotonic() - start >= WORTH and before in ("", stamp):  # "": it has downloaded them
        with suppress(OSError, SafetensorError):  # which costs time, no run
            _write(path, data, REMARKS[n:], stamp)
            kept = _read(path, stamp)
    return data if kept is None else kept[0]


def _write(path: Path, data: DataSet, remarks: Sequence[str], stamp: str) -> None:
    parts = {name: part for name in PARTS if (part := getattr(data, name)) is not None}
    whole = all(isinstance(part, Tensor) for part in parts.values())
    remove_torn(path.parent)  # of this file alone, and under its lock
    for other in path.parent.parent.glob(f"*/{FILE}"):
        if time.time() - other.stat().st_mtime > UNUSED:
            other.unlink()
    nbytes = sum(part.nbytes for part in parts.values()) if whole else inf
    if nbytes < disk_usage(path.parent).free / 2:
        told = {"name": data.name, "classes": data.classes, "provenance": {**data.provenance}}
        with atomic(path) as temporary:
            words = {"stamp": stamp, "remarks": remarks, "data": told | data.contents()}
            save_file(parts, temporary, {"told": json.dumps(words)})


def _read(path: Path, stamp: str) -> tuple[DataSet, list[str]] | None:
    """The data and remarks of a file, None if it is not there or not of files of this stamp."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})["told"])
            if told["stamp"] != stamp:
                return None
            parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    with suppress(OSError):
        os.utime(path)
    rest: dict[str, Any] = told["data"]
    lists = {name: tuple(value) for name, value in rest.items() if isinstance(value, list)}
    return DataSet(**parts, **rest | lists), told["remarks"]


def _stamp(places: Sequence[Path]) -> str:
    """Of the names, sizes and times of all files in these places; "" where there are none."""
    digest, found = sha256(), False
    for path in (path for place in places for path in files(place)):
        with suppress(OSError):
            now = path.stat()
            about = f" {now.st_size} {now.st_mtime_ns} {now.st_ctime_ns}\0"
            digest.update(os.fsencode(path) + about.encode())
            found = True
    return digest.hexdigest() if found else ""

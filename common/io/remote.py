"""Folders and files of object stores and web servers, by fsspec: a machine has one copy of each,
which is held against what lies there whenever it is asked for.
"""

import errno
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from shutil import disk_usage
from threading import Lock
from typing import Any, NamedTuple

from ganlib.common.errors import UserError, did_you_mean, one_line
from ganlib.common.io.cache import cache_folder, locked
from ganlib.common.io.console import progress
from ganlib.common.io.files import (
    as_user_error,
    atomic,
    expand,
    nameable,
    remove_torn,
    write_text,
    writing,
)
from ganlib.common.io.jsonl import append_line, read_lines
from ganlib.common.io.memory import GIB

FRESH = 60.0  # seconds within which a process does not look again
AT_ONCE = 16  # objects that are on their way
VERSION = "ETag etag md5Hash generation size mtime created updated LastModified Last-Modified"
"""What stores say of an object, some of it, that is another once the object is."""
COMMON = ("abfs", "ftp", "gs", "hf", "http", "https", "s3", "sftp")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
OBJECTS = "objects.jsonl"
"""In the folder of a copy what has come, an object a line."""
LINE = {"name": lambda name: isinstance(name, str), "version": lambda of: isinstance(of, list)}
_seen: dict[str, tuple[float, Path]] = {}


class Object(NamedTuple):
    """Where it lies, of how many bytes it is if that is known, and what tells it from others."""

    path: str
    size: int | None
    version: list[str]


def place_of(name: str) -> Path:
    """Where the folder or file called `name` is: of an address, PROTOCOL://..., the copy on this
    machine, which is as the original is now; of a path that path itself.

    UserError if there is nothing, or it cannot be had; what came by then is not fetched again.
    """
    if "://" not in name:
        return expand(name)
    when, place = _seen.get(name, (-FRESH, Path()))
    if time.monotonic() - when > FRESH or not place.exists():
        folder = cache_folder() / "remote" / sha256(name.encode()).hexdigest()[:32]
        place = folder / (PurePosixPath(name).name or "data")
        with locked(folder, f"Another process is fetching {name}: this one waits for it."):
            _update(name, place)
        _seen[name] = time.monotonic(), place
    return place


def _update(address: str, place: Path) -> None:
    """Fetch what has changed, and remove what is gone."""
    folder, done, alone = place.parent, 0, Lock()
    there: dict[str, Object] = {}

    def words(error: Exception) -> str:
        if isinstance(error, OSError) and error.errno in FULL:
            return f"{folder} cannot be written: {error.strerror}."
        more = f" {done:,} of {len(there):,} files have come, and the same command goes on."
        return _sentence(address, error) + more * bool(done)

    with as_user_error(words), ThreadPoolExecutor(AT_ONCE) as pool:
        system, there = _listed(address, place.name, pool)
        with writing(folder):
            had = _kept(folder, there)
            stale = [name for name in there if name not in had]
            nbytes, done = sum(there[name].size or 0 for name in stale), len(had)
            if nbytes > (free := disk_usage(folder).free):
                raise UserError(
                    f"{address} takes {nbytes / GIB:,.1f} GiB and {free / GIB:,.1f} GiB are free "
                    f"in {folder}: let the environment variable GANLIB_CACHE name another folder."
                )

        def fetch(name: str) -> None:
            nonlocal done
            path, size, _ = there[name]
            with atomic(folder / name) as temporary:
                system.get_file(path, str(temporary))
                if size is not None and (n := temporary.stat().st_size) != size:
                    raise ConnectionError(f"{path} ended after {n:,} of {size:,} bytes")
            with alone:
                append_line(folder / OBJECTS, {"name": name, "version": there[name].version})
                done += 1

        try:
            coming = [pool.submit(fetch, name) for name in stale]
            with progress(f"fetching {address}", len(stale)) as advance:
                for future in as_completed(coming):
                    future.result()
                    advance(1)
        finally:
            pool.shutdown(cancel_futures=True)


def _listed(address: str, name: str, pool: ThreadPoolExecutor) -> tuple[Any, dict[str, Object]]:
    """The file system of an address, and what lies there by its place below the copy's folder."""
    from fsspec import available_protocols  # imported by who needs it
    from fsspec.core import url_to_fs

    protocol = address.partition("://")[0]
    if protocol not in available_protocols():
        near = did_you_mean(protocol, COMMON)
        raise UserError(f"{address} cannot be read: there is no protocol '{protocol}'.{near}")
    system, path = url_to_fs(address)
    system.invalidate_cache()
    info, found = system.info(path), dict[str, Mapping[str, Any]]()
    if info["type"] == "file" and info.get("mimetype") != "text/html":  # a web server's folder
        found[name] = info
    else:
        start = len(path.rstrip("/"))
        for key, one in sorted(system.find(path, detail=True).items()):
            parts = PurePosixPath(key[start:].strip("/")).parts
            if ".." in parts or not nameable(key):
                raise UserError(f"{address} has an object '{key}', as which no file is called.")
            if parts and not key.endswith("/") and not any(part[0] == "." for part in parts):
                found["/".join([name, *parts])] = one

    def known(one: Mapping[str, Any]) -> Object:
        if one.get("size") is None:  # of what a page lists
            one = system.info(one["name"])
        return Object(one["name"], one.get("size"), [str(one.get(key)) for key in VERSION.split()])

    if not found:
        raise FileNotFoundError(path)
    return system, dict(zip(found, pool.map(known, found.values()), strict=True))


def _kept(folder: Path, there: Mapping[str, Object]) -> set[str]:
    """What of the objects is in the copy as it is there; all else is removed from it."""
    journal = folder / OBJECTS
    had = {line["name"]: line for line in read_lines(journal, LINE)}
    kept = {
        name: line
        for name, line in had.items()
        if name in there and line["version"] == there[name].version and (folder / name).is_file()
    }
    for name in had.keys() - there.keys():
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # until one is not empty
            for above in PurePosixPath(name).parents:
                (folder / above).rmdir()
    for parent in {(folder / name).parent for name in there.keys() - kept.keys()}:
        parent.mkdir(parents=True, exist_ok=True)
        remove_torn(parent)
    if len(kept) < max(len(had), len(there)):
        write_text(journal, "".join(json.dumps(line) + "\n" for line in kept.values()))
    return set(kept)


def _sentence(address: str, error: Exception) -> str:
    """Why an address cannot be read."""
    if isinstance(error, ImportError):
        return (
            f"{address} cannot be read without a package ({one_line(error)}): run `pip install "
            "ganlib[remote]`, or install that package."
        )
    if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, OSError):
        error = error.__cause__  # such as a web server that does not answer
    if isinstance(error, FileNotFoundError):
        return f"There is nothing at {address}: see whether bucket or host and path are right."
    text = f"{type(error).__name__}: {one_line(error)}"
    if isinstance(error, PermissionError) or "Credential" in text:
        return (
            f"{address} may not be read ({text}): give credentials as docs/data.md says, or, of a "
            "public bucket, say that there are none."
        )
    return f"{address} cannot be read ({text})."

"""Folders and files of object stores and web servers, by fsspec: a machine has one copy of each,
which is held against what lies there whenever it is asked for.
"""

import errno
import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from shutil import disk_usage
from threading import Lock
from typing import Any

from ganlib.common.errors import UserError, one_line
from ganlib.common.io import files
from ganlib.common.io.cache import cache_folder, locked
from ganlib.common.io.console import progress
from ganlib.common.io.jsonl import append_line, read_lines
from ganlib.common.io.memory import GIB

FRESH = 60.0  # seconds within which a process does not look again
AT_ONCE = 16  # objects that are on their way
VERSION = "ETag etag md5Hash generation size mtime created updated LastModified Last-Modified"
"""What stores say of an object, some of it, that is another once the object is."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
OBJECTS = "objects.jsonl"
"""In the folder of a copy what has come, an object a line."""
LINE = {"name": lambda name: isinstance(name, str), "version": lambda of: isinstance(of, list)}
_seen: dict[str, tuple[float, Path]] = {}


def place_of(name: str) -> Path:
    """Where the folder or file called `name` is: of an address, PROTOCOL://..., the copy on this
    machine, which is as the original is now; of a path that path itself.

    UserError if there is nothing, or it cannot be had; what came by then is not fetched again.
    """
    if "://" not in name:
        return files.expand(name)
    if re.search("://[^/]*:[^/]*@", name):
        raise UserError(
            "An address with a password in it would be written to the settings of a run: give "
            "credentials as docs/data.md has it."
        )
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
    folder, there, come, alone = place.parent, dict[str, Any](), set[str](), Lock()

    def fetch(name: str) -> None:
        path, size = there[name]["name"], there[name].get("size")
        with files.atomic(folder / name) as temporary:
            system.get_file(path, str(temporary))
            if size is not None and (n := temporary.stat().st_size) != size:
                raise ConnectionError(f"{path} ended after {n:,} of {size:,} bytes")
        with alone:
            append_line(folder / OBJECTS, {"name": name, "version": _version(there[name])})
            come.add(name)

    def words(error: Exception) -> str:
        if isinstance(error, OSError) and error.errno in FULL:
            return f"{folder} cannot be written: {error.strerror}."
        more = f" {len(come):,} of {len(there):,} files have come, and the same command goes on."
        return _sentence(address, error) + more * bool(come)

    with files.as_user_error(words), ThreadPoolExecutor(AT_ONCE) as pool:
        system, there = _listed(address, place.name, pool)
        with files.writing(folder):
            come = _kept(folder, {name: _version(info) for name, info in there.items()})
        stale = [name for name in there if name not in come]
        nbytes, free = sum(there[name].get("size") or 0 for name in stale), disk_usage(folder).free
        if nbytes > free:
            raise UserError(
                f"{address} takes {nbytes / GIB:,.1f} GiB and {free / GIB:,.1f} GiB are free in "
                f"{folder}: let the environment variable GANLIB_CACHE name another folder."
            )
        try:
            coming = [pool.submit(fetch, name) for name in stale]
            with progress(f"fetching {address}", len(stale)) as advance:
                for future in as_completed(coming):
                    future.result()
                    advance(1)
        finally:
            pool.shutdown(cancel_futures=True)


def _listed(address: str, name: str, pool: ThreadPoolExecutor) -> tuple[Any, dict[str, Any]]:
    """The file system of an address, and what it says of each object there, by its place below the
    copy's folder.
    """
    from fsspec.core import url_to_fs  # imported by who needs it

    system, path = url_to_fs(address)
    system.invalidate_cache()
    info, found = system.info(path), dict[str, Any]()
    if info["type"] == "file" and info.get("mimetype") != "text/html":  # a web server's folder
        return system, {name: info}
    for key, info in sorted(system.find(path, detail=True).items()):
        parts = PurePosixPath(key[len(path.rstrip("/")) :].strip("/")).parts
        if ".." in parts or not files.nameable(key):
            raise UserError(f"{address} has an object '{key}', as which no file is called.")
        if parts and key[-1] != "/" and not any(part[0] == "." for part in parts):
            found["/".join([name, *parts])] = info
    if not found:
        raise FileNotFoundError(path)

    def whole(info: Any) -> Any:  # a page that lists files says no sizes
        return info if info.get("size") is not None else system.info(info["name"])

    return system, dict(zip(found, pool.map(whole, found.values()), strict=True))


def _version(info: Any) -> list[str]:
    return [str(info.get(key)) for key in VERSION.split()]


def _kept(folder: Path, there: Mapping[str, list[str]]) -> set[str]:
    """What of these versions is in the copy already; what is gone is removed from it."""
    lines = {line["name"]: line for line in read_lines(folder / OBJECTS, LINE)}
    kept = {
        name: line
        for name, line in lines.items()
        if line["version"] == there.get(name) and (folder / name).is_file()
    }
    for name in lines.keys() - there.keys():
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # until one is not empty
            for above in PurePosixPath(name).parents:
                (folder / above).rmdir()
    for parent in {(folder / name).parent for name in there.keys() - kept.keys()}:
        parent.mkdir(parents=True, exist_ok=True)
        files.remove_torn(parent)
    if len(kept) < max(len(lines), len(there)):
        text = "".join(json.dumps(line) + "\n" for line in kept.values())
        files.write_text(folder / OBJECTS, text)
    return set(kept)


def _sentence(address: str, error: Exception) -> str:
    """Why an address cannot be read."""
    if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, OSError):
        error = error.__cause__  # such as a web server that does not answer
    text, advice = f"{type(error).__name__}: {one_line(error)}", "."
    if isinstance(error, FileNotFoundError):
        return f"There is nothing at {address}: see whether bucket or host and path are right."
    if isinstance(error, ImportError):
        advice = ": run `pip install ganlib[remote]`, or install that package."
    if isinstance(error, PermissionError) or "Credential" in text:
        advice = (
            ": give credentials, or say that a public bucket needs none, as docs/data.md has it."
        )
    return f"{address} cannot be read ({text}){advice}"

"""The folder of what is computed or downloaded once per machine, and tensors in files of it, which
are whole or as good as not there.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganlib.common.io.console import PATIENCE, printable
from ganlib.common.io.files import atomic, expand

POLL = 0.1  # seconds between two tries of who waits for a lock


def cache_folder() -> Path:
    """The environment variable GANLIB_CACHE, or ~/.cache/ganlib; it need not exist. UserError if it
    begins with a home folder that there is not.
    """
    return expand(os.environ.get("GANLIB_CACHE") or "~/.cache/ganlib")


@contextmanager
def locked(path: Path, words: str = "") -> Iterator[None]:
    """One process of this machine at a time is inside, for one `path`; ends with its process. Who
    waits for long says so in these words.

    Where locks or the folder cannot be had nobody waits: files are atomic, so the work is merely
    done twice.
    """
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("ab")
    except (ImportError, OSError):
        yield
        return
    with file:
        late = time.monotonic() + PATIENCE
        with suppress(OSError):  # some network file systems have no locks
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(POLL)
                if words and time.monotonic() > late:
                    print(printable(words), file=sys.stderr, flush=True)
                    words = ""
        yield


def cached(
    kind: str, facts: Mapping[str, object], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """compute(), or what it gave before for these facts, plain values; kind: the folder that it is
    kept in. Two processes that ask at once compute it once.
    """
    with locked(path := cache_file(kind, facts)):
        tensors = _read(path)
        if tensors is None:
            tensors = compute()
            # a full disk or a read-only folder costs time, no scores
            with suppress(OSError, SafetensorError), atomic(path) as temporary:
                save_file(dict(tensors), temporary, {"sha256": digest_of(tensors)})
    return tensors


def cache_file(kind: str, facts: Mapping[str, object]) -> Path:
    """Where what cached() gives is kept; there is no such file before."""
    key = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    return cache_folder() / kind / f"{key}.safetensors"


def _read(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file, or None if it is not there, damaged or not what it says."""
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get("sha256")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    return tensors if said == digest_of(tensors) else None


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of their names, shapes and values, hexadecimal."""
    digest = sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().data)
    return digest.hexdigest()

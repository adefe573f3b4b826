"""Tensors that are computed once per machine, in files of the cache folder, which are whole or as
good as not there.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganlib.common.io.cache import cache_folder, locked
from ganlib.common.io.files import atomic


def cached(
    kind: str, facts: Mapping[str, object], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """compute(), or what it gave before for these facts, plain values; kind: the folder that it is
    kept in. Two processes that ask at once compute it once.
    """
    path = cache_file(kind, facts)
    with locked(path, f"Another process is computing such {kind}: this one waits for it."):
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

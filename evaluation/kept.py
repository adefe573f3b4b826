"""Tensors in files of the cache, which are whole or as good as not there."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganlib.common.files import atomic


def read_kept(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file, or None if it is not there, damaged or not what it says."""
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get("sha256")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError):
        return None
    return tensors if said == digest_of(tensors) else None


def write_kept(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Keep them if that is possible."""
    try:
        with atomic(path) as temporary:
            save_file(dict(tensors), temporary, {"sha256": digest_of(tensors)})
    except (OSError, SafetensorError):  # a full disk or a read-only folder costs time, no scores
        pass


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of their names, shapes and values, hexadecimal."""
    digest = sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().data)
    return digest.hexdigest()

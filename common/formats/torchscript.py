"""Tensors of a TorchScript archive, of which nothing is run: neither its code, nor anything that
its pickle names but the making of tensors.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile, is_zipfile

import torch
from torch import Tensor


def is_torchscript(content: bytes) -> bool:
    """Whether the content of a file is that of such an archive: of torch.save's none has
    constants.
    """
    file = io.BytesIO(content)
    names = ZipFile(file).namelist() if is_zipfile(file) else []
    return any(name.endswith("/constants.pkl") for name in names)


def read_tensors(content: bytes) -> dict[str, Tensor]:
    """The parameters and buffers of its modules by their names, in the order in which the modules
    define them. Raises whatever a file that is none, or that names anything else, leads to.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        module = _Unpickler(archive, pickled).load()
    return dict(_tensors(module))


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: ZipFile, name: str) -> None:
        super().__init__(io.BytesIO(archive.read(name)))
        self.archive, self.folder = archive, name.removesuffix(".pkl")

    def find_class(self, module: str, name: str) -> Any:
        """A module of the archive is a bag of attributes; of everything else _ALLOWED is all."""
        if module.partition(".")[0] == "__torch__":
            return SimpleNamespace
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"the file names {module}.{name}")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers of one storage."""
        _, dtype, key, _, n = pid
        content = bytearray(self.archive.read(f"{self.folder}/{key}"))
        return torch.frombuffer(content, dtype=dtype)[:n]


def _rebuilt(storage: Tensor, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    return storage.as_strided(size, stride, offset)


_ALLOWED = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
    ("torch", "FloatStorage"): torch.float32,
    ("torch", "HalfStorage"): torch.float16,
    ("torch", "LongStorage"): torch.int64,
    ("torch.jit._pickle", "build_intlist"): list,
    ("collections", "OrderedDict"): OrderedDict,
}


def _tensors(module: SimpleNamespace, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, SimpleNamespace):
            yield from _tensors(value, f"{prefix}{name}.")

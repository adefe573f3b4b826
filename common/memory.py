"""Memory for large tensors on the CPU, used again once nobody holds any part of them.

The kernel hands out new memory a page at a time, which takes several times as long as to fill it.
"""

import weakref
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LARGE = 2**24  # bytes; smaller ones the C library keeps for itself


class Memory:
    """Tensors of changing use. What was lent and given back stays for others of that size."""

    def __init__(self) -> None:
        self._lent: list[tuple[NDArray[Any], weakref.ref[Any]]] = []

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """As torch.empty does, on the CPU."""
        nbytes = prod(shape) * dtype.itemsize
        if nbytes < LARGE:
            return torch.empty(shape, dtype=dtype)
        kept = [one for one in self._lent if one[1]() is not None or len(one[0]) == nbytes]
        free = next((whole for whole, lent in kept if lent() is None), None)
        whole = np.empty(nbytes, np.uint8) if free is None else free
        view = whole[:]  # which PyTorch's storage holds, and every tensor in it holds that
        kept = [one for one in kept if one[0] is not free]
        self._lent = [*kept, (whole, weakref.ref(view))]
        return torch.from_numpy(view).view(dtype).view(shape)

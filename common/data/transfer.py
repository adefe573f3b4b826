"""Images from where they lie to a device: once, what fits; else without waiting for the device.
And memory that is used again once nobody holds any part of it: the kernel hands out new memory a
page at a time, several times as slowly as it is filled.
"""

import weakref
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data.spec import Images

PART = 1 / 3  # of the GPU's free memory, for one tensor: the rest is for networks and evaluation


def place(images: Images, device: torch.device) -> Images:
    """A tensor on the GPU, if it takes at most PART of the free memory; all else as it is."""
    if device.type != "cuda" or not isinstance(images, Tensor):
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.nbytes <= PART * free else images


def upload(x: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; to a GPU from pinned memory, so that nobody waits for the copy."""
    if x.is_cpu and device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


LARGE = 2**24  # bytes; smaller ones the C library keeps for itself


class Memory(list[tuple[NDArray[Any], "weakref.ref[Any]"]]):
    """Of tensors of changing use, all that is lent, or was given back and can be again."""

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """As torch.empty does, on the CPU."""
        nbytes = prod(shape) * dtype.itemsize
        if nbytes < LARGE:
            return torch.empty(shape, dtype=dtype)
        kept = [one for one in self if one[1]() is not None or len(one[0]) == nbytes]
        free = next((whole for whole, lent in kept if lent() is None), None)
        whole = np.empty(nbytes, np.uint8) if free is None else free
        view = whole[:]  # which PyTorch's storage holds, and every tensor in it holds that
        self[:] = [*(one for one in kept if one[0] is not free), (whole, weakref.ref(view))]
        return torch.from_numpy(view).view(dtype).view(shape)

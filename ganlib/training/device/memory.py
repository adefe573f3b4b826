"""Refuses what no memory holds before it is asked for: a system without any left ends processes
without a word.
"""

import warnings
from collections.abc import Callable

import torch
from torch import nn

from ganlib.common.errors import UserError
from ganlib.common.io.memory import GIB, available_memory

COUNTABLE = 2**63
"""Bytes of more than which PyTorch makes no tensor."""


def require(nbytes: int, what: str, advice: str, device: torch.device | str | None = None) -> None:
    """UserError with `advice` if `what`, a word in the plural, takes more bytes than are free on
    the device, by default of this machine.
    """
    free = _free(torch.device(device or "cpu"))
    if free is not None and nbytes > free:
        raise UserError(
            f"{what} of {nbytes / GIB:,.1f} GiB do not fit the memory, of which "
            f"{free / GIB:,.1f} GiB are free: {advice}."
        )


def size_of(build: Callable[[], dict[str, nn.Module]]) -> int:
    """Bytes of the parameters and buffers of the networks that `build` makes, none of which are
    made for it; 0 if that cannot be told.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            networks = build()
    except Exception as error:  # what networks do that were not written for this is no fixed set
        return COUNTABLE if "overflow" in str(error).lower() else 0
    return sum(
        tensor.nbytes
        for network in networks.values()
        for tensor in (*network.parameters(), *network.buffers())
    )


def _free(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return available_memory()

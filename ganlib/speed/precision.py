"""Arithmetic of training: float32, TF32 or bfloat16."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from ganlib.common.layers.basic import override
from ganlib.config import AlgorithmConfig

Precision = Literal["auto", "fp32", "tf32", "bf16"]
METHODS = ("forward", "features", "code", "draw")


def automatic(device: torch.device, config: AlgorithmConfig) -> Precision:
    """What auto comes to: bf16 on a CPU with instructions for it, for an architecture that is known
    to learn as well with it; else tf32, which is float32 on a CPU.
    """
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    known = config.architecture in config.learns_in_bf16
    return "bf16" if device.type == "cpu" and fast and known else "tf32"


def set_float32(precision: Precision) -> None:
    """How float32 products are made on a GPU: as they are, or in TF32, for this process."""
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


def train_in_bf16(network: nn.Module) -> None:
    """Make `network` compute in bfloat16 in training mode; what it takes and gives stays float32.

    In evaluation mode it computes in float32, so a sample does not depend on how training was
    computed. Losses and penalties, outside of it, are float32.
    """
    _override(network, lambda network: network.training)


def compute_in_bf16(network: nn.Module) -> None:
    """The same in evaluation mode too: for a network that does not train, and always is in it."""
    _override(network, lambda network: True)


def _override(network: nn.Module, wanted: Callable[[nn.Module], bool]) -> None:
    cls = type(network)
    methods = {name: getattr(cls, name) for name in METHODS if hasattr(cls, name)}
    override(network, {name: _in_bf16(method, wanted) for name, method in methods.items()})


def _in_bf16(method: Callable[..., Any], wanted: Callable[[nn.Module], bool]) -> Callable[..., Any]:
    @wraps(method)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not wanted(self):
            return method(self, *args, **kwargs)
        kind = next(self.parameters()).device.type
        # without its cache, which torch.func.grad would find filled by another level
        with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
            result = method(self, *args, **kwargs)
        return tree_map(_to_float, result)

    return run


def _to_float(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.bfloat16 else value

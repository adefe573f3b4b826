"""How an updater does its work on this machine: the settings for speed, put into effect; and the
arithmetic of training: float32, TF32 or bfloat16.
"""

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from ganlib.common.errors import UserError
from ganlib.common.layers.basic import override_entries
from ganlib.common.layers.checkpoint import checkpoint_blocks
from ganlib.common.losses import is_differentiated_twice
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.evaluation.extractors.base import has_arithmetic
from ganlib.speed import sync_bn
from ganlib.speed.compiled import Say, Trial, compile_update, restore_update
from ganlib.speed.graph import CudaRecorder, Graphs
from ganlib.training.device import ranks
from ganlib.training.updater import Updater

Precision = Literal["auto", "fp32", "tf32", "bf16"]


def accelerate(updater: Updater, s: RunConfig, iterations: int, say: Say) -> None:
    """Prepare an updater, with its data and after its state was loaded, to train so many
    iterations.
    """
    device = updater.clock.device
    set_float32(s.precision)
    # shapes stay the same, so the search for the fastest convolutions is made once
    torch.backends.cudnn.benchmark = not s.deterministic
    if s.checkpoint_blocks:
        _checkpoint(updater, s, say)
    if s.precision == "bf16":
        for network in updater.frozen.networks.values():
            compute_in_bf16(network)
        for network in updater.trained.values():
            train_in_bf16(network)
    if s.sync_bn and ranks.count() > 1:
        for network in updater.trained.values():
            sync_bn.synchronize(network)
    if s.sync_bn and s.accumulate > 1:
        raise UserError(
            "--sync-bn joins the batches of several GPUs, and --accumulate takes a batch apart: "
            "give one of them."
        )
    updater.split(s.accumulate)
    if not (s.sync_bn and ranks.count() > 1):
        _check_normalised(updater)
    ranks.broadcast_([*updater.parameters(), *updater.buffers()])
    graph = device.type == "cuda" if s.graph is None else s.graph
    if graph and torch.__version__ < "2.8.0a0":
        raise UserError(
            f"CUDA graphs need PyTorch 2.8, and this one is {torch.__version__}: install a newer "
            "one, or give --no-graph."
        )
    if graph and device.type != "cuda":
        raise UserError("--graph needs a GPU with CUDA: leave it out.")
    if s.compile:
        compile_update(updater, say)

    def perform() -> Callable[[], dict[str, torch.Tensor]]:
        return Graphs(updater, CudaRecorder(device), say) if graph else updater.iterate

    decide = s.compile is None and device.type == "cuda" and not s.deterministic
    decide = decide and not s.checkpoint_blocks and not s.sync_bn
    updater.perform = Trial(updater, iterations, perform, say) if decide else perform()


def _check_normalised(updater: Updater) -> None:
    """UserError for a share of one image in a network that normalises vectors over it."""
    layers = [m for net in updater.trained.values() for m in net.modules()]
    alone = updater.config.batch_size == updater.micro_batches.shares
    if alone and any(isinstance(layer, nn.BatchNorm1d) for layer in layers):
        raise UserError(
            "Batch normalisation needs more than one image in a pass: give a larger --batch-size, "
            "or a smaller --accumulate."
        )


def release(updater: Updater) -> None:
    """Let go what an updater does its work with: graphs, and what they read; what is compiled."""
    updater.perform = updater.iterate
    updater.streams.wrap(lambda loader: loader)
    restore_update(updater)


def _checkpoint(updater: Updater, s: RunConfig, say: Say) -> None:
    if s.compile:
        raise UserError(
            "--checkpoint-blocks decides what is kept for the gradients, and --compile lets the "
            "compiler decide: give one of them."
        )
    if sum(map(checkpoint_blocks, updater.trained.values())) == 0:
        say("--checkpoint-blocks changes nothing: these networks have no blocks.")


def automatic(device: torch.device, config: AlgorithmConfig) -> Precision:
    """What auto comes to: bf16 on a processor with instructions for it, for an architecture that is
    known to learn as well with it; else tf32, which is float32 on a CPU.
    """
    known = config.architecture in config.learns_in_bf16
    return "bf16" if known and has_arithmetic(device, "bf16") else "tf32"


def set_float32(precision: Precision) -> None:
    """How float32 products are made on a GPU: as they are, or in TF32, for this process."""
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


def train_in_bf16(network: nn.Module, always: bool = False) -> None:
    """Make `network` compute in bfloat16 in training mode; what it takes and gives stays float32.

    In evaluation mode it computes in float32, so a sample does not depend on how training was
    computed. Losses and penalties, outside of it, are float32. always: in evaluation mode too. What
    is differentiated twice is float32 on a processor where `has_wrong_large_kernels`.
    """
    override_entries(network, lambda name, method: _in_bf16(method, always))


compute_in_bf16 = partial(train_in_bf16, always=True)
"""The same in evaluation mode too: for a network that does not train, and always is in it."""


@cache
def has_wrong_large_kernels() -> bool:
    """Whether convolutions in bfloat16 by kernels of 8 x 8 or more, which gradients of gradients
    consist of, are wrong on this CPU: with AMX and padding 1 they are, in torch 2.13.
    """
    x = torch.linspace(-1, 1, 256, device="cpu").sin().view(1, 1, 16, 16).expand(1, 8, 16, 16)
    wanted, got = (F.conv2d(x.to(t), x.to(t), padding=1).float() for t in (x.dtype, torch.bfloat16))
    return not torch.allclose(wanted, got, atol=0.1 * float(wanted.abs().max()))


class Cast(TorchFunctionMode):
    """Autocast to bfloat16 for the device "meta", which PyTorch's own does not know."""

    LOWER = (
        *(F.linear, F.prelu, F.conv1d, F.conv2d, F.conv_transpose2d),
        *(torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm),
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.LOWER:
            args, kwargs = tree_map_only(
                Tensor, lambda x: x.bfloat16() if x.dtype == torch.float32 else x, (args, kwargs)
            )
        return func(*args, **(kwargs or {}))


def _in_bf16(method: Callable[..., Any], always: bool) -> Callable[..., Any]:
    wrong = has_wrong_large_kernels()  # here, because torch.compile cannot trace it

    @wraps(method)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not (always or self.training):
            return method(self, *args, **kwargs)
        kind = next(self.parameters()).device.type
        if wrong and kind == "cpu" and is_differentiated_twice():
            return method(self, *args, **kwargs)
        # without its cache, which torch.func.grad would find filled by another level
        with (
            Cast() if kind == "meta" else torch.autocast(kind, torch.bfloat16, cache_enabled=False)
        ):
            result = method(self, *args, **kwargs)
        return tree_map_only(
            Tensor, lambda x: x.float() if x.dtype == torch.bfloat16 else x, result
        )

    return run

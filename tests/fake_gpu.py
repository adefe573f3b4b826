"""A GPU that knows where tensors lie, and nothing else: PyTorch's device "meta" stands for it.

Its tensors have no values, so whatever reads one fails as soon as it is tried, on any machine and
in a fraction of the time. What is not there: kernels, streams and memory.
"""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from ganlib.common.networks import translator
from ganlib.contract.tape import tensors
from ganlib.speed.graph import Feed
from ganlib.training.update import steps as descent
from ganlib.training.update.steps import Steps

GPU = torch.device("meta")
aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
FUSED = {aten._fused_adam_, aten._fused_sgd_}
UNSURE = {
    aten._adaptive_avg_pool2d_backward,
    aten._upsample_bicubic2d_aa_backward,
    aten._upsample_bilinear2d_aa_backward,
    aten.adaptive_max_pool2d_backward,
    aten.grid_sampler_2d_backward,
    aten.histc,
    aten.kthvalue,
    aten.max_unpool2d,
    aten.nll_loss2d_backward,
    aten.put_,
    aten.reflection_pad1d_backward,
    aten.reflection_pad2d_backward,
    aten.replication_pad1d_backward,
    aten.replication_pad2d_backward,
    aten.upsample_bicubic2d_backward,
    aten.upsample_bilinear2d_backward,
    aten.upsample_linear1d_backward,
}
"""What torch.use_deterministic_algorithms() names as without a deterministic form in CUDA."""


class NoDraws(TorchDispatchMode):
    """RuntimeError for random numbers that the GPU draws: each kind of device draws others."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        drawn = torch.Tag.nondeterministic_seeded in func.tags
        if drawn and any(t.device == GPU for t in tensors(result)):
            raise RuntimeError(f"{func} draws on the GPU")
        return result


class OneDevice(TorchDispatchMode):
    """RuntimeError for an operation on tensors of which some are on the GPU and others not; unless
    `copies`, for copies between the two as well, which an update would wait for. And for what
    --deterministic refuses on a GPU.
    """

    def __init__(self, copies: bool = False) -> None:
        super().__init__()
        self.copies = copies

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket in UNSURE:
            raise RuntimeError(f"{func} is not deterministic in CUDA")
        found = tensors([args, kwargs])
        there = [t for t in found if t.device == GPU]
        to = torch.device(kwargs.get("device") or (there or found or [torch.empty(0)])[0].device)
        if func in COPIES and (0 < len(there) < len(found) or any(t.device != to for t in found)):
            if not self.copies:
                raise RuntimeError(f"{func} goes from one device to another")
        elif there and any(t.dim() and t.device != GPU for t in found):
            raise RuntimeError(f"{func} is given a tensor of the CPU beside those of the GPU")
        if func.overloadpacket in FUSED and there:
            return _fused(args, len(there) == len(found))
        return func(*args, **kwargs)


def _fused(args: Any, all_there: bool) -> None:
    """What a fused optimizer's kernel asks for; there is none for this device."""
    if not all_there or any(p.stride() != g.stride() for p, g in zip(*args[:2], strict=True)):
        raise RuntimeError("a fused optimizer has tensors of the CPU or of unequal strides")


class Generator(torch.Generator):
    """Says that it is on the GPU, if it was asked to."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> Any:
        made = super().__new__(cls, "cpu")
        made.place = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:
        return self.place


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let optimizers and generators take it for a GPU."""
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(descent, "CAPTURING", {GPU.type})
    monkeypatch.setattr(translator, "LEAVING", {GPU.type})
    devices = lambda *_: ["cpu", GPU.type]  # noqa: E731
    for name, asked in (
        ("rmsprop", "_get_capturable_supported_devices"),
        ("optimizer", "_get_foreach_kernels_supported_devices"),
        ("optimizer", "_get_fused_kernels_supported_devices"),
    ):
        monkeypatch.setattr(sys.modules[f"torch.optim.{name}"], asked, devices)
    # an optimizer warns if it could be captured, and is not
    eager = SimpleNamespace(is_capturing=lambda: False)
    monkeypatch.setattr(torch.accelerator, "current_stream", lambda: eager)
    there = lambda **_: torch.device("cuda")  # noqa: E731
    monkeypatch.setattr(torch.accelerator, "current_accelerator", there)


def move(updater: Any) -> Any:
    """The updater with all that is its own on the GPU, its batches too; OneDevice watches."""
    for network in [updater, *updater.frozen.networks.values()]:
        network.to(GPU)
        _channels_last(network)
    for loader in updater.streams.wrapped.values():
        loader.device = GPU
    updater.streams.wrap(lambda loader: Feed(loader, _disable_current_modes))
    # of another kind, the parameters are others than those that the optimizers have
    updater.optimizer = updater.optimizers()
    updater.steps = Steps(updater.optimizer, updater.micro_batches)
    updater.prepare = watched(updater.prepare, copies=True)
    updater.perform = watched(updater.iterate)
    return updater


def watched(function: Callable[[], Any], copies: bool = False) -> Callable[[], Any]:
    """The function under the eyes of OneDevice."""

    def call() -> Any:
        with OneDevice(copies):
            return function()

    return call


def _channels_last(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)

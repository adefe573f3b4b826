"""A GPU that knows where tensors lie, and nothing else: PyTorch's device "meta" stands for it.

Its tensors have no values, so whatever reads one fails as soon as it is tried, on any machine and
in a fraction of the time. What is not there: kernels, streams and memory.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from ganlib.common.data import crops
from ganlib.common.networks import translator
from ganlib.contract.tape import tensors
from ganlib.speed import graph
from ganlib.speed.costs import Generator
from ganlib.speed.graph import Graphs, Recorder
from ganlib.training.update import steps as descent
from ganlib.training.update.accumulation import Values
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
    """RuntimeError for an operation on tensors of which some are on the GPU and others not, and
    for what --deterministic refuses on a GPU. Unless `copies`, also for copies between the two,
    which an update would wait for, and for whatever is done on the CPU: a graph replays none of
    it, and what CUDA takes for a number, a tensor without dimensions, it never reads again.
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
        if 0 < len(there) < len(found) and not (self.copies and func in COPIES):
            raise RuntimeError(f"{func} is given a tensor of the CPU beside those of the GPU")
        if func.overloadpacket in FUSED and there:
            return _fused(args, len(there) == len(found))
        result = func(*args, **kwargs)
        if not self.copies and any(t.device != GPU for t in (*found, *tensors(result))):
            raise RuntimeError(f"{func} works on the CPU, where a graph does nothing")
        return result


def _fused(args: Any, all_there: bool) -> None:
    """What a fused optimizer's kernel asks for; there is none for this device."""
    if not all_there or any(p.stride() != g.stride() for p, g in zip(*args[:2], strict=True)):
        raise RuntimeError("a fused optimizer has tensors of the CPU or of unequal strides")


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let optimizers and generators take it for a GPU."""
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(descent, "CAPTURING", {GPU.type})
    monkeypatch.setattr(translator, "LEAVING", {GPU.type})
    monkeypatch.setattr(graph, "WARM_UP", 1)
    monkeypatch.setattr(crops, "place", placed)
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


def placed(images: Any, device: torch.device) -> Any:
    """All of a tensor, as there is room for it."""
    return images.to(device) if isinstance(images, torch.Tensor) else images


class Watching(Recorder):
    """Has OneDevice look on while an iteration runs and while it is captured, once, to be replayed
    in name alone. What lies outside of it, the loaders, may copy to the GPU.
    """

    def __call__(
        self, body: Callable[[], Values], random: torch.Generator
    ) -> tuple[Values, Callable[[], None]]:
        with OneDevice():
            return body(), lambda: None

    def side_stream(self) -> Any:
        return OneDevice()

    def warm_up(self) -> Any:
        return OneDevice()

    @contextmanager
    def own_memory(self) -> Iterator[None]:
        with _disable_current_modes(), OneDevice(copies=True):
            yield


def move(updater: Any) -> Any:
    """The updater with all that is its own on the GPU, its batches too; OneDevice watches."""
    for network in [updater, *updater.frozen.networks.values()]:
        network.to(GPU)
        _channels_last(network)
    for loader in (*updater.streams.wrapped.values(), updater.held_out):
        if loader is not None:
            loader.device = GPU
    # of another kind, the parameters are others than those that the optimizers have
    updater.optimizer = updater.optimizers()
    updater.steps = Steps(updater.optimizer, updater.micro_batches)
    prepare, perform = updater.prepare, Graphs(updater, Watching(), pytest.fail)

    def watched_prepare() -> None:
        with OneDevice(copies=True):
            prepare()

    updater.prepare, updater.perform = watched_prepare, perform
    return updater


def _channels_last(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)

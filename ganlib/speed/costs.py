"""What updates cost, told without computing any: memory at the peak, operations and bytes moved.

All that an updater has lies on PyTorch's device "meta", whose tensors have shapes and no values; so
the real updater runs, in a fraction of the time, whatever its networks would take.
"""

import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ganlib.common.data import DataSet, fit_spec
from ganlib.common.data.spec import Images
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.registry import Algorithm
from ganlib.speed.accelerate import accelerate
from ganlib.speed.compiled import WINDOW
from ganlib.training.device.devices import place
from ganlib.training.extensions.posthoc_ema import LENGTHS
from ganlib.training.update.accumulation import MicroBatches
from ganlib.training.update.streams import borders, loader_of
from ganlib.training.updater import Updater

R = TypeVar("R")
META = torch.device("meta")
A_TENSOR = 500  # bytes that the file of a snapshot says of each
RARE = 0.01  # of a stage's iterations; work that fewer do is left out


class Operation(NamedTuple):
    """flops: of a convolution or a matrix product, a multiplication and an addition counted as two,
    else 0. nbytes: of what it reads and writes. dtype: of what it gives.
    """

    flops: int
    nbytes: int
    dtype: torch.dtype


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes at a time of what operations in it made, by their storages; and `now`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive: dict[int, weakref.ref[Any]] = {}
        self.now = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        old = {t.untyped_storage()._cdata for t in _tensors([args, kwargs])}
        for storage in (t.untyped_storage() for t in _tensors(result)):
            if storage._cdata not in {*old, *self.alive}:
                self.alive[storage._cdata] = weakref.ref(storage, self._free(storage))
                self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        return result

    def _free(self, storage: Any) -> Callable[[Any], None]:
        key, size = storage._cdata, storage.nbytes()

        def free(_: Any) -> None:
            del self.alive[key]
            self.now -= size

        return free


class Ledger(Peak):  # type: ignore[no-untyped-call]
    """Counts the operations too, but for views, which move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = Counter[Operation]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if not func.is_view:
            formula = flop_registry.get(func._overloadpacket)
            flops = formula(*args, **(kwargs or {}), out_val=result) if formula else 0
            made = _tensors(result)
            found = {id(t): t for t in [*made, *_tensors([args, kwargs])]}.values()
            # of what is expanded, there is no more than its storage
            moved = [min(t.nbytes, t.untyped_storage().nbytes()) for t in found]
            dtype = made[0].dtype if made else torch.float32
            self.operations[Operation(flops, sum(moved), dtype)] += 1
        return result


class Valueless(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lets operations that have no form for META be: fused optimizers move nothing, and a number
    that is read, as CPUs do for some optimizers, is 1.
    """

    FUSED = (torch.ops.aten._fused_adam_, torch.ops.aten._fused_adamw_, torch.ops.aten._fused_sgd_)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in self.FUSED:
            return None
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return 1
        return func(*args, **(kwargs or {}))


class Generator(torch.Generator):
    """Says that it is on the device that it was asked for, of which META has none."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> Any:
        made: Any = super().__new__(cls, "cpu")  # type: ignore[call-arg]
        made.place = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place


class OneOfSeveral(MicroBatches):
    """Of one rank of `gpus` that are not there: others' rows are taken to be as its own."""

    gpus = 1

    @property
    def shares(self) -> int:
        return self.gpus * self.count

    def gather(self, x: Tensor) -> Tensor:
        return torch.cat([super().gather(x)] * self.gpus)

    def meet(self, tensors: Sequence[Tensor], then: Callable[[list[Tensor]], R]) -> R:
        message = torch.cat([t.reshape(-1) for t in tensors])  # as ranks.mean_() makes it
        result = super().meet(tensors, then)
        del message
        return result


class Part(NamedTuple):
    """So many iterations of a training that do the same work. images: real ones that each takes."""

    iterations: float
    images: int
    operations: Counter[Operation]

    @property
    def flops(self) -> int:
        """Of one iteration, as bench counts them."""
        return sum(n * operation.flops for operation, n in self.operations.items())


class Files(NamedTuple):
    """Bytes of a snapshot, and of the averages that --ema-every stores once."""

    snapshot: int
    averages: int


@dataclass(frozen=True)
class Costs:
    """Of one rank. weights: bytes of networks, averages and what optimizers keep; peak: with what
    an update needs. files: see Files. values: how many numbers are logged.
    """

    weights: int
    peak: int
    files: Files
    values: int
    parts: tuple[Part, ...]

    @property
    def iterations(self) -> float:
        """Of the whole training."""
        return sum(part.iterations for part in self.parts)


def rehearse(
    algorithm: Algorithm, config: AlgorithmConfig, s: RunConfig, data: DataSet, gpus: int = 1
) -> Costs:
    """What training on these data will cost each of so many GPUs, or the CPU; images are not read.

    UserError for settings that no run can have.
    """
    with on_meta() as ledger:
        updater = blank_updater(algorithm, config, s, data, gpus)
        updater.prepare()
        weights, parts, values = ledger.now, list[Part](), 0
        for iterations, updater.iteration in turns(updater):  # noqa: B020
            ledger.operations, before = Counter(), updater.images
            values = len(updater.update())
            parts.append(Part(iterations, updater.images - before, ledger.operations))
        return Costs(weights, ledger.most, _files(updater), values, tuple(parts))


def weigh(
    algorithm: Algorithm, config: AlgorithmConfig, s: RunConfig, data: DataSet
) -> tuple[Files, int]:
    """Bytes of the files that are kept, and how many iterations training takes."""
    with on_meta():
        updater = blank_updater(algorithm, config, s, data)
        updater.prepare()
        return _files(updater), updater.length()


@contextmanager
def on_meta() -> Iterator[Ledger]:
    """For an updater on META, which optimizers and generators take for a device that they know."""
    optimizers = sys.modules["torch.optim.optimizer"]
    known = mock.Mock(return_value=[META.type])
    patched = mock.patch.object(optimizers, "_get_fused_kernels_supported_devices", known)
    drawing = mock.patch.object(torch, "Generator", Generator)
    with patched, drawing, Valueless(), Ledger() as ledger:  # type: ignore[no-untyped-call]
        yield ledger


def _files(updater: Updater) -> Files:
    average = updater.get_submodule(updater.averaged).parameters()
    return Files(_bytes(updater.state()), len(LENGTHS) * _bytes(list(average)))


def _bytes(state: Any) -> int:
    return sum(t.nbytes + A_TENSOR for t in _tensors(state))


def blank_updater(
    algorithm: Algorithm, config: AlgorithmConfig, s: RunConfig, data: DataSet, gpus: int = 1
) -> Updater:
    """The updater of a run on META."""
    spec = fit_spec(data, config.image_size(*data.shape[1:]))
    source = None if data.source is None else _blank(data.source, data.source_kind == "ids")
    blank = replace(data, x=_blank(data.x), source=source, smaller={})
    loader = loader_of(
        config, blank, spec, s.seed, device=META, flip=s.flip, dequantize=config.dequantize
    )
    with META:
        networks = algorithm.networks(config, spec)
    placed = {name: place(network, META) for name, network in networks.items()}
    updater = algorithm.updater(config, loader, spec, placed).to(META)
    if gpus > 1:
        one: Any = updater.micro_batches
        one.__class__, one.gpus = OneOfSeveral, gpus
    how = s.model_copy(update={"graph": False, "compile": False, "sync_bn": False})
    accelerate(updater, how, 1, lambda _: None)
    return updater


def turns(updater: Updater) -> list[tuple[float, int]]:
    """How many iterations a training has of each kind of work, and the number of one of these; by a
    WINDOW in the middle of each stage, in which phases take turns.
    """
    length, found = updater.length(), []
    starts = [*borders(updater.stage, length), length]
    for start, end in pairwise(starts):
        first = max(start, (start + end - WINDOW) // 2)
        phases = {k: updater.phase(k) for k in range(first, min(end, first + WINDOW))}
        often = {p: n for p, n in Counter(phases.values()).items() if n >= RARE * len(phases)}
        for phase, n in often.items():
            one = next(k for k, other in phases.items() if other == phase)
            found.append(((end - start) * n / sum(often.values()), one))
    return found


def _blank(images: Images, ids: bool = False) -> Tensor:
    """Of no memory, which images are that are read as they are needed."""
    return torch.empty((), dtype=torch.int32 if ids else torch.uint8, device=META).expand(
        images.shape
    )


def _tensors(tree: Any) -> list[Tensor]:
    return [t for t in tree_leaves(tree) if isinstance(t, Tensor)]

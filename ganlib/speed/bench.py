"""How fast an algorithm trains: time, floating-point operations and memory of its iterations.

An updater is made anew for every mode, runs until all that is done once is done (optimizers' state,
choice of kernels, compiling, capturing), and is then timed iteration by iteration.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import date
from itertools import cycle, pairwise, product
from statistics import median, quantiles
from typing import Any, Literal

import torch
from pydantic import TypeAdapter
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganlib.common.data import DataSet, Shape, fit_spec
from ganlib.common.errors import StoppedError, UnusableError, UserError, one_line
from ganlib.common.seeds import generator
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.registry import Algorithm
from ganlib.speed.accelerate import Precision, accelerate, set_float32
from ganlib.speed.compiled import WINDOW, Say
from ganlib.speed.graph import WARM_UP
from ganlib.training.device.devices import (
    cpu_name,
    environment,
    free,
    gpu_memory,
    is_out_of_memory,
    synchronize,
)
from ganlib.training.update.streams import loader_of
from ganlib.training.updater import Updater

Mode = Literal["eager", "compile", "graph", "graph+compile"]
MODES: Mapping[str, tuple[Mode, ...]] = {
    "cpu": ("eager", "compile"),
    "cuda": ("eager", "graph", "graph+compile"),
}
"""Ways to do an update, by the type of device."""
PRECISIONS: Mapping[str, tuple[Precision, ...]] = {
    "cpu": ("fp32", "bf16"),
    "cuda": ("fp32", "tf32", "bf16"),
}
ITERATIONS = {"cpu": 10, "cuda": 50}
"""Timed iterations, unless others are asked for."""
UNTIMED = {"cpu": 3, "cuda": WARM_UP + 2}  # iterations at least before the first that is timed
SECONDS = {"cpu": 0.0, "cuda": 1.0}  # and for so long at least, for the clocks of a GPU
SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices whose product is the ceiling
DATA_BYTES = 2**25


@dataclass(frozen=True)
class Work:
    """What is measured: an algorithm with its settings, on random images (C, H, W).

    at: the number of the iteration, for algorithms whose work changes with it; by default half of
    max_iter.
    """

    name: str
    algorithm: Algorithm
    config: AlgorithmConfig
    image: Shape = (3, 32, 32)
    at: int | None = None


@dataclass(frozen=True)
class Cost:
    """Of one iteration. images: real images that it takes from the data, so batch_size * n_dis for
    most. flops: operations in convolutions and matrix products, a multiplication and an addition
    counted as two.
    """

    images: int
    flops: int


@dataclass(frozen=True)
class Timing:
    """seconds: median of the timed iterations; low, high: their quartiles. warm_up: seconds until
    the first of them. memory: bytes at the peak, of a GPU what tensors took, of a CPU what the
    process took so far.
    """

    seconds: float
    low: float
    high: float
    iterations: int
    warm_up: float
    memory: int


@dataclass(frozen=True)
class Row:
    """One measurement. ceiling: FLOP/s of a large matrix product in the same precision on the same
    device. Without a timing, `error` says in a sentence why there is none.
    """

    work: str
    settings: Mapping[str, Any]
    image: Shape
    mode: Mode
    precision: Precision
    ceiling: float
    cost: Cost | None = None
    timing: Timing | None = None
    error: str = ""

    @property
    def rates(self) -> dict[str, float]:
        """iterations_per_second, images_per_second (real images), tflops (10^12 FLOP/s) and
        share_of_ceiling (0 to 1); nothing without a timing.
        """
        if self.timing is None or self.cost is None:
            return {}
        per_second = 1 / self.timing.seconds
        return {
            "iterations_per_second": per_second,
            "images_per_second": self.cost.images * per_second,
            "tflops": self.cost.flops * per_second / 1e12,
            "share_of_ceiling": self.cost.flops * per_second / self.ceiling,
        }

    def to_dict(self) -> dict[str, Any]:
        """In plain types, the rates with it."""
        return {**asdict(self), "image": list(self.image), **self.rates}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Row":
        """What to_dict() gave; the rates follow from the rest."""
        return TypeAdapter(cls).validate_python(record)


def check(device: torch.device, modes: Iterable[str], precisions: Iterable[str]) -> None:
    """UserError for what cannot be measured on `device`."""
    if device.type not in MODES:
        raise UserError(f"Only a CPU or a GPU with CUDA can be measured, not {device}.")
    here = "on the CPU" if device.type == "cpu" else "on a GPU"
    for name, values, there in (
        ("mode", modes, MODES[device.type]),
        ("precision", precisions, PRECISIONS[device.type]),
    ):
        for value in values:
            if value not in there:
                raise UserError(f"There is no {name} {value} {here}: {', '.join(there)}.")


def measure(
    works: Iterable[Work],
    device: torch.device,
    modes: Sequence[Mode],
    precisions: Sequence[Precision],
    iterations: int,
    say: Say = lambda text: None,
) -> Iterator[Row]:
    """A row for every work in every mode and precision, as they are done; say: what comes next."""
    check(device, modes, precisions)
    # streams, events and graphs are those of this GPU
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        say("the device's ceiling")
        ceilings = {precision: ceiling(device, precision) for precision in precisions}
        for work in works:
            settings, cost = work.config.model_dump(mode="json"), None
            for mode, precision in product(modes, precisions):  # what is compiled comes last
                say(f"{work.name}, {mode}, {precision}")
                how = (mode, precision, ceilings[precision], cost)
                row = _measured(
                    Row(work.name, settings, work.image, *how), work, device, iterations
                )
                cost = row.cost
                # not where an error is handled, whose frames hold the updater
                _clean(device, "compile" in mode)
                yield row


def count(work: Work, device: torch.device) -> Cost:
    """The cost of an iteration, by running one."""
    updater = assemble(work, device)
    accelerate(updater, _how(work, "eager", "fp32"), 1, lambda text: None)
    updater.iteration = steady(updater, work)[0]
    before = updater.images
    with Flops() as flops:
        updater.update()
    return Cost(updater.images - before, flops.total)


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of what runs in it, backward of any order too, by PyTorch's formulas,
    and counts the calls of its operators.

    PyTorch's own FlopCounterMode sorts them by module, which torch.func.grad does not bear.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        result = func(*args, **(kwargs or {}))
        formula: Callable[..., int] | None = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def ceiling(device: torch.device, precision: Precision, side: int | None = None) -> float:
    """FLOP/s of the product of two square matrices in this precision: what the device can do."""
    n = side or SIDE[device.type]
    set_float32(precision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(2, n, n, device=device).to(dtype)
    clock(device, lambda: a @ b, 5)  # warm-up
    return 2 * n**3 / median(clock(device, lambda: a @ b, 15))


def clock(device: torch.device, body: Callable[[], object], n: int) -> list[float]:
    """Seconds from the end of each of n calls of `body` to the end of the next, in the device's own
    time: where a GPU waits for the host, that counts.
    """
    if device.type == "cuda":
        synchronize(device)
        make: Any = torch.cuda.Event
        events = [make(enable_timing=True) for _ in range(n + 1)]
        events[0].record()
        for event in events[1:]:
            body()
            event.record()
        synchronize(device)
        return [a.elapsed_time(b) / 1000 for a, b in pairwise(events)]  # of milliseconds
    times = [time.perf_counter()]
    for _ in range(n):
        body()
        times.append(time.perf_counter())
    return [b - a for a, b in pairwise(times)]


def assemble(work: Work, device: torch.device) -> Updater:
    """A fresh updater over random bytes that lie on the device, or over its algorithm's example."""
    config = work.config
    channels, height, width = work.image
    n = max(2 * config.batch_size, DATA_BYTES // (channels * height * width))
    example = work.algorithm.example
    # over and over: the order of short epochs would be drawn all the time
    data = (
        _random(n, work.image, device) if example is None else example(channels, height).cycled(n)
    )
    spec = fit_spec(data, config.image_size(*data.shape[1:]))
    loader = loader_of(config, data, spec, 0, device=device, dequantize=config.dequantize)
    torch.manual_seed(0)
    return work.algorithm.assemble(config, loader, spec, device)


def _random(n: int, image: Shape, device: torch.device) -> DataSet:
    random = generator(0, "bench", device=device)
    x = torch.randint(256, (n, *image), dtype=torch.uint8, device=device, generator=random)
    return DataSet("random", x, torch.arange(n) % 10, x, classes=tuple("0123456789"))


def steady(updater: Updater, work: Work) -> list[int]:
    """The iterations, of those from work.at on, that are in their commonest stage and phase:
    only such do equal work.
    """
    start = updater.length() // 2 if work.at is None else work.at
    phases = {k: (updater.stage(k), updater.phase(k)) for k in range(start, start + WINDOW)}
    commonest, _ = Counter(phases.values()).most_common(1)[0]
    return [k for k, phase in phases.items() if phase == commonest]


def card(device: torch.device) -> str:
    """What was measured on: the GPU's name, or how many cores of which CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores = min(torch.get_num_threads(), os.cpu_count() or 1)
    return f"{cores} {'core' if cores == 1 else 'cores'} of {cpu_name()}"


def report(rows: Iterable[Row], device: torch.device) -> dict[str, Any]:
    """Rows in plain types, with what they were measured with and when."""
    return {
        "card": card(device),
        "date": date.today().isoformat(),
        "environment": environment(device),
        "rows": [row.to_dict() for row in rows],
    }


def _measured(row: Row, work: Work, device: torch.device, iterations: int) -> Row:
    """The row with a timing or an error, and with the cost unless it is known by now."""
    try:
        row = replace(row, cost=row.cost or count(work, device))
        return replace(row, timing=_time(work, device, row.mode, row.precision, iterations))
    except UnusableError:  # nothing else can be measured either
        raise
    except (RuntimeError, StoppedError) as problem:  # of memory, of a compiler, of a loss
        error = "out of memory" if is_out_of_memory(problem) else one_line(problem)
        return replace(row, error=error)


def _time(
    work: Work, device: torch.device, mode: Mode, precision: Precision, iterations: int
) -> Timing:
    """Times a fresh updater; RuntimeError if it cannot run so, StoppedError if its losses are not
    finite.
    """
    _clean(device)
    start = time.perf_counter()
    updater, reasons = assemble(work, device), list[str]()
    accelerate(updater, _how(work, mode, precision), iterations, reasons.append)
    turns, done = cycle(steady(updater, work)), 0

    def update() -> None:
        updater.iteration = next(turns)
        updater.update()

    begun = time.perf_counter()
    while done < UNTIMED[device.type] or time.perf_counter() - begun < SECONDS[device.type]:
        update()
        synchronize(device)
        done += 1
    if reasons:  # it fell back, so that this is no measurement of the mode
        raise RuntimeError(reasons[0])
    warm_up = time.perf_counter() - start
    low, middle, high = quantiles(clock(device, update, iterations), method="inclusive")
    updater.check_finite()
    return Timing(middle, low, high, iterations, warm_up, _peak_memory(device))


def _how(work: Work, mode: Mode, precision: Precision) -> RunConfig:
    return RunConfig(
        algorithm=work.name, precision=precision, graph="graph" in mode, compile="compile" in mode
    )


def _clean(device: torch.device, compiled: bool = False) -> None:
    """Free what the last updater held, and start a new peak."""
    if compiled:
        torch.compiler.reset()
    free(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if (of_card := gpu_memory(device)) is not None:
        return of_card
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""What is tried on a card, step by step; and the same at toy size on the CPU, to try the steps."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.workloads import FID_NAME, WORKLOADS
from ganlib.registry import algorithms
from scripts.first_gpu import judges
from scripts.first_gpu.judges import Found
from scripts.first_gpu.process import Outcome

PARTS = ("trainings", "methods", "speed", "fid", "compile", "profile", "learning", "tests")
"""In this order: that it runs at all and is right comes first, what compiles comes late."""
AT_ONCE = {"methods": 4}
"""Steps that run beside one another; where time is measured, one alone."""
IMPORTS = """
import benchmarks.run, ganlib.commands.bench, ganlib.evaluation
from ganlib.registry import algorithms
print(*(algorithms[name].config.__module__ for name in algorithms.names()))
"""
PARITY = "first_update_is or captured_iterations or no_update_waits"
"""The tests of one method that are right if a card computes what the CPU does, if replays are what
they replay, and if nobody waits for the card."""
COMPILED = ("sngan_resnet", "wgan_gp_resnet", "biggan_cifar", "pix2pix_16")
TESTS = {
    "tests/test_cuda.py": ("deterministic_training or batches_are", 8),
    "tests/methods/test_cuda.py": ("cuda", 3),
    "tests/ganlib/speed/test_bench.py": ("cuda", 2),
    "tests/test_cuda_speed.py": ("compiled", 9),
}
"""All files with tests that need a card; which of them are no method's parity, and the minutes that
they may take."""
BOUND = 10.0
"""FD-fashion to the training images that a training stays below: real images of two or three of the
ten classes have 7 to 17, of one 19 to 27, black images 33. The short runs of both methods in
docs/results.md, of an eighth of the width, end at 4.0 and 5.1; sngan's default recipe at a quarter
of the width has 10.4 after 500 iterations."""


@dataclass(frozen=True)
class Step:
    """A command of Python, at the top of the checkout, with the minutes that it may take.

    read: what it found, besides how the command ended.
    """

    part: str
    name: str
    arguments: tuple[str, ...]
    minutes: float
    read: Callable[[Outcome], Found] = judges.nothing_else

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, *self.arguments)

    @property
    def file(self) -> str:
        """The name of its log, and of the folder of a training, in that of all output."""
        return re.sub(r"[^a-z0-9]+", "_", f"{self.part} {self.name}".lower())


@dataclass(frozen=True)
class Scale:
    """How large the steps are. recipe: how the trainings are made small. works, compiled: the names
    of workloads, and how they and the FID are measured. length, bound: the iterations of the last
    training and its BOUND. slower: the limits are so many times a card's.
    """

    device: str
    methods: Sequence[str]
    recipe: tuple[str, ...]
    works: Sequence[str]
    how: tuple[str, ...]
    compiled: Sequence[str]
    how_compiled: tuple[str, ...]
    how_fid: tuple[str, ...]
    profiled: str
    length: int
    bound: float
    slower: float = 1


BOTH = ("--precision", "tf32", "--precision", "bf16")
FEW = ("--precision", "fp32", "--iterations", "2")
CARD = Scale(
    device="cuda:0",
    methods=algorithms.names(),
    recipe=(),
    works=[work.name for work in WORKLOADS if not work.later],
    how=("--mode", "eager", "--mode", "graph", *BOTH),
    compiled=COMPILED,
    how_compiled=("--mode", "graph", "--mode", "graph+compile", *BOTH),
    how_fid=(),
    profiled="sngan_resnet",
    length=2000,
    bound=BOUND,
)
REHEARSAL = Scale(
    device="cpu",
    methods=("pix2pix", "progressive", "sngan", "wgan"),  # sources, stages, the usual, phases
    recipe=("--preset", "quick", "--batch-size", "8"),
    works=("quickstart",),
    how=("--mode", "eager", *FEW),
    compiled=("quickstart",),
    how_compiled=("--mode", "compile", *FEW),
    how_fid=("--fid-images", "8"),
    profiled="quickstart",
    length=10,
    bound=float("inf"),
    slower=4,  # than a card, with as many processes as cores
)


def steps(out: Path, scale: Scale) -> list[Step]:
    """Every step, in the order in which they are tried; all output goes to `out`."""
    made = [
        *trainings(out, scale),
        *parity(scale),
        *benchmarks(out, scale),
        Step(
            "profile",
            scale.profiled,
            ("-m", "scripts.first_gpu.replay", scale.profiled, "--device", scale.device),
            2 * scale.slower,
        ),
        training(out, scale, "learning", "sngan", scale.length, scale.bound),
        *other_tests(scale),
    ]
    return sorted(made, key=lambda step: PARTS.index(step.part))


def trainings(out: Path, scale: Scale) -> Iterator[Step]:
    """What all else needs, and four short trainings: without and with phases, with gradients of
    gradients, and from sources.
    """
    environment = ("-m", "torch.utils.collect_env")
    yield Step("trainings", "machine", environment, 1, judges.environment)
    yield Step("trainings", "imports", ("-c", IMPORTS), scale.slower)
    for name in ("sngan", "dcgan", "wgan_gp", "pix2pix"):
        yield training(out, scale, "trainings", name, 60)


def training(
    out: Path, scale: Scale, part: str, name: str, n: int, bound: float | None = None
) -> Step:
    """n iterations; evaluated at the end if there is a bound."""
    sources = ("--dataset", "emoji", "--source", "edges") if name == "pix2pix" else ()
    folder, scored = out / f"{part}_{name}", bound is not None
    arguments = (
        *("train.py", "-a", name, "--out", str(folder), "--device", scale.device),
        *("--max-iter", str(n), "--display-interval", str(n // 2), "--sample-interval", str(n)),
        *("--evaluation-interval", str(n if scored else 0), *sources, *scale.recipe),
    )
    read = partial(judges.trained, folder, n, bound)
    return Step(part, name, arguments, scale.slower * (4 if scored else 1.5), read)


def parity(scale: Scale) -> Iterator[Step]:
    """A process for each method: what goes wrong on a card can leave a process without it."""
    files = ("tests/test_cuda.py", "tests/test_cuda_speed.py")
    for name in scale.methods:
        which = f"({PARITY}) and ([{name}- or -{name}])"
        yield tests("methods", name, files, which, scale, 2, 0)


def other_tests(scale: Scale) -> Iterator[Step]:
    """The tests of a card that are no method's own parity, some at once."""
    for file, (which, minutes) in TESTS.items() if scale is CARD else ():
        yield tests("tests", file, (file,), f"cuda and ({which})", scale, minutes, 4)


def tests(
    part: str,
    name: str,
    files: tuple[str, ...],
    which: str,
    scale: Scale,
    minutes: float,
    workers: int,
) -> Step:
    """The tests of some files that pytest's -k chooses by `which`: on a card the usual ones, of
    which the slow ones are those that rehearse them. Another PyTorch may warn of what this one does
    not.
    """
    kind = "not slow" if scale is CARD else "slow"
    how = ("-rfE", "-W", "default", "-n", str(workers), "-m", kind, "-k", which)
    arguments = ("-m", "pytest", *how, *files)
    return Step(part, name, arguments, scale.slower * minutes, judges.all_passed)


def benchmarks(out: Path, scale: Scale) -> Iterator[Step]:
    """Every workload, first without what compiles; a target is that of all ways together."""
    for name in scale.works:
        held = name not in scale.compiled
        yield benchmark(out, scale, "speed", name, scale.how, 2, held)
    yield benchmark(out, scale, "fid", FID_NAME, scale.how_fid, 3, True)
    for name in scale.compiled:
        yield benchmark(out, scale, "compile", name, scale.how_compiled, 5, True)


def benchmark(
    out: Path,
    scale: Scale,
    part: str,
    name: str,
    how: tuple[str, ...],
    minutes: float,
    held: bool,
) -> Step:
    """A workload, or the FID; its results lie beside those of the same part."""
    arguments = (
        *("-m", "benchmarks.run", name, *how),
        *("--device", scale.device, "--results", str(out / part)),
    )
    read = partial(judges.fast_enough, name, out / part, held)
    return Step(part, name, arguments, scale.slower * minutes, read)

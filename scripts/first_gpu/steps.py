"""What is tried on a card, step by step; and the same at toy size on the CPU, to try the steps."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.workloads import FID_NAME, WORKLOADS
from ganlib.common.errors import one_line
from scripts.first_gpu import judges
from scripts.first_gpu.process import Outcome

TESTS = {
    "tests/test_cuda.py": 4,
    "tests/test_cuda_speed.py": 10,
    "tests/methods/test_cuda.py": 3,
    "tests/ganlib/speed/test_bench.py": 2,
}
"""All files with tests that need a card, and the minutes that they may take. Each has a process of
its own, since what goes wrong on a card can leave the process without it."""
MACHINE = "machine"
BOUND = 10.0
"""FD-fashion to the training images that a training stays below: real images of two or three of the
ten classes have 7 to 17, of one 19 to 27, black images 33. The short runs of both methods in
docs/results.md, of an eighth of the width, end at 4.0 and 5.1; sngan's default recipe at a quarter
of the width has 10.4 after 500 iterations."""


@dataclass(frozen=True)
class Step:
    """A command of Python, at the top of the checkout, with the minutes that it may take.

    judge: what of its outcome fell short, besides how the command ended.
    """

    name: str
    arguments: tuple[str, ...]
    minutes: float
    judge: Callable[[Outcome], list[str]] = lambda outcome: []

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, *self.arguments)


@dataclass(frozen=True)
class Done:
    """A step's outcome, and what of it fell short, as it was judged before the next step."""

    outcome: Outcome
    short: list[str]


def judged(step: Step, outcome: Outcome) -> Done:
    """That an outcome cannot be read is short too, and no reason to leave the next steps out."""
    short = judges.ended_well(outcome)
    try:
        short += step.judge(outcome)
    except Exception as error:
        short.append(f"What it left cannot be read: {type(error).__name__}, {one_line(error)}")
    return Done(outcome, short)


def on_card(out: Path) -> list[Step]:
    """Every step; an hour in all, if each takes as long as it may."""
    works = [work.name for work in WORKLOADS if work.work is not None and not work.later]
    add = ("-m", "benchmarks.run", "--add", str(results(out)))
    return [
        machine(),
        *(tests(f"tests {file}", "cuda", (file,), 4, minutes) for file, minutes in TESTS.items()),
        *(benchmark(name, out, (), 2.8) for name in (*works, FID_NAME)),
        Step("benchmark tables", add, 1),
        *trainings(out, (), ("--gpu", "0"), {"sngan": 2000, "wgan_gp": 1000}, BOUND, 4.5),
    ]


def rehearsal(out: Path) -> list[Step]:
    """The same at toy size on the CPU, where tests of a card are left out, but for those of the
    stand-in for one; benchmarks/results stays as it is.
    """
    some = "cuda or (fake_gpu and dcgan)"
    cpu, few = ("--device", "cpu"), {"sngan": 10, "wgan_gp": 10}
    small = ("--preset", "quick", "--batch-size", "8", "--evaluation-images", "100")
    toy = (*small, "--display-interval", "5", "--sample-interval", "10")
    return [
        machine(),
        tests("tests", some, (*TESTS, "tests/test_fake_gpu.py"), 1, 10),
        benchmark("quickstart", out, (*cpu, "--iterations", "2"), 10),
        benchmark(FID_NAME, out, (*cpu, "--fid-images", "8"), 10),
        *trainings(out, toy, cpu, few, math.inf, 10),
    ]


def results(out: Path) -> Path:
    """Where the benchmarks' numbers go at first."""
    return out / "benchmarks"


def machine() -> Step:
    """Card, driver, PyTorch and CUDA."""
    return Step(MACHINE, ("-m", "torch.utils.collect_env"), 1)


def tests(name: str, which: str, files: tuple[str, ...], workers: int, minutes: float) -> Step:
    """The tests of some files that pytest's -k chooses by `which`."""
    how = ("-v", "-rfE", "-n", str(workers), "-k", which)
    return Step(name, ("-m", "pytest", *how, *files), minutes, judges.all_passed)


def benchmark(name: str, out: Path, how: tuple[str, ...], minutes: float) -> Step:
    """A workload, or the FID, in all modes and precisions of the device."""
    folder = results(out)
    arguments = ("-m", "benchmarks.run", name, *how, "--results", str(folder))
    judge = partial(judges.fast_enough, name, folder)
    return Step(f"benchmark {name}", arguments, minutes, judge)


def trainings(
    out: Path,
    recipe: tuple[str, ...],
    device: tuple[str, ...],
    iterations: dict[str, int],
    bound: float,
    minutes: float,
) -> list[Step]:
    """sngan, which then goes on for as long again, and wgan_gp, whose losses, with gradients of
    gradients, are compiled.
    """

    def step(name: str, method: str, start: int, end: int, arguments: tuple[str, ...]) -> Step:
        judge = partial(judges.learned, out / method, start, end, bound)
        last = ("--max-iter", str(end), *device)
        return Step(name, ("train.py", *arguments, *last), minutes, judge)

    def fresh(method: str) -> tuple[str, ...]:
        every = ("--evaluation-interval", str(iterations[method]))
        return ("-a", method, "--out", str(out / method), *every, *recipe)

    n, again = iterations["sngan"], ("--resume", str(out / "sngan"))
    return [
        step("training sngan", "sngan", 0, n, fresh("sngan")),
        step("training sngan resumed", "sngan", n, 2 * n, again),
        step(
            "training wgan_gp",
            "wgan_gp",
            0,
            iterations["wgan_gp"],
            (*fresh("wgan_gp"), "--compile"),
        ),
    ]

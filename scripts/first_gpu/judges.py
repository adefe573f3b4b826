"""What a step found, read off its outcome and what it left: what of it fell short, in sentences,
and its numbers.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.workloads import CARD, FID_NAME, FID_TARGET_SECONDS, WORKLOADS
from ganlib.commands.bench import number
from ganlib.common.io.jsonl import read_lines
from ganlib.speed.bench import Row
from ganlib.training.scores.scorer import SCORES
from scripts.first_gpu.process import Outcome

TARGETS = {work.name: work.target for work in WORKLOADS}
FELL_BACK = re.compile(r"^.*\bstays? slower: .*$", re.MULTILINE)
"""What a run says of updates that are not captured, and of losses that are not compiled."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+)$", re.MULTILINE)
PASSED = re.compile(r"^.*\b(\d+) passed\b", re.MULTILINE)
ENVIRONMENT = re.compile(
    r"^(PyTorch version|CUDA used to build PyTorch|Python version|GPU 0|Nvidia driver version|"
    r"cuDNN version|Model name):\s*(.+?)\s*$",
    re.MULTILINE,
)
"""The lines of torch.utils.collect_env that are kept."""


@dataclass(frozen=True)
class Found:
    """short: what fell short. numbers: what was measured, by name."""

    short: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)


def ended_well(outcome: Outcome) -> list[str]:
    """Of every command."""
    if outcome.status is None:
        return [f"Its time was over after {outcome.seconds:.0f} s."]
    if outcome.status != 0:
        last = outcome.output.strip().splitlines()[-1:] or ["it printed nothing"]
        return [f"It ended with status {outcome.status}: {last[0].strip(' =')}"]
    return []


def nothing_else(outcome: Outcome) -> Found:
    """Of a command whose status says all."""
    return Found()


def environment(outcome: Outcome) -> Found:
    """Of torch.utils.collect_env: card, driver, PyTorch and CUDA."""
    return Found(numbers=dict(ENVIRONMENT.findall(outcome.output)))


def all_passed(outcome: Outcome) -> Found:
    """Of pytest -rfE. That none passed is short too: there was no card."""
    passed = PASSED.search(outcome.output)
    none = [] if passed else ["No test passed."]
    return Found(
        [*FAILED.findall(outcome.output), *none], {"passed": int(passed[1]) if passed else 0}
    )


def fast_enough(name: str, folder: Path, held: bool, outcome: Outcome) -> Found:
    """Of a workload, or the FID, whose results lie in `folder`: milliseconds an iteration, or
    seconds, of each way. held: to its target, which is one for CARD.
    """
    for card, runs in table.read(folder).items():
        if name in runs:
            failed, numbers = _times(name, runs[name]["rows"])
            slow = _beside_target(name, numbers) if held and numbers and card == CARD else ()
            return Found([*failed, *slow], numbers)
    return Found(["It left no results."])


def _times(name: str, records: list[dict[str, Any]]) -> tuple[list[str], dict[str, float]]:
    """Why some rows have no time; of the others the time, in the target's unit, by their way."""
    if name == FID_NAME:
        parts = {"": "seconds", ", the distance alone": "distance"}
        return [], {
            record["precision"] + part: record[key]
            for part, key in parts.items()
            for record in records
        }
    rows = [Row.from_dict(record) for record in records]
    failed = [f"{r.mode}, {r.precision} failed: {r.error}" for r in rows if r.timing is None]
    return failed, {f"{r.mode}, {r.precision}": 1000 * r.timing.seconds for r in rows if r.timing}


def _beside_target(name: str, numbers: dict[str, float]) -> Iterator[str]:
    target, unit = (FID_TARGET_SECONDS, "s") if name == FID_NAME else (TARGETS[name], "ms")
    best, way = min((value, way) for way, value in numbers.items() if not way.endswith("alone"))
    if target is not None and best > target:
        yield f"The best is {number(best)} {unit} ({way}), the target {target:g} {unit}."


def trained(folder: Path, end: int, bound: float | None, outcome: Outcome) -> Found:
    """Of a training in `folder` to iteration `end`: what it did its work with, that its log is
    whole and finite, and, if there is a bound, that its Frechet distance is no more.
    """
    short = [line.strip() for line in FELL_BACK.findall(outcome.output)]
    log = read_lines(folder / "log.jsonl")
    short += [*whole(log, end), *not_finite(log)]
    numbers = {"images_per_second": log[-1]["images_per_second"]} if log else {}
    if bound is not None:
        name, value = newest_distance(folder, end) or ("its Frechet distance", math.nan)
        numbers[name] = value
        if not value <= bound:
            short.append(f"At iteration {end} {name} is {value:.2f}, the bound {bound:g}.")
    return Found(short, numbers)


def whole(log: list[dict[str, Any]], end: int) -> Iterator[str]:
    """A log has a line for every so many iterations, up to the end."""
    done = [line["iteration"] for line in log]
    if not done:
        yield "It has no log."
    elif done != list(range(done[0], end + 1, done[0])):
        yield f"Its log has gaps, or ends too early: at iteration {done[-1]} of {end}."


def not_finite(log: list[dict[str, Any]]) -> Iterator[str]:
    """The first iteration at which a number of the log is none."""
    for line in log:
        names = [k for k, v in line.items() if isinstance(v, float) and not math.isfinite(v)]
        if names:
            yield f"At iteration {line['iteration']} {', '.join(names)} is NaN or infinite."
            return


def newest_distance(folder: Path, iteration: int) -> tuple[str, float] | None:
    """Name and value of the Frechet distance to the training images at an iteration."""
    for line in read_lines(folder / SCORES):
        if line["iteration"] == iteration:
            for name, score in line["scores"].items():
                if name.startswith("FD-") and name.endswith("-train"):
                    return name, score["value"]
    return None

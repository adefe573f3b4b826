"""What of a step's outcome fell short, in sentences; none if nothing did."""

import math
import re
from collections.abc import Iterator
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
RESULT = re.compile(r"^\[gw\d+\] \[ *\d+%\] ([A-Z]+) (.+?) *$", re.MULTILINE)
REASON = re.compile(r"^(?:FAILED|ERROR) (.+?) - (.+)$", re.MULTILINE)


def ended_well(outcome: Outcome) -> list[str]:
    """Of every command."""
    if outcome.status is None:
        return [f"Its time was over after {outcome.seconds:.0f} s."]
    if outcome.status != 0:
        last = outcome.output.strip().splitlines()[-1:] or ["it printed nothing"]
        return [f"It ended with status {outcome.status}: {last[0].strip(' =')}"]
    return []


def all_passed(outcome: Outcome) -> list[str]:
    """Of pytest -v with workers. That all were skipped is short too: there was no card."""
    results = {name: word for word, name in RESULT.findall(outcome.output)}
    reasons = dict(REASON.findall(outcome.output))
    short = [
        f"{name}: {reasons.get(name, word.lower())}"
        for name, word in results.items()
        if word in ("FAILED", "ERROR")
    ]
    if "PASSED" not in results.values():
        short.append(f"No test passed, and {list(results.values()).count('SKIPPED')} were skipped.")
    return short


def fast_enough(name: str, folder: Path, outcome: Outcome) -> list[str]:
    """Of a workload, or the FID, whose results lie in `folder`; targets are those of CARD."""
    for card, runs in table.read(folder).items():
        if name in runs:
            failed, timed = _times(name, runs[name]["rows"])
            return [*failed, *(_beside_target(name, *min(timed)) if timed and card == CARD else ())]
    return ["It left no results."]


def _times(name: str, records: list[dict[str, Any]]) -> tuple[list[str], list[tuple[float, str]]]:
    """Why some rows have no time; of the others the time, in the target's unit, and the way."""
    if name == FID_NAME:
        return [], [(record["seconds"], record["precision"]) for record in records]
    rows = [Row.from_dict(record) for record in records]
    failed = [f"{r.mode}, {r.precision} failed: {r.error}" for r in rows if r.timing is None]
    timed = [(1000 * r.timing.seconds, f"{r.mode}, {r.precision}") for r in rows if r.timing]
    return failed, timed


def _beside_target(name: str, best: float, way: str) -> Iterator[str]:
    target, unit = (FID_TARGET_SECONDS, "s") if name == FID_NAME else (TARGETS[name], "ms")
    if target is not None and best > target:
        yield f"The best is {number(best)} {unit} ({way}), the target {target:g} {unit}."


def learned(folder: Path, start: int, end: int, bound: float, outcome: Outcome) -> list[str]:
    """Of a training in `folder` from iteration `start` to `end`: what it did its work with, that
    its log is whole and finite, and that its Frechet distance is no more than `bound`.
    """
    short = [line.strip() for line in FELL_BACK.findall(outcome.output)]
    begins = f"Continuing at iteration {start} " if start else "Training "
    if not re.search(f"^{begins}", outcome.output, re.MULTILINE):
        short.append(f"It did not begin at iteration {start}.")
    log = read_lines(folder / "log.jsonl")
    short += [*whole(log, end), *not_finite(log)]
    distance = newest_distance(folder, end)
    if distance is None:
        short.append(f"It has no score at iteration {end}.")
    elif not distance[1] <= bound:
        short.append(f"{distance[0]} is {distance[1]:.2f}, above the bound {bound:g}.")
    return short


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

"""The outcomes as one page of Markdown, what fell short first."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from benchmarks import table
from benchmarks.workloads import CARD, FID_NAME
from ganlib.common.io.jsonl import read_lines
from scripts.first_gpu import judges
from scripts.first_gpu.steps import MACHINE, Done, Step, results

AllDone = Mapping[str, Done]
"""By the name of the step; those that were not run are missing."""
WANTED = (
    "PyTorch version",
    "CUDA used to build PyTorch",
    "Python version",
    "GPU models and configuration",
    "GPU 0",
    "Nvidia driver version",
    "cuDNN version",
    "Model name",
)
"""The lines of torch.utils.collect_env that are shown."""


def shortfalls(steps: Sequence[Step], done: AllDone) -> list[str]:
    """What fell short, a sentence each that begins with the step's name."""
    nothing = ["It was not run."]
    return [
        f"{step.name}: {sentence}"
        for step in steps
        for sentence in (done[step.name].short if step.name in done else nothing)
    ]


def page(title: str, steps: Sequence[Step], done: AllDone, out: Path) -> str:
    """The whole summary; pictures and logs are named as they lie in `out`."""
    short = shortfalls(steps, done)
    parts = [
        f"# {title}, {datetime.now():%Y-%m-%d %H:%M}",
        _bullets(_machine(done)),
        "## What fell short",
        _bullets(short) if short else "Nothing.",
        "## Steps",
        _steps(steps, done),
        "## Times",
        *_times(out),
        "## Trainings",
        *_trainings(out),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def log_name(number: int, step: Step) -> str:
    """The file with what the step printed."""
    return f"{number:02}_{re.sub(r'[^a-z0-9]+', '_', step.name)}.log"


def _machine(done: AllDone) -> list[str]:
    printed = done[MACHINE].outcome.output if MACHINE in done else ""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    return [line for line in lines if line.startswith(WANTED) and not line.endswith(":")]


def _steps(steps: Sequence[Step], done: AllDone) -> str:
    lines = ["| step | end | seconds | printed |", "| --- | --- | ---: | --- |"]
    for number, step in enumerate(steps, 1):
        if step.name not in done:
            lines.append(f"| {step.name} | not run | | |")
            continue
        outcome, log = done[step.name].outcome, log_name(number, step)
        end = "time over" if outcome.status is None else f"status {outcome.status}"
        lines.append(f"| {step.name} | {end} | {outcome.seconds:.0f} | [{log}]({log}) |")
    return "\n".join(lines)


def _times(out: Path) -> list[str]:
    folder = results(out)
    parts = []
    for card, runs in table.read(folder).items():
        parts += [f"{card}:", table.alone(runs)]
        if card != CARD:
            parts.append(f"The targets are for one {CARD}: they are not asked of this device.")
        if any(fid["weights"] == "random" for fid in runs.get(FID_NAME, {"rows": []})["rows"]):
            parts.append(
                "Inception's published weights are not on this machine: the FID was timed with "
                "random ones, which take as long."
            )
    return parts or ["None."]


def _trainings(out: Path) -> list[str]:
    parts = []
    for path in sorted(out.glob("*/log.jsonl")):
        folder, log = path.parent, read_lines(path)
        if not log:
            continue
        last = log[-1]["iteration"]
        words = [f"{last:,} iterations", f"{log[-1]['images_per_second']:,.0f} images/s"]
        distance = judges.newest_distance(folder, last)
        if distance is not None:
            words.append(f"{distance[0]} {distance[1]:.2f}")
        parts.append(f"{folder.name}: {', '.join(words)}.")
        picture = folder / "samples" / f"{last:07d}.png"
        if picture.exists():
            parts.append(f"![samples of {folder.name}]({picture.relative_to(out)})")
    return parts or ["None."]


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)

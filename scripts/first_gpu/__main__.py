"""Try on a CUDA card what only a card can show. Start scripts/first_gpu.sh, or
`python -m scripts.first_gpu` at the top of the checkout.
"""

import asyncio
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import torch

from ganlib.__main__ import in_a_sentence
from ganlib.common.errors import UserError, did_you_mean, one_line
from ganlib.common.io.files import atomic
from ganlib.common.io.jsonl import append_line, read_lines
from scripts.first_gpu import judges
from scripts.first_gpu.judges import Found
from scripts.first_gpu.process import Outcome, perform
from scripts.first_gpu.steps import AT_ONCE, CARD, PARTS, REHEARSAL, Step, steps

ROOT = Path(__file__).parents[2]
DONE = "steps.jsonl"
"""A line for every step that has ended."""
LEFT_OUT = ("snapshots", "tensorboard")
"""Of the archive: large, and of no use without the run."""
SAVING = 15.0
"""Seconds of what is left at the end, for the archive."""


@click.command()
@click.option(
    "--only",
    metavar="PART[,PART]...",
    help=f"Of {', '.join(PARTS)}.  [default: all, in this order]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    help="Begin no step whose limit is later than that.  [default: no end]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("result/first_gpu"),
    show_default=True,
    help="Folder for all output; steps that have ended there are not done again.",
)
@click.option("--rehearse", is_flag=True, help="The same steps at toy size on the CPU.")
def command(only: str | None, minutes: float | None, out: Path, rehearse: bool) -> None:
    """Try on the first CUDA card what only a card can show, in half an hour.

    Each step is a process with a time limit, and the next one is run however it ended. What is
    known of a step is a line of JSON, printed and kept in steps.jsonl of the folder --out, where
    all output is; everything is in the archive beside that folder too, and the same command again
    does what is left. Status 1 if anything fell short, 2 without a card.
    """
    end = time.monotonic() + 60 * minutes - SAVING if minutes is not None else float("inf")
    if rehearse:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the tests would use a card
    elif not torch.cuda.is_available():
        raise UserError(
            "PyTorch sees no CUDA card, and all of this needs one; --rehearse goes through every "
            "step at toy size on the CPU."
        )
    chosen = parts(only)
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    planned = steps(out, REHEARSAL if rehearse else CARD)
    try:
        asyncio.run(tried([step for step in planned if step.part in chosen], out, end))
    finally:
        archive(out)
    sys.exit(1 if told(planned, out) else 0)


def parts(only: str | None) -> Sequence[str]:
    """The parts that are named, by default all; UserError for one that is not there."""
    names = PARTS if only is None else tuple(only.split(","))
    for name in names:
        if name not in PARTS:
            raise UserError(
                f"There is no part '{name}': {', '.join(PARTS)}.{did_you_mean(name, PARTS)}"
            )
    return names


async def tried(planned: Sequence[Step], out: Path, end: float) -> None:
    """Do what has not been done, until `end` of the monotonic clock."""
    done = {line["step"] for line in lines(out)}
    for part, group in groupby(planned, key=lambda step: step.part):
        free = asyncio.Semaphore(AT_ONCE.get(part, 1))
        left = [step for step in group if step.file not in done]
        await asyncio.gather(*(one(step, out, end, free) for step in left))


async def one(step: Step, out: Path, end: float, free: asyncio.Semaphore) -> None:
    """Do a step when it is its turn, if there is time for it; a line says what is known."""
    async with free:
        if time.monotonic() + 60 * step.minutes > end:
            return
        shutil.rmtree(out / step.file, ignore_errors=True)  # of a call that was ended in it
        log = out / f"{step.file}.log"
        outcome = await perform(step.command, ROOT, 60 * step.minutes, log)
    line = {"step": step.file, **record(step, outcome)}
    append_line(out / DONE, line)
    click.echo(json.dumps(line))


def record(step: Step, outcome: Outcome) -> dict[str, Any]:
    """What is known of a step. That an outcome cannot be read is short too, and no reason to leave
    the next steps out.
    """
    try:
        found = step.read(outcome)
    except Exception as error:
        what = f"{type(error).__name__}, {one_line(error)}"
        found = Found([f"What it left cannot be read: {what}"])
    short = [*judges.ended_well(outcome), *found.short]
    seconds = round(outcome.seconds, 1)
    return {"status": outcome.status, "seconds": seconds, "short": short, **found.numbers}


def lines(out: Path) -> list[dict[str, Any]]:
    """Of the steps that have ended."""
    return read_lines(out / DONE, {"step": lambda name: isinstance(name, str)})


def archive(out: Path) -> None:
    """All output but what is LEFT_OUT, in one file beside the folder."""

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if Path(member.name).name in LEFT_OUT else member

    path = out.with_name(f"{out.name}.tar.gz")
    with atomic(path) as temporary, tarfile.open(temporary, "w:gz") as file:
        file.add(out, out.name, filter=wanted)


def told(planned: Sequence[Step], out: Path) -> list[str]:
    """What fell short, printed with what is left."""
    ended = {line["step"]: line["short"] for line in lines(out)}
    left = [step.file for step in planned if step.file not in ended]
    short = [f"{name}: {sentence}" for name, said in ended.items() for sentence in said]
    click.echo("\nWhat fell short:" if short else "\nNothing fell short.")
    for sentence in short:
        click.echo(f"- {sentence}")
    if left:
        click.echo(f"Not done yet: {', '.join(left)}. The same command does what is left.")
    click.echo(f"All output: {out}, and in {out.name}.tar.gz beside it.")
    return short


if __name__ == "__main__":
    in_a_sentence(command)

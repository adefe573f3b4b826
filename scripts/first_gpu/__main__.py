"""Try on a CUDA card what only a card can show. Start scripts/first_gpu.sh, or
`python -m scripts.first_gpu` at the top of the checkout.
"""

import os
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import click
import torch

from ganlib.common.errors import UserError
from ganlib.common.io.files import atomic
from scripts.first_gpu.process import perform
from scripts.first_gpu.steps import Done, Step, judged, on_card, rehearsal
from scripts.first_gpu.summary import log_name, page, shortfalls

ROOT = Path(__file__).parents[2]
SHOWN = 20  # lines of what fell short; the summary has all


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("result/first_gpu"),
    show_default=True,
    help="Folder for all output; with a number if it is there already.",
)
@click.option("--rehearse", is_flag=True, help="Every step at toy size on the CPU.")
def command(out: Path, rehearse: bool) -> None:
    """Try on the first CUDA card what only a card can show, in an hour at most.

    The tests that need a card, the benchmarks, the time of a FID, and two short trainings, of which
    one is resumed. Each step has a time limit, and the next one is run however it ended. What every
    step printed, and summary.md, are in the folder --out; what the benchmarks measured is in
    benchmarks/ and in its README's tables too. Status 1 if anything fell short, 2 without a card.
    """
    if rehearse:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the tests would use a card
    elif not torch.cuda.is_available():
        raise UserError(
            "PyTorch sees no CUDA card, and all of this needs one; --rehearse goes through every "
            "step at toy size on the CPU."
        )
    folder = fresh_folder(out.absolute())
    title = "Rehearsal on the CPU" if rehearse else "First run on a CUDA card"
    steps = rehearsal(folder) if rehearse else on_card(folder)
    sys.exit(1 if tried(title, steps, folder) else 0)


def fresh_folder(wanted: Path) -> Path:
    """The folder itself or, if it is there already, the first free one of -2, -3, ..."""
    names = (wanted if k == 1 else wanted.with_name(f"{wanted.name}-{k}") for k in count(1))
    folder = next(name for name in names if not name.exists())
    folder.mkdir(parents=True)
    return folder


def tried(title: str, steps: Sequence[Step], folder: Path) -> list[str]:
    """Do one step after the other; what fell short. The summary is written after each."""
    longest = sum(step.minutes for step in steps)
    click.echo(f"{len(steps)} steps, of {longest:g} minutes at most. Output: {folder}")
    done: dict[str, Done] = {}
    for number, step in enumerate(steps, 1):
        click.echo(f"{number}/{len(steps)} {step.name} ... ", nl=False)
        log = folder / log_name(number, step)
        outcome = perform(step.command, ROOT, 60 * step.minutes, log)
        done[step.name] = judged(step, outcome)
        n = len(done[step.name].short)
        click.echo(f"{f'fell short in {n}' if n else 'good'}, {outcome.seconds:.0f} s")
        with atomic(folder / "summary.md") as temporary:
            temporary.write_text(page(title, steps, done, folder), "utf-8")
    return told(shortfalls(steps, done), folder)


def told(short: list[str], folder: Path) -> list[str]:
    """What fell short, printed as well."""
    click.echo("\nWhat fell short:" if short else "\nNothing fell short.")
    for sentence in short[:SHOWN]:
        click.echo(f"- {sentence}")
    if len(short) > SHOWN:
        click.echo(f"- and {len(short) - SHOWN} more")
    click.echo(f"Summary: {folder / 'summary.md'}")
    return short


def main() -> None:
    """Bad input ends in one sentence and status 2."""
    try:
        command(prog_name="scripts/first_gpu.sh")
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

"""The command line: one verb per file of ganlib/commands."""

import os
import sys
import time
from importlib import import_module
from pathlib import Path

import click

from common.errors import UserError
from common.printable import printable

COMMANDS = Path(__file__).parent / "commands"


class Verbs(click.Group):
    """Verbs that are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(file.stem for file in COMMANDS.glob("*.py") if file.stem != "__init__")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"ganlib.commands.{cmd_name}").command
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ganlib")
def cli() -> None:
    """Train, compare and understand generative adversarial networks."""


def main(*verb: str) -> None:
    """Run the command line; bad input ends in one sentence and status 2, a diverged run in status
    1.
    """
    try:
        cli([*verb, *sys.argv[1:]], prog_name="train.py" if verb else "ganlib")
    except UserError as error:
        _complain(error)
        sys.exit(2)
    except RuntimeError as error:
        if (
            type(error).__name__ != "NonFiniteError"
        ):  # its class comes with torch, which a verb may not need
            raise
        click.echo(f"Stopped: {error}. The last good snapshot is kept.", err=True)
        sys.exit(1)


def _complain(error: UserError) -> None:
    """Print an error; of several processes that have the same, the first one does."""
    rank = int(os.environ.get("RANK", "0"))
    if rank > 0:
        time.sleep(3)  # if rank 0 fails as well, whoever started them ends this one meanwhile
    lines = "\n".join(map(printable, str(error).split("\n")))
    click.echo(f"Error{f' on rank {rank}' if rank else ''}: {lines}", err=True)


if __name__ == "__main__":
    main()

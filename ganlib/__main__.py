"""The command line: one verb per file of ganlib/commands and of its room sampling/."""

import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click

from ganlib.common.errors import StoppedError, UserError, did_you_mean
from ganlib.common.io.console import printable
from ganlib.common.registry import docstring, modules

COMMANDS = Path(__file__).parent / "commands"
VERBS = {"commands": COMMANDS, "commands.sampling": COMMANDS / "sampling"}
CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True}


class Verbs(click.Group):
    """Verbs that are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_verbs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in _verbs():
            near = did_you_mean(cmd_name, self.list_commands(ctx))
            raise UserError(f"There is no verb '{cmd_name}'.{near}")
        room, _ = _verbs()[cmd_name]
        command: click.Command = import_module(f"ganlib.{room}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            files = sorted((name, file) for name, (_, file) in _verbs().items())
            formatter.write_dl([(name, docstring(file)) for name, file in files])


def _verbs() -> dict[str, tuple[str, Path]]:
    """The room and the file of each."""
    return {name: (room, file) for room, folder in VERBS.items() for name, file in modules(folder)}


@click.command(cls=Verbs, context_settings=CONTEXT)
@click.version_option(package_name="ganlib")
def cli() -> None:
    """Train, compare and understand generative adversarial networks."""


def main(verb: str | None = None) -> None:
    """Run the command line, or that of one verb as the script <verb>.py. A warning is one line.
    SIGTERM and SIGHUP end it as Ctrl-C does, which leaves no file half written.
    """
    warnings.formatwarning = _as_line
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP; nohup has it ignored
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)

    def program() -> None:
        command = cli.get_command(click.Context(cli), verb) if verb else cli
        command(prog_name=f"{verb}.py" if verb else "ganlib")

    in_a_sentence(program)


def in_a_sentence(program: Callable[[], object]) -> None:
    """Run it. Bad input ends in one sentence and status 2, a run that could not go on in status
    1.
    """
    try:
        program()
    except UserError as error:
        _complain("Error", str(error))
        sys.exit(2)
    except StoppedError as error:
        _complain("Stopped", str(error))
        sys.exit(1)
    except OSError as error:  # of a file that a user named, and no code has looked at more closely
        named = f"{error.filename}: " if error.filename else ""
        _complain("Error", f"{named}{error.strerror or error}.")
        sys.exit(2)


def _as_line(message: Warning | str, *_: object, **__: object) -> str:
    """A warning without the place in the source that it comes from."""
    return f"Warning: {printable(' '.join(str(message).split()))}\n"


def _complain(what: str, text: str) -> None:
    """Print an error; of several processes that have the same, the first that comes does."""
    rank = int(os.environ.get("RANK", "0"))
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # whoever started them ends all of them once one has ended, also the one that is to say it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        from ganlib.training.device import ranks  # with torch, which one process need not wait for

        if not ranks.first_to_say(text):
            return
    lines = "\n".join(map(printable, text.split("\n")))
    with suppress(OSError):  # nobody listens
        click.echo(f"{what}{f' on rank {rank}' if rank else ''}: {lines}", err=True)


if __name__ == "__main__":
    main()

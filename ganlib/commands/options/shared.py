"""Options that mean the same wherever a command has them, and what they say."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ganlib.common.errors import UserError
from ganlib.common.io.files import as_user_error, check_free, reading

if TYPE_CHECKING:
    from ganlib.sampling.model import Model

Part = TypeVar("Part")
Command = TypeVar("Command", bound=Callable[..., Any])
CLASSES = (
    "by its name in any case, its number, or as much of its name as no other class has: "
    "ankle-boot, boot"
)
"""How a class is called on the command line."""


class AtLeast(click.IntRange):
    """A whole number from a least one on, up to a largest one if that is given too."""

    name = "n"  # in capitals, what a help has for the value

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            name = max(param.opts, key=len) if param else ""
            least = self.min if self.max is None else f"{self.min} and at most {self.max}"
            words = f"{name} is {value}; give a whole number of at least {least}."
            raise UserError(words) from None


def device(default: str) -> Callable[[Command], Command]:
    """--gpu and --device; `default` says what is taken without either. See pick_device()."""

    def add(command: Command) -> Command:
        named = click.option("--device", help="The same as a PyTorch device: cpu, cuda:0, mps.")
        numbered = click.option(
            "-g",
            "--gpu",
            type=AtLeast(-1),
            help=f"Number of the GPU, -1 for the CPU.  [default: {default}]",
        )
        return numbered(named(command))

    return add


def _known(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    from ganlib.config import sampling_statistics  # imports pydantic, which --help spares

    with as_user_error(lambda e: f"--statistics is '{value}', but {e}.", ValueError):
        return sampling_statistics(value)


def folder(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """A parameter's callback: UserError if `path`, which is to be a folder, is something else."""
    with reading(path or ""):
        if path is not None and path.exists() and not path.is_dir():
            raise UserError(f"--out {path} is a file; give a folder.")
    return path


plugin_dir = click.option(
    "--plugin-dir", multiple=True, type=click.Path(path_type=Path), help="A folder of your own."
)


def path_option(*names: str, metavar: str = "FILE", **more: Any) -> Callable[[Command], Command]:
    """An option for a file or folder; more: its help, and what else click.option() takes."""
    return click.option(*names, metavar=metavar, type=click.Path(path_type=Path), **more)


def out_folder(what: str) -> Callable[[Command], Command]:
    """--out, a folder that is made if missing; `what` says what comes there."""
    words = f"Where to{what}; made if missing."
    return path_option("-o", "--out", required=True, callback=folder, metavar="FOLDER", help=words)


force = click.option("--force", is_flag=True, help="Write over what is there, whoever made it.")


def served(command: Command) -> Command:
    """--port, --host and --open, of what serves a page."""
    port = click.option(
        "--port", type=click.IntRange(0, 65535), help="Default: 7007, or a free one."
    )
    host = click.option(
        "--host",
        default="127.0.0.1",
        help="By what address it is reached; any but this machine's own needs the token that is "
        "printed.",
    )
    opens = click.option(
        "--open/--no-open", "opens", default=False, help="Open the page in a browser."
    )
    return port(host(opens(command)))


def at(command: Command) -> Command:
    """--at, and --best, which it was before; see chosen()."""
    words = "Of a run's folder: the best snapshot, the newest one, or that of an iteration."
    named = click.option("--at", default="last", metavar="best|last|ITERATION", help=words)
    return named(click.option("--best", is_flag=True, help="The same as --at best.")(command))


def chosen(at: str, best: bool) -> str:
    """Which snapshot is meant; UserError where the two say different things."""
    if best and at not in ("last", "best"):
        raise UserError("Give --at or --best, not both.")
    return "best" if best else at


truncation = click.option(
    "--truncation",
    type=float,
    metavar="PSI",
    help="Keep the latents within [-PSI, PSI], or the codes of a style-based generator PSI of the "
    "way from their average: less variety, often better images.",
)
ema_length = click.option(
    "--ema-length",
    type=float,
    metavar="PART",
    help="By an average of the weights over about this part of the training, 0.01 to 0.25, of a "
    "run with --ema-every.",
)
batch_size = click.option("--batch-size", type=AtLeast(1), default=256, help="Images at a time.")
statistics = click.option(
    "--statistics",
    metavar="WHICH",
    callback=_known,
    help="What batch normalisation uses: running (averages of training), standing:N (of N batches "
    "of fresh latents) or batch (of the samples' own, of a translator each alone).  [default: the "
    "method's]",
)
dataset = click.option(
    "--dataset",
    metavar="NAME",
    help="Of a generator that translates: the data set, folder or file to start from, its test "
    "images if there are any.  [default: the run's]",
)
source = click.option(
    "--source",
    metavar="SOURCE",
    help="Of a generator that translates: what it starts from, as in training; own: what the data "
    "set has itself.  [default: the run's]",
)
back = click.option(
    "--back",
    is_flag=True,
    help="Of a generator that translates both ways: the way back, from images to sources.",
)
data_root = path_option(
    "--data-root", metavar="DIR", help="Folder with the data set's files.  [default: the run's]"
)


def sources(command: Command) -> Command:
    """--dataset, --source, --back and --data-root."""
    return dataset(source(back(data_root(command))))


@dataclass(frozen=True)
class ModelOptions:
    """Which trained generator, on what, and what it starts from if it translates."""

    snapshot: Path
    gpu: int | None = None
    device: str | None = None
    plugin_dir: tuple[Path, ...] = ()
    at: str = "last"
    best: bool = False
    back: bool = False
    dataset: str | None = None
    source: str | None = None
    data_root: Path | None = None
    ema_length: float | None = None

    def load(self) -> "Model":
        """The model, without sources to start from."""
        from ganlib.sampling.loading import load  # imports torch, which --help spares
        from ganlib.training.device.devices import pick_device

        gpu = -1 if self.gpu is None and self.device is None else self.gpu
        place, which = str(pick_device(gpu, self.device)), chosen(self.at, self.best)
        return load(
            self.snapshot,
            place,
            plugin_dir=self.plugin_dir,
            back=self.back,
            at=which,
            ema_length=self.ema_length,
        )

    def give_sources(self, model: "Model") -> None:
        """Let a translator sample; see Model.give_sources."""
        from ganlib.common.query import DataQuery

        model.give_sources(DataQuery(self.dataset, self.data_root, source=self.source))


def part(kind: type[Part], options: Mapping[str, Any]) -> Part:
    """An object of this dataclass, made of the options that are called as its fields are."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in options.items() if name in names})


def handed(kind: type, command: Callable[..., None]) -> Callable[..., None]:
    """A command of such an object, and of the other options."""

    @wraps(command)
    def call(**options: Any) -> None:
        own: Any = part(kind, options)
        command(own, **{name: v for name, v in options.items() if name not in vars(own)})

    return call


def of_model(command: Callable[..., None]) -> Callable[..., None]:
    """A command of SNAPSHOT, with --at, and of ModelOptions."""
    snapshot = click.argument("snapshot", type=click.Path(path_type=Path))
    return snapshot(at(handed(ModelOptions, command)))


def check_file(
    path: Path, suffixes: tuple[str, ...], kinds: str, force: bool, option: str = "--out"
) -> None:
    """UserError unless `path` ends in a suffix (in lower case) and may be written as a file."""
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path} cannot be written: give {kinds}.")
    with reading(path):
        if path.is_dir():
            raise UserError(
                f"{option} {path} is a folder that is there already; give another name."
            )
    check_free([path], force, option)


def numbered(numbers: str, fewest: int = 1) -> list[int]:
    """What --numbers names: so many numbers of samples at least; UserError for anything else."""
    found = []
    with suppress(ValueError):
        found = [int(number) for number in numbers.split(",")]
    if len(found) < fewest:
        words = "one" if fewest == 1 else "two"
        raise UserError(f"--numbers is '{numbers}'; give {words} or more numbers, such as 3,8,1.")
    if min(found) < 0:
        raise UserError(f"There is no sample number {min(found)}: samples count from 0.")
    return found


def called(model: "Model", snapshot: Path, words: Sequence[str]) -> list[int]:
    """The classes that these words call, in order; UserError if one is not there, or none."""
    from ganlib.common.data.classes import find_classes

    if words and not model.updater.classes:
        raise UserError(
            f"The generator of {snapshot} is told no classes, so there are none to ask for."
        )
    return find_classes(words, model.updater.classes)

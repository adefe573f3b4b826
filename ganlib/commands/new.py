"""Start an algorithm of your own from one that is there."""

import ast
import re
import shutil
from keyword import iskeyword
from pathlib import Path

import click

import ganlib
from ganlib.commands.options import shared
from ganlib.common.errors import UserError
from ganlib.common.io.files import check_free, output, staged
from ganlib.registry import PLUGINS, algorithms

HOME = Path(ganlib.__file__).parent
# Folders of a plugin folder that hold something else than an algorithm, and what ganlib gives.
TAKEN = {*PLUGINS, *ganlib.__all__}
DOCSTRING = """\
Starts from {origin}; say here in one sentence what is new.

Here your paper, if there is one: authors, year, its URL.
"""


@click.command()
@click.argument("name")
@click.option(
    "--from", "origin", default="wgan_gp", metavar="NAME", help="The algorithm to start from."
)
@click.option(
    "--plugin-dir",
    type=click.Path(path_type=Path),
    help="A folder of your own to put it in, made if missing; default: ganlib/ itself in a "
    "checkout, else the current folder.",
)
@shared.force
def command(name: str, origin: str, plugin_dir: Path | None, force: bool) -> None:
    """Start an algorithm of your own from one that is there.

    Writes the folder NAME, which works at once; change its update_core() and its networks.
    """
    checkout = (HOME.parent / "setup.cfg").is_file()  # and not among installed packages
    if plugin_dir is None and not checkout:
        plugin_dir = Path(".")
    folder = start(name, origin, HOME if plugin_dir is None else plugin_dir, force)
    place = "" if plugin_dir is None else f" --plugin-dir {plugin_dir}"
    files = ", ".join(file.name for file in sorted(folder.iterdir()))
    click.echo(f"{folder}: {files}")
    train = "python train.py" if checkout else "ganlib train"
    click.echo(f"Train it:  {train} --algorithm {name}{place}")
    click.echo(f"Check it:  ganlib check {name}{place}")


def start(name: str, origin: str, home: Path, force: bool = False) -> Path:
    """Make home/name, a copy of the algorithm `origin` under a new name; whole or not there.

    UserError if the name cannot be an algorithm's, is taken, or `origin` is not a folder. force:
    write over the files of a folder of this name, unless it lies in ganlib/ itself.
    """
    if home.is_dir():
        algorithms.add_folder(home.resolve())
    source = algorithms.check(origin).source
    if source is None or not source.is_file():
        raise UserError(f"'{origin}' is no folder of files to start from; choose another --from.")
    _check(name, home, force)
    folder = home / name
    again = folder.is_dir()
    with output(folder), staged(folder if again else home) as temporary:
        copy = temporary if again else temporary / name
        ignore = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(source.parent, copy, ignore=ignore, dirs_exist_ok=True)
        _rename(copy, name, origin)
    return folder


def _check(name: str, home: Path, force: bool) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or iskeyword(name):
        raise UserError(
            f"'{name}' cannot be an algorithm's name: give lower-case letters, digits and _, "
            "a letter first, and no word of Python's own."
        )
    own = None if home.resolve() == HOME.resolve() else home / name
    if own is not None:
        check_free([own], force, "name")
    if name in algorithms.names():
        taken = algorithms.check(name)
        if own is None or taken.source is None or taken.source.parent != own.resolve():
            raise UserError(f"There is an algorithm '{name}' already ({taken.place}).")
    for path in (home, HOME):
        for there in (path / name, path / f"{name}.py"):
            if there.exists() and there != own:
                raise UserError(f"{there} is there already; choose another name.")
    if name in TAKEN:
        raise UserError(f"'{name}' means something else in ganlib; choose another name.")


def _rename(folder: Path, name: str, origin: str) -> None:
    for file in folder.rglob("*.py"):
        text = file.read_text("utf-8")
        file.write_text(re.sub(rf"\bganlib\.{origin}\b", f"ganlib.{name}", text), "utf-8")
    init = folder / "__init__.py"
    init.write_text(_say_origin(init.read_text("utf-8"), origin), "utf-8")
    readme = Path(__file__).with_name("new.md").read_text("utf-8")
    (folder / "README.md").write_text(readme.format(name=name, origin=origin), "utf-8")


def _say_origin(source: str, origin: str) -> str:
    """A module's source with a docstring that names no paper but asks for one."""
    body, lines = ast.parse(source).body, source.splitlines(keepends=True)
    new = f'"""{DOCSTRING.format(origin=origin)}"""\n'
    if ast.get_docstring(ast.parse(source)) is None:
        return f"{new}\n{source}"
    start, end = body[0].lineno - 1, body[0].end_lineno
    return "".join([*lines[:start], new, *lines[end:]])

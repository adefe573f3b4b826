"""Where the verbs write what --out names."""

from pathlib import Path

import click

from ganlib.common.errors import UserError
from ganlib.common.io.files import check_free, reading

force = click.option("--force", is_flag=True, help="Write over what is there, whoever made it.")


def check_file(
    path: Path, suffixes: tuple[str, ...], kinds: str, force: bool, option: str = "--out"
) -> None:
    """UserError unless `path` ends in one of the suffixes (in lower case), and is no folder and no
    file that must not be written over.
    """
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path} cannot be written: give {kinds}.")
    with reading(path):
        if path.is_dir():
            raise UserError(
                f"{option} {path} is a folder that is there already; give another name."
            )
    check_free([path], force, option)


def check_folder(out: Path) -> None:
    """UserError if `out`, which is to be a folder, is something else."""
    with reading(out):
        if out.exists() and not out.is_dir():
            raise UserError(f"--out {out} is a file; give a folder.")

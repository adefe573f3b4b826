"""Image files that a translator is given, and the names of what it makes of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ganlib.common.errors import UserError
from ganlib.common.io.files import check_free, expand, reading

MOST = 10**6
"""Files that are made of others, where several are made of each."""


class Job(NamedTuple):
    """A file, and the names of what is made of it."""

    source: Path
    targets: tuple[Path, ...]


def jobs(inputs: Sequence[Path], out: Path, outputs: int, force: bool) -> list[Job]:
    """What there is to be done to the image files `inputs`, and to those in the folders among them:
    `outputs` PNG files of the same names in `out`, several with a number.

    UserError if there are no such files, if two would become one, if a result lies where an input
    is, or where another file is and `force` does not say that this is meant.
    """
    places = list(_found(inputs, out))
    if outputs > 1 and len(places) * outputs > MOST:
        raise UserError(
            f"{len(places):,} files with {outputs:,} outputs each are too many to write: give "
            f"--outputs {max(1, MOST // len(places))} or less."
        )
    found = [
        Job(path, tuple(out / name for name in _names(place, outputs))) for path, place in places
    ]
    _check_apart(found)
    _check_inputs(found)
    check_free((target for job in found for target in job.targets), force)
    return found


def _found(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Every image file, and its place below the input that it is from."""
    from ganlib.common.formats.decode import SUFFIXES
    from ganlib.common.formats.files import files

    for given in map(expand, inputs):
        with reading(given):
            folder, there = given.is_dir(), given.exists()
        if not there:
            raise UserError(f"There is no file or folder {given}.")
        if not folder:
            yield given, Path(given.name)
            continue
        images = [p for p in files(given) if p.suffix.lower() in SUFFIXES]
        inside = out.resolve() if out.resolve() != given.resolve() else None
        images = [p for p in images if inside is None or not p.resolve().is_relative_to(inside)]
        if not images:
            endings = " ".join(sorted(SUFFIXES))
            raise UserError(f"{given} holds no images, files that end in one of {endings}.")
        for path in images:
            yield path, path.relative_to(given)


def _names(place: Path, outputs: int) -> list[Path]:
    suffix = place.suffix if place.suffix.lower() == ".png" else ".png"
    if outputs == 1:
        return [place.with_suffix(suffix)]
    return [place.with_name(f"{place.stem}_{k}{suffix}") for k in range(outputs)]


def _check_apart(found: Sequence[Job]) -> None:
    owners: dict[Path, Path] = {}
    for job in found:
        for target in job.targets:
            if target in owners:
                raise UserError(
                    f"{owners[target]} and {job.source} would both become {target}: translate them "
                    "one after the other, with another --out."
                )
            owners[target] = job.source


def _check_inputs(found: Sequence[Job]) -> None:
    sources = {job.source.resolve() for job in found}
    for job in found:
        for target in job.targets:
            if target.resolve() in sources:
                raise UserError(f"{target} is an input, which stays as it is: give another --out.")

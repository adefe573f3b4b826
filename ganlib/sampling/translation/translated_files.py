"""A translator applied to files: which there are, and what became of them."""

from collections.abc import Iterator, Sequence
from errno import ENAMETOOLONG
from pathlib import Path
from typing import NamedTuple

from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import count
from ganlib.common.formats.decode import SUFFIXES, Unusable
from ganlib.common.formats.folders import files
from ganlib.common.io.console import progress
from ganlib.common.io.files import check_free, expand, reading, writing
from ganlib.common.pictures import write_image
from ganlib.sampling.translation.source_images import Reader
from ganlib.sampling.translation.translator import Translator

MOST_FILES = 10**6
"""That are made of others, where several are made of each."""


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
    places = list(found_files(inputs, out))
    if outputs > 1 and len(places) * outputs > MOST_FILES:
        raise UserError(
            f"{len(places):,} files with {outputs:,} outputs each are too many to write: give "
            f"--outputs {max(1, MOST_FILES // len(places))} or less."
        )
    found = [
        Job(path, tuple(out / name for name in _names(place, outputs))) for path, place in places
    ]
    _check(found)
    check_free((target for job in found for target in job.targets), force)
    return found


def found_files(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Every image file, and its place below the input that it is from."""
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


def left_out(useless: Sequence[tuple[Path, str]]) -> str:
    """Of files, each with the reason: how many, and the first."""
    (path, reason), n = useless[0], len(useless)
    first = f", the first {path} ({reason})" if n > 1 else f": {path} ({reason})"
    return f"{count(n, 'file was', 'files were')} left out{first}"


def _names(place: Path, outputs: int) -> list[Path]:
    suffix = place.suffix if place.suffix.lower() == ".png" else ".png"
    if outputs == 1:
        return [place.with_suffix(suffix)]
    return [place.with_name(f"{place.stem}_{k}{suffix}") for k in range(outputs)]


def _check(found: Sequence[Job]) -> None:
    owners: dict[Path, Path] = {}
    sources = {job.source.resolve() for job in found}
    for source, target in ((job.source, target) for job in found for target in job.targets):
        if target in owners:
            raise UserError(
                f"{owners[target]} and {source} would both become {target}: translate them one "
                "after the other, with another --out."
            )
        if target.resolve() in sources:
            raise UserError(f"{target} is an input, which stays as it is: give another --out.")
        owners[target] = source


class TranslatedFiles:
    """Counts of files. whole: whether the images of training were whole files, made smaller, and no
    crops of them.
    """

    def __init__(self, translator: Translator, reader: Reader, whole: bool = False) -> None:
        self.translator, self.reader, self.whole = translator, reader, whole
        self.done = self.padded = self.cut = self.large = 0
        self.useless: list[tuple[Path, str]] = []

    def make(self, work: Sequence[Job]) -> None:
        """Write what is to be made. What cannot be read, is nothing for the network, or would have
        too long a name is left out; UserError if that is all, or if something cannot be written.
        """
        with progress("translating", len(work)) as advance:
            for job in work:
                self._make(job)
                advance(1)
        if not self.done:
            raise UserError(f"Nothing was translated: {left_out(self.useless)}.")

    def remarks(self) -> list[str]:
        """What is worth saying of all files, in a line for each thing."""
        changes = {
            "padded by repeating the border": self.padded,
            "made in tiles that are blended": self.cut,
        }
        parts = [f"{n:,} {'was' if n == 1 else 'were'} {what}" for what, n in changes.items() if n]
        files_done = count(self.done, "file", "files")
        changed = [f"Of {files_done} {', '.join(parts)}."] if parts else []
        if self.large:
            height, width = self.translator.spec.native_source
            changed.append(
                f"Of {files_done} {self.large:,} {'is' if self.large == 1 else 'are'} more "
                f"than twice as large as images of training, {width}x{height}, and so are things "
                f"in them: --size {min(height, width)} makes files smaller first."
            )
        return changed + ([f"{left_out(self.useless)}."] if self.useless else [])

    def _make(self, job: Job) -> None:
        try:
            y, padded = self.reader.read(job.source)
            first = self.translator(y)
            _check_name(job.targets[-1])
        except (Unusable, UserError) as error:
            self.useless.append((job.source, str(error).rstrip(".")))
            return
        height, width = y.shape[1:]
        way = self.translator.way((height, width))
        self.done += 1
        self.padded += padded or way.padded != way.size
        self.cut += way.tile != way.padded
        spec = self.translator.spec
        if self.whole and spec.image[1] == self.translator.source[0]:  # a size is kept
            self.large += min(way.size) > 2 * min(spec.native_source)
        for number, target in enumerate(job.targets):
            x = self.translator(y, number) if number else first
            with writing(target):
                write_image(x, target, spec.frames)


def _check_name(target: Path) -> None:
    """Unusable if no file can be called so."""
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.lstat()
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            raise Unusable("what is made of it would have too long a name") from None

"""A translator applied to files, one after the other, and what became of them."""

from collections.abc import Sequence
from errno import ENAMETOOLONG
from pathlib import Path

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.formats.decode import Unusable
from ganlib.common.io.console import progress
from ganlib.common.io.files import writing
from ganlib.sampling.image_files import write_image
from ganlib.sampling.translation.jobs import Job
from ganlib.sampling.translation.side_by_side import MOST, cell, source_cell
from ganlib.sampling.translation.source_images import Reader
from ganlib.sampling.translation.translate import Translator


class TranslatedFiles:
    """Counts of files, and the cells of a picture of the first ones if that is `shown`. whole:
    whether the images of training were whole files, made smaller, and no crops of them.
    """

    def __init__(
        self, translator: Translator, reader: Reader, shown: bool, whole: bool = False
    ) -> None:
        self.translator, self.reader, self.shown, self.whole = translator, reader, shown, whole
        self.done = self.padded = self.cut = self.large = 0
        self.useless: list[tuple[Path, str]] = []
        self.rows: list[list[Tensor]] = []

    def make(self, work: Sequence[Job]) -> None:
        """Write what is to be made. What cannot be read, is nothing for the network, or would have
        too long a name is left out; UserError if that is all, or if something cannot be written.
        """
        with progress("translating", len(work)) as advance:
            for job in work:
                self._make(job)
                advance(1)
        if not self.done:
            raise UserError(f"Nothing was translated: {self._left_out()}.")

    def told(self) -> list[str]:
        """What is worth saying of all files, in a line for each thing."""
        parts = [
            f"{n:,} {'was' if n == 1 else 'were'} {what}"
            for n, what in (
                (self.padded, "padded by repeating the border"),
                (self.cut, "made in tiles that are blended"),
            )
            if n
        ]
        changed = [f"Of {_count(self.done)} {', '.join(parts)}."] if parts else []
        if self.large:
            height, width = self.translator.spec.native_source
            changed.append(
                f"Of {_count(self.done)} {self.large:,} {'is' if self.large == 1 else 'are'} more "
                f"than twice as large as images of training, {width}x{height}, and so are things "
                f"in them: --size {min(height, width)} makes files smaller first."
            )
        return changed + ([f"{self._left_out()}."] if self.useless else [])

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
        self.padded += padded or way.pads
        self.cut += way.cuts
        spec = self.translator.spec
        if self.whole and spec.image[1] == self.translator.source[0]:  # a size is kept
            self.large += min(way.size) > 2 * min(spec.native_source)
        self._write(job, y, first)

    def _write(self, job: Job, y: Tensor, first: Tensor) -> None:
        shown, frames = self.shown and len(self.rows) < MOST, self.translator.spec.frames
        row = [source_cell(y)] if shown else []
        for number, target in enumerate(job.targets):
            x = self.translator(y, number) if number else first
            with writing(target):
                write_image(x, target, frames)
            if shown:
                row.append(cell(torch.cat(x.chunk(frames), 1)))
        if shown:
            self.rows.append(row)

    def _left_out(self) -> str:
        path, reason = self.useless[0]
        n = len(self.useless)
        first = f", the first {path} ({reason})" if n > 1 else f": {path} ({reason})"
        return f"{_count(n)} {'was' if n == 1 else 'were'} left out{first}"


def _check_name(target: Path) -> None:
    """Unusable if no file can be called so."""
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.lstat()
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            raise Unusable("what is made of it would have too long a name") from None


def _count(n: int) -> str:
    return f"{n:,} {'file' if n == 1 else 'files'}"

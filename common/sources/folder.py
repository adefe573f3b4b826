"""FOLDER: of a folder: the images there, each of the name of the one that it belongs to, of its
size or in one proportion to it
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ganlib.common.data import DataSet
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats import decode
from ganlib.common.formats.blocks import Item
from ganlib.common.formats.decode import Header
from ganlib.common.formats.folders import TABLE, Found, Inspect, Starts, look
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Stream
from ganlib.common.query import DataQuery, FileSource, undivided
from ganlib.common.sources.parse import source_folder


def make(text: str) -> "Beside":
    """Files in another folder."""
    return Beside(source_folder(text, text))


class Pairs(FileSource):
    """Sources that each belong to an image file. Files without a partner, pairs whose sizes are not
    in the proportion that most have, and pairs of which one cannot be read are left out, and the
    line on stderr says how many.
    """

    def open(self, query: DataQuery) -> DataSet:
        """UserError for crops of files of any sizes, of sources that are maps, or not of their
        images' sizes.
        """
        if query.size is not None or query.crop is None:
            return super().open(query)
        found = self._found(query, decode.whole_header)
        assert found.starts is not None
        maps = found.starts.kind == "ids"
        if maps or found.starts.times != 1:
            what = "maps of classes" if maps else "of another size than their images"
            raise UserError(
                f"The sources in {found.folder} are {what}, and crops of files of any size need "
                "sources like the images: give --size, too."
            )
        return found.crops(query.crop)

    def stream(self, query: DataQuery, sizing: Sizing = CROPPED) -> Stream:
        return self._found(query, decode.header).stream(query.size, sizing)

    def _found(self, query: DataQuery, inspect: Inspect) -> Found:
        data = query.find()
        if not data.is_folder:
            raise UserError(
                f"The source '{query.source}' is for a folder of image files, and {query.dataset} "
                "is none: give such a folder as --dataset, or another source."
            )
        found = look(data.place, query.split, query.hold_out, inspect)

        def files(folder: Path) -> Found:
            try:
                return look(folder, query.split, query.hold_out, inspect)
            except NoSuchSplit:
                raise UserError(
                    f"{found.folder} has test images and {folder} none: divide both alike."
                ) from None

        return self.matched(found, files)

    @abstractmethod
    def matched(self, found: Found, files: Callable[[Path], Found]) -> Found:
        """The images of a split, of both splits where they are files of one folder, with their
        starts. files: what there is of that split in another folder.
        """


@dataclass(frozen=True)
class Beside(Pairs):
    """Sources in another folder, each under the name of its image, the ending aside."""

    others: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.others,)

    def matched(self, found: Found, files: Callable[[Path], Found]) -> Found:
        others = files(self.others)
        theirs = _by_name(others)
        for reason, names in others.account.useless.items():
            for name in names:
                if name != TABLE:
                    found.account.skip(f"{others.folder.name}/{name}", reason)
        pairs = []
        for key, (item, header) in _by_name(found).items():
            if key in theirs:
                pairs.append((item, header, *theirs.pop(key)))
            else:
                found.account.skip(item.name, "without a source")
        for other, _ in theirs.values():
            found.account.skip(f"{others.folder.name}/{other.name}", "without an image")
        counts = Counter(_times(header, of) for _, header, _, of in pairs)
        del counts[None]
        # the most frequent, the smallest of several
        times = min(counts, key=lambda one: (-counts[one], one), default=None)
        items, headers, starts = [], [], []
        for item, header, other, of in pairs:
            if times is None or _times(header, of) != times:
                found.account.skip(item.name, "with a source of another size")
                continue
            items.append(item._replace(start=other.source))
            headers.append(header)
            starts.append(of)
        if times is None or not items:
            raise UserError(
                f"No image in {found.folder} has a source in {others.folder}"
                f"{found.account.skipped()}: a source has the name and the proportions of its "
                "image."
            )
        return self.described(found._replace(items=items, headers=headers), starts, times)

    def described(self, found: Found, starts: list[Header], times: Fraction) -> Found:
        """Files with their sources, whose headers are these, and what the sources are."""
        channels = 1 if all(of.grey for of in starts) else 3
        return found._replace(starts=Starts(channels, "images of the same names", times))

    def holds_out(self, query: DataQuery) -> bool:
        return super().holds_out(query) and undivided(str(self.others))


def _by_name(found: Found) -> dict[str, tuple[Item, Header]]:
    """The files by their names without an ending; of several that share one, the first."""
    result: dict[str, tuple[Item, Header]] = {}
    for item, header in zip(found.items, found.headers, strict=True):
        key = str(Path(item.name).with_suffix(""))
        if key in result:
            found.account.skip(item.name, "of the name of another")
        else:
            result[key] = item, header
    return result


def _times(image: Header, source: Header) -> Fraction | None:
    """How much larger a source is, None if it is not equally so in both directions."""
    wide, high = Fraction(source.width, image.width), Fraction(source.height, image.height)
    return wide if wide == high else None

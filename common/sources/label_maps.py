"""label-maps:FOLDER: the same as FOLDER, of files whose pixels are numbers of classes;
`classes.txt` there may name them, a name a line from class 0 on; of instances they know nothing
"""

from fractions import Fraction
from pathlib import Path

from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import Account, looked
from ganlib.common.formats.decode import SUFFIXES, Header, highest
from ganlib.common.formats.folders import HEADERS, MOST, TABLE, Found, Starts, class_table, files
from ganlib.common.sources.folder import Beside
from ganlib.common.sources.parse import source_folder


def make(text: str) -> "LabelMaps":
    """Maps in another folder."""
    return LabelMaps(source_folder(text, text.partition(":")[2]))


class LabelMaps(Beside):
    """Sources whose pixels are numbers of classes, which are the data's classes then."""

    def described(self, found: Found, starts: list[Header], times: Fraction) -> Found:
        return found._replace(
            items=[item._replace(label=None) for item in found.items],
            classes=_classes(self.others),
            starts=Starts(2, "maps of classes of the same names", times, "ids"),
        )


def _classes(folder: Path) -> tuple[str, ...]:
    """The classes of all maps in a folder, of any split: as its table names them, else called by
    number from 0 to the highest that is in one.
    """
    table = class_table(folder)
    if table is not None:
        return table
    paths = [path for path in files(folder) if path.suffix.lower() in SUFFIXES]
    top, account = 0, Account(f"classes in {folder.name}", folder)
    for path, found in looked(account, paths, highest, HEADERS):
        top = max(top, found)
        if top >= MOST:
            raise UserError(
                f"{path} has the class {top}, and maps have {MOST:,} at most. If it marks what is "
                f"of no class, name the classes in {folder / TABLE}, one in each line: maps with "
                "other numbers are left out then."
            )
    return tuple(map(str, range(top + 1)))

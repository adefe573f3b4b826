"""left, right: of a folder of images that stand side by side in one file: that half; the other half
is the image
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganlib.common.errors import UserError
from ganlib.common.formats import decode
from ganlib.common.formats.decode import Half
from ganlib.common.formats.folders import Found, Starts
from ganlib.common.sources.folder import Pairs


def make(text: str) -> "Halves":
    """Files that are an image and its source."""
    return Halves("left" if text == "left" else "right")


@dataclass(frozen=True)
class Halves(Pairs):
    """Sources that are this half of each file."""

    half: Literal["left", "right"]
    of_file = True

    def matched(self, found: Found, files: Callable[[Path], Found]) -> Found:
        items, headers = [], []
        for item, header in zip(found.items, found.headers, strict=True):
            assert not isinstance(item.source, Half)
            if header.width % 2:
                found.account.skip(item.name, "of an odd width")
                continue
            image: Literal["left", "right"] = "right" if self.half == "left" else "left"
            start = Half(item.source, self.half)
            items.append(item._replace(source=Half(item.source, image), start=start))
            headers.append(header._replace(width=header.width // 2))
        if not items:
            raise UserError(
                f"No file in {found.folder} is two images side by side{found.account.skipped()}."
            )
        starts = Starts(found.channels, f"the {self.half} half of each file")
        return found._replace(items=items, headers=headers, starts=starts)

    def part(self, file: Path) -> Half:
        half = Half(file, self.half)
        decode.header(half)  # Unusable, if it has no middle
        return half

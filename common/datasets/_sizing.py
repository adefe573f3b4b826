"""What becomes of images that are not square, or smaller than was asked for."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Fit = Literal["crop", "pad", "stretch"]
WORDS = {"crop": "cropped at the centre", "pad": "padded with black", "stretch": "stretched"}


class Sizing(NamedTuple):
    """How images become squares of a side that was asked for.

    fit: "crop", the middle once the shorter side has it; "pad", black around the whole image once
    the longer side has it; "stretch", each side for itself. enlarge: also images of which a side
    must grow for that; else they are left out.
    """

    fit: Fit = "crop"
    enlarge: bool = True

    def grows(self, sides: Sequence[int], side: int) -> bool:
        """Whether an image of these sides must be enlarged."""
        return (max(sides) if self.fit == "pad" else min(sides)) < side

    def scaled(self, sides: Sequence[int], of: Sequence[int], side: int) -> list[int]:
        """These sides, of an image or of what belongs to one with the sides `of`, before it is
        cropped or padded.
        """
        if self.fit == "stretch":
            return [max(1, side * n // m) for n, m in zip(sides, of, strict=True)]
        whole = max(of) if self.fit == "pad" else min(of)
        return [max(1, side * n // whole) for n in sides]

    def words(self, sides: Sequence[int], side: int) -> list[str]:
        """What happens to an image of these sides."""
        words = ["enlarged"] if self.grows(sides, side) else []
        return words + [WORDS[self.fit]] * (len(set(sides)) > 1)


CROPPED = Sizing()

"""low-resolution:FACTOR: the image 2, 3, 4 or 8 times smaller, bicubic"""

from torch import Tensor

from ganlib.common.data.spec import resize_pixels
from ganlib.common.errors import UserError
from ganlib.common.sources.derived import Derivation

FACTORS = ("2", "3", "4", "8")


def make(text: str) -> Derivation:
    """Bicubic with antialiasing, as the field makes them; UserError unless the sides divide."""
    argument = text.partition(":")[2]
    if argument not in FACTORS:
        raise UserError(
            f"The source '{text}' should say how many times smaller it is, one of "
            f"{', '.join(FACTORS)}, as in low-resolution:4."
        )
    factor = int(argument)

    def lower(x: Tensor, index: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % factor or width % factor:
            raise UserError(
                f"Images of {width}x{height} cannot be {factor} times smaller: give a --size "
                f"that is a multiple of {factor}."
            )
        return resize_pixels(x, (height // factor, width // factor))

    return Derivation(f"a resolution {factor} times lower, bicubic", lower, factor)

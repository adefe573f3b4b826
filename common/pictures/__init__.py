"""Images to look at: grids, strips, films, and maps in colour."""

from ganlib.common.pictures.grids import (
    apart,
    frames,
    grid,
    moving_grid,
    save,
    save_animation,
    scatter,
    to_uint8,
)

__all__ = [
    "apart",
    "frames",
    "grid",
    "moving_grid",
    "save",
    "save_animation",
    "scatter",
    "to_uint8",
]

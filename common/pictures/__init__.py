"""Images to look at: grids, strips, films, and maps in colour."""

from ganlib.common.pictures.grids import apart as apart
from ganlib.common.pictures.grids import frames as frames
from ganlib.common.pictures.grids import grid as grid
from ganlib.common.pictures.grids import moving_grid as moving_grid
from ganlib.common.pictures.grids import save as save
from ganlib.common.pictures.grids import save_animation as save_animation
from ganlib.common.pictures.grids import scatter as scatter
from ganlib.common.pictures.grids import to_uint8 as to_uint8

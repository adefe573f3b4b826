"""LSUN bedrooms: 3,033,042 colour photographs, cropped square; no labels, 64x64 unless asked."""

from pathlib import Path

from ganlib.common.formats.lmdb import stream_lsun
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Stream, collected

FILES = ("bedroom_train_lmdb", "bedroom_val_lmdb")


def stream(root: Path, split: str, size: int | None, sizing: Sizing = CROPPED) -> Stream:
    """All photographs of one split, decoded block by block."""
    return stream_lsun("bedroom", root, split, size, sizing)


load = collected(stream)

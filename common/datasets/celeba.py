"""CelebA: 202,599 aligned colour faces, 178x218 cropped square; no labels, 64x64 unless asked."""

from pathlib import Path
from typing import Any

from torchvision.datasets import CelebA
from torchvision.datasets.utils import extract_archive

from ganlib.common.formats.blocks import DEFAULT_SIZE, Account, Item, decoded
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Stream, collected
from ganlib.common.formats.torchvision import Origin, read
from ganlib.common.io.files import reading

URL = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
IMAGES, ARCHIVE = "img_align_celeba", "img_align_celeba.zip"
FILES = ("celeba", IMAGES, "list_eval_partition.txt")


class _CelebA(CelebA):  # type: ignore[misc]
    """torchvision's CelebA with its files in the folder itself."""

    base_folder = ""


def stream(root: Path, split: str, size: int | None, sizing: Sizing = CROPPED) -> Stream:
    """All faces of one split, decoded block by block."""
    with reading(root):
        folder = root / "celeba" if (root / "celeba").is_dir() else root  # torchvision's own place
    files = tuple(name for _, _, name in CelebA.file_list)
    origin = Origin("celeba", URL, files, folder, "drive.google.com")
    names = read(lambda: _open(folder, split), origin).filename
    shape = (3, size or DEFAULT_SIZE, size or DEFAULT_SIZE)
    items = (Item(name, folder / IMAGES / name) for name in names)
    blocks = decoded(items, shape, (), Account("celeba", folder / IMAGES), sizing)
    return Stream("celeba", shape, len(names), blocks, provenance={"source": URL})


load = collected(stream)


def _open(folder: Path, split: str) -> Any:
    """torchvision's data set; its download would ask for the package gdown before it looks here."""
    if not (folder / IMAGES).is_dir() and (folder / ARCHIVE).is_file():
        extract_archive(folder / ARCHIVE)
    try:
        return _CelebA(folder, split, target_type=[])
    except RuntimeError:
        return _CelebA(folder, split, target_type=[], download=True)

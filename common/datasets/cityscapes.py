"""Cityscapes: 3,475 colour photographs of streets with maps, twice as wide as high, 256x128.

Sources are the finely annotated maps: the class is `labelIds`, the instance `instanceIds`. Of the
latter, numbers from 1000 on are instances; what is no instance of its own keeps the number of its
class, so that borders between such regions are borders of instances, too, as in pix2pixHD. The test
split is Cityscapes' val, whose own test maps are withheld. size is the height; 512 and 1024 are the
sizes of pix2pixHD (Wang et al. 2018, https://arxiv.org/abs/1711.11585).

Other photographs in such folders may have classes of their own: classes.txt beside leftImg8bit and
gtFine names them.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import Account, Decoded, Item, gathered
from ganlib.common.formats.decode import HIGHEST, Pixels, Unusable, check_numbers, numbers, opened
from ganlib.common.formats.folders import TABLE, class_table, files
from ganlib.common.formats.stream import Stream, collected
from ganlib.common.io.files import reading

URL = "https://www.cityscapes-dataset.com"
LICENSE = f"Cityscapes' own terms: {URL}/license"
ASPECT = 2
HEIGHT = 128
SPLITS = {"train": "train", "test": "val"}
FILES = ("leftImg8bit", "gtFine", TABLE)
ARCHIVES = "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip"
CLASSES = (
    *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic"),
    *("ground", "road", "sidewalk", "parking", "rail track", "building", "wall", "fence"),
    *("guard rail", "bridge", "tunnel", "pole", "polegroup", "traffic light", "traffic sign"),
    *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan"),
    *("trailer", "train", "motorcycle", "bicycle", "license plate"),
)
PLATE = 255
"""How a byte has -1, the number of license plates, which is the last class here."""
PHOTO, LABELS, INSTANCES = "_leftImg8bit.png", "_gtFine_labelIds.png", "_gtFine_instanceIds.png"


def stream(root: Path, split: str, size: int | None) -> Stream:
    """The photographs and maps of one split, decoded block by block. Photographs without maps, or
    that cannot be read, are left out, and the line on stderr says how many.
    """
    place = root / "leftImg8bit" / SPLITS[split]
    with reading(root):
        there = place.is_dir()
    if not there:
        raise (NoSuchSplit if split == "test" else UserError)(
            f"There is no folder {place}: download {ARCHIVES} from {URL}, which asks for a login, "
            f"and unpack both in {root}, or use the data set wardrobe_wide, which needs no "
            "download."
        )
    height = size or HEIGHT
    width = ASPECT * height
    account = Account("cityscapes" if split == "train" else "cityscapes (test)", place)
    maps = root / "gtFine" / SPLITS[split]
    items = list(_items(place, maps, account))
    if not items:
        raise UserError(
            f"There is no photograph with maps in {place}{account.skipped()}: to each "
            f"CITY/NAME{PHOTO} belong CITY/NAME{LABELS} and CITY/NAME{INSTANCES} in {maps}."
        )
    shape, classes = (3, height, width), class_table(root) or CLASSES
    decode = partial(_decode, size=(width, height), classes=classes)
    return Stream(
        "cityscapes",
        shape,
        len(items),
        gathered(decode, items, shape, classes, account),
        classes,
        (2, height, width),
        {"source": URL, "folder": str(place.resolve()), "size": f"resized to {width}x{height}"},
        source_kind="ids",
    )


load = collected(stream)


def _items(photos: Path, maps: Path, account: Account) -> Iterator[Item]:
    for path in files(photos):
        name = str(path.relative_to(photos))
        start = maps / name.removesuffix(PHOTO)
        if not name.endswith(PHOTO):
            account.skip(name, "not photographs")
        elif not all(Path(f"{start}{end}").is_file() for end in (LABELS, INSTANCES)):
            account.skip(name, "without maps")
        else:
            yield Item(name, path, start=start)


def _decode(item: Item, size: tuple[int, int], classes: tuple[str, ...]) -> Decoded:
    assert isinstance(item.source, Path) and isinstance(item.start, Path)
    with opened(item.source) as image:
        if image.width != ASPECT * image.height:
            raise Unusable("not twice as wide as high")
        whole = image.size
        x = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    labels, instances = (_map(f"{item.start}{end}", whole, size) for end in (LABELS, INSTANCES))
    if classes == CLASSES:
        labels[labels == PLATE] = len(CLASSES) - 1
    check_numbers(labels, len(classes) - 1, "classes")
    check_numbers(instances, HIGHEST, "instances")
    pixels: Pixels = np.ascontiguousarray(x.transpose(2, 0, 1))
    return Decoded(pixels, np.stack([labels, instances]))


def _map(path: str, whole: tuple[int, int], size: tuple[int, int]) -> NDArray[np.int32]:
    """A map at `size`, which is of the size `whole` in its file."""
    try:
        image = numbers(Path(path))
        if image.size != whole:
            raise Unusable("of another size")
        return np.array(image.resize(size, Image.Resampling.NEAREST))
    except Unusable as error:
        raise Unusable(f"with maps {error}") from error

"""Make common/datasets/bundled/emoji.h5 of the images of two npm packages.

Run `python -m scripts.make_emoji [FOLDER]` at the top of the checkout. FOLDER, node_modules by
default, is where `npm install emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0` put
them. What is transparent becomes white. There is one skin tone, the yellow that emoji have without
one, nobody is drawn a second time facing the other way, and what a vendor draws as it drew an
emoji before is left out.

The split keeps together what looks alike, in one part or the other: an emoji by both vendors and
as man, woman and person, and images that differ by less than NEAR. A group of such images goes to
the test images if the first byte of the SHA-256 of its name is below TEST.
"""

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganlib.__main__ import in_a_sentence
from ganlib.common.data import DataSet
from ganlib.common.datasets.emoji import BUNDLED
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5

VENDORS = ("google", "twitter")
SUMS = {  # SHA-256 of emoji.json, which is the same in both packages, and of each vendor's images
    "emoji.json": "86a8acf5bc59fc476f757fda330d853baa1ece351fdea52a1f4e3a62d2f8c8d8",
    "google": "d3bfa01db3d34774490ee8194bbca35e3ebe55a9fff2cb050251a6c3860e6d85",
    "twitter": "8455efbd4fc4a17aa943d0dce163be5afcf5bd2b698c60c53d79eaff930bb68b",
}
CLASSES = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
)
PROVENANCE = {
    "source": "npm packages emoji-datasource-google and emoji-datasource-twitter 16.0.0",
    "changes": "transparency composited on white, without skin tones and repeated images, split",
    "licence": "Noto Emoji (google): Apache-2.0; Twemoji (twitter): CC BY 4.0",
    "copyright": "Google Inc. and contributors; Twitter, Inc and other contributors",
}
JOINER, FACING_RIGHT = "-200D-", "27A1"
SIGNS = ("2640", "2642", FACING_RIGHT)  # what is joined to a person: woman, man, facing right
PERSON = {  # code points that say man or woman, and what says neither
    **dict.fromkeys(("1F468", "1F469"), "1F9D1"),
    **dict.fromkeys(("1F466", "1F467"), "1F9D2"),
    **dict.fromkeys(("1F474", "1F475"), "1F9D3"),
    **dict.fromkeys(("1F478", "1FAC5"), "1F934"),
    **dict.fromkeys(("1F930", "1FAC3"), "1FAC4"),
    "1F483": "1F57A",
    "1F936": "1F385",
}
SAME = {  # short and long ways to write one thing
    **dict.fromkeys(("1F46B", "1F46C", "1F46D"), "1F9D1-1F91D-1F9D1"),
    "1F48F": "1F9D1-2764-1F48B-1F9D1",
    "1F491": "1F9D1-2764-1F9D1",
    "1F9D1-1F384": "1F385",
}
NEAR = 20.0  # of 255, root mean square over pixels and channels
TEST = 51  # of 256


class Picture(NamedTuple):
    """image: uint8 (3, 64, 64). label: its place in CLASSES. family: of whom it is a variant."""

    image: NDArray[np.uint8]
    label: int
    family: str


def make(folder: Path, out: Path) -> None:
    """Check the packages in `folder` and write `out`; the same bytes every time."""
    packages = [folder / f"emoji-datasource-{vendor}" for vendor in VENDORS]
    for vendor, package in zip(VENDORS, packages, strict=True):
        _check("emoji.json", package, [package / "emoji.json"])
        _check(vendor, package, sorted((package / "img" / vendor / "64").glob("*.png")))
    pictures = list(_pictures(folder, json.loads((packages[0] / "emoji.json").read_text("utf-8"))))
    test = torch.tensor([is_test(name) for name in groups(pictures)])
    write_hdf5(out, _part(pictures, ~test), _part(pictures, test))


def family(unified: str) -> str:
    """The code points of an emoji ("1F3C3-200D-2642-FE0F") without what says man or woman."""
    parts = [part.split("-") for part in unified.split(JOINER)]
    points = [point for part in parts if part[0] not in SIGNS or len(parts) == 1 for point in part]
    name = "-".join(PERSON.get(point, point) for point in points if point != "FE0F")
    return SAME.get(name, name)


def groups(pictures: list[Picture]) -> list[str]:
    """For each picture the name of its group, the first of the families that it joins.

    Families with a pair of pictures nearer than NEAR are one group.
    """
    x = torch.from_numpy(np.stack([p.image for p in pictures])).flatten(1).double()  # exact
    squares = x.square().sum(1)
    leader = {p.family: p.family for p in pictures}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    near = squares[:, None] + squares - 2 * x @ x.T < NEAR**2 * x.shape[1]
    for i, j in near.nonzero().tolist():
        low, high = sorted((find(pictures[i].family), find(pictures[j].family)))
        leader[high] = low
    return [find(p.family) for p in pictures]


def is_test(name: str) -> bool:
    """Whether the group `name` is one of the test images."""
    return sha256(name.encode()).digest()[0] < TEST


def on_white(file: Path) -> NDArray[np.uint8]:
    """The image of a file, RGB (3, H, W), over white."""
    with Image.open(file) as image:
        x = np.asarray(image.convert("RGBA")).astype(np.int64).transpose(2, 0, 1)
    alpha = x[3]
    over: NDArray[np.int64] = (x[:3] * alpha + 255 * (255 - alpha) + 127) // 255
    return over.astype(np.uint8)


def _pictures(folder: Path, emoji: list[dict[str, Any]]) -> Iterator[Picture]:
    """In Unicode's order, an emoji by all vendors after each other."""
    seen = set()
    for entry in sorted(emoji, key=lambda entry: int(entry["sort_order"])):
        name, group = entry["unified"], entry["category"]
        if group not in CLASSES or f"{JOINER}{FACING_RIGHT}" in name:
            continue
        for vendor in VENDORS:
            images = folder / f"emoji-datasource-{vendor}" / "img" / vendor / "64"
            if not entry[f"has_img_{vendor}"]:
                continue
            image = on_white(images / entry["image"])
            if image.tobytes() not in seen:
                yield Picture(image, CLASSES.index(group), family(name))
            seen.add(image.tobytes())


def _part(pictures: list[Picture], wanted: Tensor) -> DataSet:
    chosen = [picture for picture, yes in zip(pictures, wanted.tolist(), strict=True) if yes]
    images = torch.from_numpy(np.stack([picture.image for picture in chosen]))
    labels = torch.tensor([picture.label for picture in chosen])
    return DataSet("emoji", images, labels, None, CLASSES, PROVENANCE)


def _check(name: str, package: Path, files: list[Path]) -> None:
    """UserError unless the files, with their names, are what was published."""
    digest = sha256()
    try:
        for file in files:
            digest.update(file.name.encode() + b"\0" + sha256(file.read_bytes()).digest())
    except OSError:
        files = []
    if not files:
        raise UserError(
            f"There are no images in {package}; "
            "npm install emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0 "
            "brings them."
        )
    if digest.hexdigest() != SUMS[name]:
        raise UserError(
            f"{package} does not hold what was published: the SHA-256 of {name} differs."
        )


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("node_modules")
    in_a_sentence(lambda: make(folder, BUNDLED))

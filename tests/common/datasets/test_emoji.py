"""The bundled set of emoji, and the script that makes it."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.datasets import emoji
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from scripts import make_emoji
from scripts.make_emoji import CLASSES, NEAR, Picture, family, groups, is_test, make, on_white

COUNTS = {  # of the groups in the order of CLASSES
    "train": [258, 569, 242, 230, 368, 146, 446, 346, 417],
    "test": [80, 136, 76, 32, 68, 24, 82, 102, 107],
}
SHA256 = {  # of the values, whatever zlib packed them
    "train": "ba04d7f43423dfcb7eda461c0d51ebef042b3c6eddac5e32f55e06b1f438e825",
    "test": "48b8f9e079819e68a0dc443121e3265c7a0b8fa04296e2203488759d2f6447e0",
}


def images(split: str) -> Tensor:
    x = emoji.load(Path("nowhere"), split, None).x
    assert isinstance(x, Tensor)
    return x


@pytest.mark.parametrize("split", ["train", "test"])
def test_bundled_set(split: str) -> None:
    data = emoji.load(Path("nowhere"), split, None)
    assert isinstance(data.x, Tensor) and data.y is not None
    assert data.x.shape == (sum(COUNTS[split]), 3, 64, 64) and data.x.dtype == torch.uint8
    assert torch.bincount(data.y).tolist() == COUNTS[split]
    assert data.classes == CLASSES and data.name == "emoji"
    assert "Apache-2.0" in data.provenance["licence"] and "CC BY 4.0" in data.provenance["licence"]
    values = data.x.numpy().tobytes() + data.y.numpy().astype(np.uint8).tobytes()
    assert hashlib.sha256(values).hexdigest() == SHA256[split]


def test_it_is_small_and_described() -> None:
    assert emoji.BUNDLED.stat().st_size < 15 * 10**6
    text = (emoji.BUNDLED.parent / "README.md").read_text("utf-8")
    for name, *counts in zip(CLASSES, COUNTS["train"], COUNTS["test"], strict=True):
        assert f"| {name} | {counts[0]} | {counts[1]} |" in text
    assert f"{sum(COUNTS['train']):,} and {sum(COUNTS['test'])} drawings" in text


def test_no_test_image_has_a_near_copy_among_the_training_images() -> None:
    x, y = (images(split).flatten(1).float() for split in ("train", "test"))
    # ((x - y)^2).mean() > NEAR^2, in terms that need no (N, M, values)
    squares = x.square().mean(1)[:, None] + y.square().mean(1) - 2 / x.shape[1] * x @ y.T
    assert squares.min() >= NEAR**2 - 1


def test_no_image_is_there_twice() -> None:
    both = [image.numpy().tobytes() for split in ("train", "test") for image in images(split)]
    assert len(set(both)) == len(both)


def test_the_page_is_white_and_the_drawings_are_coloured() -> None:
    x = images("train")
    corners = x[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).all(1).float().mean() > 0.8
    spread = x.amax(1).int() - x.amin(1).int()  # of the channels: none in grey
    assert (spread.flatten(1).amax(1) > 60).float().mean() > 0.9


def test_licences_are_beside_it() -> None:
    text = (emoji.BUNDLED.parent / "LICENSE").read_text("utf-8")
    for words in (
        "https://creativecommons.org/licenses/by/4.0/",
        "Twitter, Inc and other contributors",
        "Google Inc. and contributors",
        "Apache License\n",
        "END OF TERMS AND CONDITIONS",
        "composited on white",
    ):
        assert words in text
    assert "Apache-2.0" in emoji.LICENSE and "CC BY 4.0" in emoji.LICENSE


@pytest.mark.parametrize(
    ("variants", "name"),
    [
        (("1F3C3", "1F3C3-200D-2640-FE0F", "1F3C3-200D-2642-FE0F-200D-27A1-FE0F"), "1F3C3"),
        (("1F575-FE0F", "1F575-FE0F-200D-2640-FE0F"), "1F575"),
        (("1F468-200D-1F373", "1F469-200D-1F373", "1F9D1-200D-1F373"), "1F9D1-1F373"),
        (("1F466", "1F467", "1F9D2"), "1F9D2"),
        (("1F46B", "1F46D", "1F9D1-200D-1F91D-200D-1F9D1"), "1F9D1-1F91D-1F9D1"),
        (("1F385", "1F936", "1F9D1-200D-1F384"), "1F385"),
        (("2640-FE0F",), "2640"),
        (("2642-FE0F",), "2642"),
        (("27A1-FE0F",), "27A1"),
        (("1F1EF-1F1F5",), "1F1EF-1F1F5"),
    ],
)
def test_a_woman_and_a_man_are_one_family(variants: tuple[str, ...], name: str) -> None:
    assert {family(unified) for unified in variants} == {name}


def test_near_pictures_join_their_families() -> None:
    def picture(value: int, name: str) -> Picture:
        return Picture(np.full((3, 64, 64), value, np.uint8), 0, name)

    chain = [picture(100, "c"), picture(119, "b"), picture(138, "a")]  # 19 from one to the next
    apart = [picture(200, "d"), picture(220, "e"), picture(0, "d"), picture(1, "f")]
    assert groups([*chain, *apart]) == ["a", "a", "a", "d", "e", "d", "d"]


def test_a_fifth_of_the_names_is_for_testing() -> None:
    assert sum(is_test(str(i)) for i in range(10_000)) == pytest.approx(51 / 256 * 10_000, rel=0.05)


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (255, 0, 100, 51))
    image.save(tmp_path / "x.png")
    expected = [[10, 255, 255], [20, 255, 204], [30, 255, 224]]
    assert on_white(tmp_path / "x.png")[:, 0].tolist() == expected


EMOJI: list[dict[str, Any]] = [
    {"unified": "1F602", "category": CLASSES[0], "sort_order": 3},
    {"unified": "1F3C3-200D-2640-FE0F", "category": CLASSES[1], "sort_order": 2},
    {"unified": "1F3C3", "category": CLASSES[1], "sort_order": 1},
    {"unified": "1F3C3-200D-27A1-FE0F", "category": CLASSES[1], "sort_order": 5},
    {"unified": "1F3FB", "category": "Component", "sort_order": 6},
    {"unified": "1F34E", "category": CLASSES[3], "sort_order": 4},
    {"unified": "1F34F", "category": CLASSES[3], "sort_order": 7},
]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages of a few emoji, each of one colour: Google has all, Twitter not the last."""
    sums = {"emoji.json": hashlib.sha256()}
    entries = [
        entry
        | {
            "image": f"{entry['unified'].lower()}.png",
            "has_img_google": True,
            "has_img_twitter": entry is not EMOJI[-1],
        }
        for entry in EMOJI
    ]
    for v, vendor in enumerate(make_emoji.VENDORS):
        folder = tmp_path / f"emoji-datasource-{vendor}" / "img" / vendor / "64"
        folder.mkdir(parents=True)
        (tmp_path / f"emoji-datasource-{vendor}" / "emoji.json").write_text(json.dumps(entries))
        for i, entry in enumerate(entries):
            Image.new("RGBA", (64, 64), (36 * i, 120 * v, 0, 255)).save(folder / entry["image"])
        sums[vendor] = hashlib.sha256()
        for file in sorted(folder.glob("*.png")):
            content = hashlib.sha256(file.read_bytes()).digest()
            sums[vendor].update(file.name.encode() + b"\0" + content)
    content = hashlib.sha256(json.dumps(entries).encode()).digest()
    sums["emoji.json"].update(b"emoji.json\0" + content)
    monkeypatch.setattr(make_emoji, "SUMS", {key: sum_.hexdigest() for key, sum_ in sums.items()})
    return tmp_path


def test_both_vendors_lie_in_one_part(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_emoji, "is_test", lambda name: name == "1F3C3")
    make(packages, packages / "out.h5")
    train, test = (read_hdf5(packages / "out.h5", split) for split in ("train", "test"))
    # in the order of "sort_order": 1F602, 1F34E, 1F34F; 1F3C3, its woman, and none facing right
    colours = [[0, 0], [0, 120], [180, 0], [180, 120], [216, 0]]
    assert train.x[torch.arange(5)][:, :2, 0, 0].tolist() == colours
    assert train.y is not None and train.y.tolist() == [0, 0, 3, 3, 3]
    colours = [[72, 0], [72, 120], [36, 0], [36, 120]]
    assert test.x[torch.arange(4)][:, :2, 0, 0].tolist() == colours
    assert test.y is not None and test.y.tolist() == [1, 1, 1, 1]


def test_same_bytes_every_time(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_emoji, "is_test", lambda name: name == "1F3C3")
    first, second = packages / "a.h5", packages / "b.h5"
    make(packages, first)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    make(packages, second)
    assert first.read_bytes() == second.read_bytes()


def test_other_content_is_refused(packages: Path) -> None:
    package = packages / "emoji-datasource-twitter"
    (image, *_) = (package / "img" / "twitter" / "64").glob("*.png")
    image.write_bytes(image.read_bytes() + b"x")
    with pytest.raises(UserError, match="the SHA-256 of twitter differs"):
        make(packages, packages / "out.h5")
    (package / "emoji.json").unlink()
    with pytest.raises(UserError, match="npm install emoji-datasource-google@16.0.0"):
        make(packages, packages / "out.h5")
    assert not (packages / "out.h5").exists()

"""CelebA's folder of JPEGs and its five tables, in small."""

import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets as tv
from PIL import Image

from ganlib.common.datasets import celeba
from ganlib.common.errors import UserError
from ganlib.common.formats.stream import collect

PARTITION = [0, 0, 1, 2, 0, 2]
TRAIN = [1, 2, 5]
TEST = [4, 6]


def face(number: int) -> Image.Image:
    """178x218, each of one colour with a stripe that the crop removes."""
    image = Image.new("RGB", (178, 218), (40 * number, 255 - 40 * number, 7))
    image.paste((255, 255, 255), (0, 0, 178, 10))
    return image


def write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names):
        face(i + 1).save(folder / "img_align_celeba" / name, quality=95)
    tables = {
        "list_eval_partition.txt": ("", [[p] for p in PARTITION]),
        "identity_CelebA.txt": ("", [[i] for i in range(6)]),
        "list_attr_celeba.txt": ("6\nYoung Smiling \n", [[-1, 1]] * 6),
        "list_bbox_celeba.txt": ("6\nimage_id x_1 y_1 width height\n", [[1, 2, 3, 4]] * 6),
        "list_landmarks_align_celeba.txt": ("6\nlefteye_x lefteye_y\n", [[1, 2]] * 6),
    }
    for table, (head, rows) in tables.items():
        lines = [f"{n} {' '.join(map(str, row))}" for n, row in zip(names, rows, strict=True)]
        (folder / table).write_text(head + "\n".join(lines) + "\n")
    sums = {table: hashlib.md5((folder / table).read_bytes()).hexdigest() for table in tables}
    files = [(key, sums.get(name, md5), name) for key, md5, name in tv.CelebA.file_list]
    monkeypatch.setattr(tv.CelebA, "file_list", files)


@pytest.mark.parametrize("place", [".", "celeba"])
def test_celeba(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    write(tmp_path / place, monkeypatch)
    for split, numbers in (("train", TRAIN), ("test", TEST)):
        data = celeba.load(tmp_path, split, None)
        assert isinstance(data.x, torch.Tensor) and data.x.dtype == torch.uint8
        assert data.x.shape == (len(numbers), 3, 64, 64)
        assert (data.y, data.classes, data.name) == (None, (), "celeba")
        for image, number in zip(data.x, numbers, strict=True):
            colour = torch.tensor([40 * number, 255 - 40 * number, 7])[:, None, None]
            assert (image.int() - colour).abs().max() <= 3
        assert (
            f"celeba: {len(numbers)} images, 64x64 RGB; {len(numbers)} cropped at the centre\n"
            in capsys.readouterr().err
        )


def test_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch)
    assert celeba.stream(tmp_path, "train", 16).shape == (3, 16, 16)
    x = celeba.load(tmp_path, "train", 178).x[torch.tensor([0])][0]
    crop = np.asarray(Image.open(tmp_path / "img_align_celeba" / "000001.jpg"))[20:198]
    assert np.array_equal(x.permute(1, 2, 0).numpy(), crop)


def test_archive_put_there_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch)
    images = tmp_path / "img_align_celeba"
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for file in sorted(images.iterdir()):
            archive.write(file, f"img_align_celeba/{file.name}")
            file.unlink()
    images.rmdir()
    assert len(celeba.load(tmp_path, "train", 8)) == len(TRAIN)


def test_missing_and_damaged_images_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, monkeypatch)
    (tmp_path / "img_align_celeba" / "000001.jpg").unlink()
    damaged = tmp_path / "img_align_celeba" / "000005.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert len(collect(celeba.stream(tmp_path, "train", None))) == 1
    err = capsys.readouterr().err
    assert "1 unreadable (000001.jpg)" in err and "1 truncated (000005.jpg)" in err


def test_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(UserError) as caught:
        celeba.load(tmp_path, "train", None)
    message = str(caught.value)
    for words in (
        f"celeba is not in {tmp_path} and img_align_celeba.zip could not be downloaded from drive",
        "gdown",
        "list_eval_partition.txt from https://mmlab",
        "fashion_mnist",
    ):
        assert words in message

"""Folders of images of unequal size, cropped when they are asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ganlib.common import ahead
from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.datasets import folder
from ganlib.common.datasets._file_crops import FileCrops
from ganlib.common.errors import UserError
from ganlib.common.fingerprint import fingerprint
from ganlib.common.sources import open_dataset

SIZES = [(8, 8), (12, 9), (9, 31), (40, 17), (16, 16)]
ROTATED = 6  # EXIF: to be turned by 90 degrees


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five images in two classes."""
    for i, (width, height) in enumerate(SIZES):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(width, height, i)).save(path)
    return tmp_path / "photos"


def opened(root: Path, crop: int = 8, split: str = "train") -> DataSet:
    data = open_dataset(str(root), split=split, crop=crop)
    assert isinstance(data.x, FileCrops)
    return data


def test_crops_are_slices_of_the_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = opened(root)
    assert data.shape == (3, 8, 8) and len(data) == 5 and data.x.shape == (5, 3, 8, 8)
    assert data.y is not None and data.y.tolist() == [0, 0, 0, 1, 1]
    assert capsys.readouterr().err == "photos: 5 images of 2 classes, crops of 8x8 RGB\n"
    index, places = torch.arange(5).flip(0), torch.rand(5, 2)
    got = data.x.crops(index, places)  # type: ignore[attr-defined]
    assert got.dtype == torch.uint8
    for image, number, (u, v) in zip(got.numpy(), index.tolist(), places.tolist(), strict=True):
        file = (0, 2, 4, 1, 3)[number]
        width, height = SIZES[file]
        top, left = int(u * (height - 7)), int(v * (width - 7))
        whole = noise(width, height, file).transpose(2, 0, 1)
        assert np.array_equal(image, whole[:, top : top + 8, left : left + 8])


def test_by_index_the_middle(root: Path) -> None:
    middle = opened(root).x[torch.tensor([2])][0].numpy()
    assert np.array_equal(middle, noise(16, 16, 4).transpose(2, 0, 1)[:, 4:12, 4:12])


def test_smaller_images_are_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = opened(root, 10)
    assert len(data) == 2 and data.y is not None and data.y.tolist() == [0, 1]
    assert capsys.readouterr().err == (
        "photos: 2 images of 2 classes, crops of 10x10 RGB; "
        "skipped 3: 3 smaller than 10x10 (a/0.png, a/2.png, b/1.png)\n"
    )
    with pytest.raises(UserError, match="no usable image .*5 smaller than 99x99"):
        opened(root, 99)


def test_upright_and_grey(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    wide = noise(24, 10)[:, :, 0]
    Image.fromarray(wide).save(tmp_path / "turned.png", exif=exif)
    data = opened(tmp_path, 10)
    assert data.shape == (1, 10, 10)
    down = data.x.crops(torch.tensor([0]), torch.tensor([[0.999, 0.5]]))  # type: ignore[attr-defined]
    assert np.array_equal(down[0, 0].numpy(), np.rot90(wide, -1)[14:])


def test_with_a_size_the_files_are_resized_and_lie_in_memory(root: Path) -> None:
    data = open_dataset(str(root), size=12, crop=8)
    whole = open_dataset(str(root), size=12)
    assert isinstance(whole.x, torch.Tensor)
    assert torch.equal(data.x[torch.arange(5)], whole.x[:, :, 2:10, 2:10])


def test_a_damaged_file_is_named_when_it_is_read(root: Path) -> None:
    data = opened(root)
    path = root / "a" / "4.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"a/4.png cannot be used, it is truncated: mend it"):
        data.x[torch.tensor([2])]
    Image.fromarray(noise(4, 4)).save(path)
    with pytest.raises(UserError, match=r"a/4.png cannot be used, it is smaller than 8x8"):
        data.x[torch.tensor([2])]


@pytest.mark.skipif(ahead.WORKERS == 0, reason="no safe forks here")
def test_two_workers_equal_none(root: Path) -> None:
    data = opened(root)
    spec = fit_spec(data, (8, 8))
    settings = {"flip": True, "condition": "labels"}
    plain, workers = (Loader(data, spec, 4, 0, workers=n, **settings) for n in (0, 2))  # type: ignore[arg-type]
    seen = set()
    for position in (0, 4 * 7):
        plain.position = workers.position = position
        for _ in range(6):
            (x, y), again = next(plain), next(workers)
            assert y is not None and torch.equal(x, again.x) and torch.equal(y, again.y)  # type: ignore[arg-type]
            seen |= {image.numpy().tobytes() for image in x}
    workers.close()
    assert len(seen) > 20  # of four images that can move at all
    assert fingerprint(data)["shape"] == [3, 8, 8]


def test_splits(root: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for split in ("train", "test"):
        (both / split).mkdir(parents=True)
        Image.fromarray(noise(20, 30)).save(both / split / "x.png")
    assert len(opened(both)) == len(opened(both, split="test")) == 1
    with pytest.raises(UserError, match="has no test images"):
        folder.lazy(root, "test", 8)

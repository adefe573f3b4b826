import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from common.data import DataSet
from common.errors import UserError
from common.hdf5 import write_hdf5
from evaluation.images import open_images


def read(path: Path) -> Tensor:
    return torch.cat(list(open_images(path)))


@pytest.fixture
def colour() -> Tensor:
    """uint8 (300, 3, 8, 8)."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (300, 3, 8, 8), generator=random).to(torch.uint8)


def test_every_kind_of_file_gives_the_same(colour: Tensor, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for i, image in enumerate(colour):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / "folder" / f"{i:04}.png")
    last = colour.permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "adm.npz", last)
    np.savez(tmp_path / "named.npz", labels=np.arange(300), images=colour.numpy())
    np.save(tmp_path / "plain.npy", last)
    write_hdf5(tmp_path / "ours.h5", DataSet("ours", colour))
    for name in ("folder", "adm.npz", "named.npz", "plain.npy", "ours.h5"):
        assert torch.equal(read(tmp_path / name), colour), name


def test_floats_stay_floats(colour: Tensor, tmp_path: Path) -> None:
    np.savez(tmp_path / "floats.npz", (colour / 127.5 - 1).numpy())
    assert torch.equal(read(tmp_path / "floats.npz"), colour / 127.5 - 1)


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.marker,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "boom"
    np.savez(tmp_path / "bomb.npz", np.array([Bomb(marker)], dtype=object))
    (tmp_path / "bomb.npy").write_bytes(pickle.dumps(Bomb(marker)))
    for name in ("bomb.npz", "bomb.npy"):
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / name)
    assert not marker.exists()


def test_what_holds_no_images_is_refused(tmp_path: Path, colour: Tensor) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez(tmp_path / "moments.npz", mu=np.zeros(3))
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8, 3), np.uint8))
    np.save(tmp_path / "integers.npy", np.zeros((2, 8, 8, 3), np.int64))
    for name in ("empty", "text.txt", "cut.npz", "moments.npz", "none.npy", "integers.npy", "gone"):
        with pytest.raises(UserError):
            read(tmp_path / name)


def test_a_folder_of_several_sizes_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    with pytest.raises(UserError, match="one size"):
        read(tmp_path)

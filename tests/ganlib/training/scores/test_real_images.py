"""What names real images, and opening them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.query import DataQuery
from ganlib.training.scores.real_images import RealImages


def test_references_by_name(toy_file: Path, toy_data: Callable[..., DataSet]) -> None:
    name = str(toy_file)
    both = RealImages(name).open_splits()
    assert list(both) == ["train", "test"]
    assert torch.equal(_all(both["train"].x), _all(toy_data().x))
    assert torch.equal(both["train"].y, toy_data().y)  # type: ignore[arg-type]
    assert list(RealImages(name, reference="test").open_splits()) == ["test"]
    assert RealImages(name, size=16).open_splits()["train"].x.shape == (32, 1, 16, 16)
    assert list(RealImages(reference=name).open_splits()) == ["train", "test"]


def test_a_reference_of_one_split_is_not_called_train_unless_it_is_the_data_set(
    tmp_path: Path, toy_data: Callable[..., DataSet]
) -> None:
    path = tmp_path / "one.h5"
    write_hdf5(path, toy_data())
    assert list(RealImages(reference=str(path)).open_splits()) == ["reference"]
    assert list(RealImages("fashion_mnist", reference=str(path)).open_splits()) == ["reference"]
    assert list(RealImages(str(path)).open_splits()) == ["train"]


def test_of_files_that_hold_both_the_images_are_what_sources_leave(tmp_path: Path) -> None:
    both = np.zeros((8, 16, 3), np.uint8)
    both[:, 8:] = 200
    Image.fromarray(both).save(tmp_path / "0.png")
    for source, value in (("left", 200), ("right", 0)):
        x = RealImages(str(tmp_path), source=source).open_splits()["train"].x[torch.tensor([0])]
        assert x.shape == (1, 3, 8, 8) and (x == value).all()


def test_what_is_not_said_is_as_in_the_run() -> None:
    run = {"dataset": "emoji", "data_root": "data", "size": 32, "crop": 24, "source": "edges"}
    place, of_run = Path("data"), DataQuery.of_run(run)
    own = RealImages("emoji", place, "train", 32, 24, "edges", reference="test", back=True)
    assert RealImages(reference="test", back=True).completed(of_run) == own
    said = RealImages("emoji", Path("here"), "train", 16, 8, "grey")
    assert said.completed(of_run) == said
    # another data set lies elsewhere, and is brought to the same size
    other = RealImages("mnist", None, "train", 32, 24, "edges")
    assert RealImages("mnist").completed(of_run) == other
    assert RealImages("emoji").completed(DataQuery()) == RealImages("emoji")


def _all(images: Any) -> Tensor:
    x: Tensor = images[torch.arange(len(images))]
    return x

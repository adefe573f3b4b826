"""Images from Python's memory: shapes, ranges, labels and torch's data sets."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset
from torchvision import datasets, transforms

from ganlib.common.data.in_memory import as_dataset
from ganlib.common.errors import UserError

BYTES = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 6), dtype=np.uint8)


@pytest.mark.parametrize(
    "value",
    [
        BYTES,
        torch.from_numpy(BYTES),
        BYTES.transpose(0, 2, 3, 1),
        BYTES.astype(np.int64),
        BYTES.astype(np.uint16),
        torch.from_numpy(BYTES).to(torch.uint16),
        BYTES[:, ::-1][:, ::-1],
        BYTES[..., ::-1].copy()[..., ::-1],
        (BYTES / 255).astype(">f4"),
        BYTES / 255,
        torch.from_numpy(BYTES) / 127.5 - 1,
    ],
)
def test_whatever_the_layout_and_the_range_the_bytes_are_the_same(value: Any) -> None:
    data = as_dataset(value)
    assert isinstance(data.x, torch.Tensor) and data.y is None
    assert np.array_equal(data.x.numpy(), BYTES)


def test_grey_images_need_no_channel() -> None:
    assert as_dataset(BYTES[:, 0]).shape == (1, 8, 6)


def test_labels_come_beside_the_images() -> None:
    data = as_dataset((BYTES, np.array([0, 2, 1, 0, 2], np.uint16)))
    assert data.y is not None and data.y.tolist() == [0, 2, 1, 0, 2]
    data = as_dataset((BYTES, [0, 2, 1, 0, 2]))
    assert data.y is not None and data.y.tolist() == [0, 2, 1, 0, 2]
    assert data.classes == ("0", "1", "2")


def test_a_data_set_of_torchvision_keeps_its_classes() -> None:
    fake = datasets.FakeData(6, (3, 8, 8), num_classes=4, transform=transforms.ToTensor())
    data = as_dataset(fake)
    expected = torch.stack([fake[k][0] for k in range(6)])
    assert isinstance(data.x, torch.Tensor) and data.y is not None
    torch.testing.assert_close(data.x / 255, expected, atol=0.002, rtol=0)
    assert data.y.tolist() == [fake[k][1] for k in range(6)]
    assert as_dataset(datasets.FakeData(6, (3, 8, 8))).shape == (3, 8, 8)  # PIL images


def test_tensors_beside_each_other() -> None:
    y = torch.tensor([1, 0, 1, 0, 1])
    data = as_dataset(TensorDataset(torch.from_numpy(BYTES), y))
    assert data.y is not None and torch.equal(data.y, y)


class Unequal(Dataset[Any]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, k: int) -> torch.Tensor:
        return torch.zeros(3, 8 + k, 8)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "int is no data set: give a name, a path"),
        (torch.zeros(5, 4, 8, 9), r"shape \(5, 4, 8, 9\): give \(N, C, H, W\)"),
        (torch.zeros(0, 3, 8, 8), "no images"),
        (torch.full((2, 3, 8, 8), 7.0), "float32 from 7 to 7: give uint8"),
        (torch.full((2, 3, 8, 8), torch.nan), "float32 from nan to nan: give uint8"),
        ((BYTES, [0, 1]), "give 5 integers from 0 on"),
        ((BYTES, [0, 1, 2, 3, -1]), "give 5 integers from 0 on"),
        ((BYTES, [0.0, 1, 2, 3, 1]), "give 5 integers from 0 on"),
        (Unequal(), r"Image 1 of the data set is \(3, 9, 8\) and the first is \(3, 8, 8\)"),
        ((BYTES, ["a", "b", "a", "b", "a"]), "The labels are no array of numbers: give a name"),
        ({"images": BYTES}, "dict is no data set: give a name, a path"),
        (["a", "b", "c"], "gives a str where an image should be"),
    ],
)
def test_what_is_no_data_set_is_told_why(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        as_dataset(value)

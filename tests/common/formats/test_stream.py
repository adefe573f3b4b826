"""Blocks out of data sets and back, and images resized on the way."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from ganlib.common.data import DataSet
from ganlib.common.data.spec import resize_pixels
from ganlib.common.formats import stream as _stream
from ganlib.common.formats.decode import pixels
from ganlib.common.formats.resize import Resized, Sizing, resized
from ganlib.common.formats.stream import as_stream, block_length, collect

generator = torch.Generator().manual_seed(0)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


DATA = DataSet(
    "noise",
    noise(11, 3, 8, 8),
    torch.arange(11) % 2,
    noise(11, 1, 4, 4),
    ("even", "odd"),
    {"source": "a test"},
)


def equal(a: DataSet, b: DataSet) -> bool:
    assert isinstance(a.x, torch.Tensor) and isinstance(b.x, torch.Tensor)
    assert isinstance(a.source, torch.Tensor) and isinstance(b.source, torch.Tensor)
    assert a.y is not None and b.y is not None
    images = torch.equal(a.x, b.x) and torch.equal(a.source, b.source)
    same = (a.name, a.classes, a.provenance) == (b.name, b.classes, b.provenance)
    return images and torch.equal(a.y, b.y) and same


@pytest.mark.parametrize("length", [1, 4, 11, 256])
def test_there_and_back(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(_stream, "block_length", lambda shape: length)
    stream = as_stream(DATA)
    assert (stream.total, stream.shape, stream.source) == (11, (3, 8, 8), (1, 4, 4))
    assert equal(collect(stream), DATA)


IDS = torch.arange(11 * 2 * 16, dtype=torch.int32).reshape(11, 2, 4, 4) * 100
NEW = {
    "ids": replace(DATA, source=IDS, source_kind="ids"),
    "frames": replace(DATA, x=noise(11, 6, 8, 8), frames=2, source=noise(11, 3, 4, 4),
                      source_frames=3),
    "few": replace(DATA, source=noise(4, 1, 4, 4)),
    "many": replace(DATA, source=noise(30, 1, 4, 4)),
}  # fmt: skip


@pytest.mark.parametrize("length", [1, 4, 11, 256])
@pytest.mark.parametrize("name", NEW)
def test_there_and_back_of_other_sources(
    name: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_stream, "block_length", lambda shape: length)
    data, back = NEW[name], collect(as_stream(NEW[name]))
    assert equal(back, data)
    kinds = ("source_kind", "frames", "source_frames")
    assert [getattr(back, k) for k in kinds] == [getattr(data, k) for k in kinds]


@pytest.mark.parametrize("name", NEW)
def test_other_sources_are_resized_with_their_images(name: str) -> None:
    data = NEW[name]
    assert isinstance(data.source, torch.Tensor)
    small = collect(as_stream(resized(data, 4)))
    assert small.shape == (data.shape[0], 4, 4)
    assert small.source is not None and small.source.shape == (*data.source.shape[:2], 2, 2)
    if name == "ids":  # the pixels whose centres are nearest
        assert torch.equal(small.source, IDS[:, :, 1::2, 1::2])  # type: ignore[arg-type]


def test_sources_of_oblong_images_are_cropped_as_those_are() -> None:
    x = torch.zeros(2, 1, 16, 32, dtype=torch.uint8)
    ids = torch.arange(8, dtype=torch.int32).expand(2, 2, 4, 8)  # the number of the column
    data = resized(DataSet("x", x, source=ids, source_kind="ids"), 16)
    assert data.source is not None
    assert data.source[torch.tensor([0])][0, 0, 0].tolist() == [2, 3, 4, 5]


def test_nothing_but_images() -> None:
    data = collect(as_stream(DataSet("x", noise(3, 1, 4, 4))))
    assert (data.y, data.source, data.classes) == (None, None, ())


def test_blocks_are_small() -> None:
    assert block_length((1, 28, 28)) == 256
    assert block_length((3, 1024, 1024)) == 21
    assert block_length((3, 2**14, 2**14)) == 1


@pytest.mark.parametrize("shape", [(20, 20), (20, 31), (33, 16), (8, 8), (7, 9)])
@pytest.mark.parametrize("size", [8, 16])
def test_it_is_torchvisions_resize_and_centre_crop(shape: tuple[int, int], size: int) -> None:
    x = noise(2, 3, *shape)
    result = Resized(x, size)[torch.arange(2)]
    assert result.shape == (2, 3, size, size) and result.dtype == torch.uint8
    for image, original in zip(result[:, 0], x[:, 0].numpy(), strict=True):
        pil = Image.fromarray(original.astype(np.float32))
        pil = CenterCrop(size)(Resize(size, InterpolationMode.BICUBIC)(pil))
        assert np.abs(image.numpy() - np.asarray(pil).clip(0, 255)).max() < 0.51


def test_resizing_waits_for_an_index() -> None:
    x = Resized(noise(5, 3, 8, 10), 4)
    index = torch.tensor([4, 0])
    assert (len(x), x.shape) == (5, (5, 3, 4, 4))
    assert torch.equal(x[index], Resized(x.images[index], 4)[torch.arange(2)])


def test_sources_keep_their_proportion() -> None:
    pairs = replace(DATA, source=255 - DATA.x)  # type: ignore[arg-type, operator]
    small, other = collect(as_stream(resized(pairs, 4))), resized(DATA, 4)
    assert small.source is not None and small.source.shape == (11, 3, 4, 4)
    assert small.x.shape == (11, 3, 4, 4)
    assert other.source is not None and other.source.shape == (11, 1, 2, 2)
    rows = torch.arange(11)
    assert torch.equal(other.source[rows], resize_pixels(DATA.source, (2, 2)))  # type: ignore[arg-type]
    assert other.provenance == {"source": "a test", "resized": "8x8 to 4x4, bicubic"}


def test_nothing_to_resize() -> None:
    assert resized(DATA, None) is DATA
    assert resized(DATA, 8) is DATA


def test_a_size_that_is_there_is_taken() -> None:
    smaller = {2: noise(11, 3, 2, 2), 4: noise(11, 3, 4, 4)}
    plain = replace(DATA, source=None, smaller=smaller)
    taken = resized(plain, 4)
    assert taken.x is smaller[4] and list(taken.smaller) == [2]
    assert taken.provenance["resized"] == "8x8 to 4x4, means over areas"
    assert isinstance(resized(plain, 5).x, Resized) and not resized(plain, 5).smaller
    assert isinstance(resized(replace(plain, source=DATA.source), 4).x, Resized)


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (9, 9)])
def test_tensors_are_padded_and_stretched_as_files_are(shape: tuple[int, int]) -> None:
    x = noise(3, 1, *shape) // 4 + 96  # of which bicubic makes nothing beyond 0..255
    files = [BytesIO() for _ in x]
    for file, image in zip(files, x[:, 0].numpy(), strict=True):
        Image.fromarray(image).save(file, "PNG")
    for sizing in (Sizing("crop"), Sizing("pad"), Sizing("stretch")):
        for size in (4, 24):
            made = resized(DataSet("x", x), size, sizing).x[torch.arange(3)].int()
            expected = [pixels(file.getvalue(), 1, size, sizing) for file in files]
            assert (made - torch.from_numpy(np.stack(expected)).int()).abs().max() <= 1

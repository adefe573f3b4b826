"""Crops and jitter: which pixels, equally likely places, whole pairs, the same batches."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional as tv

from ganlib.common.data import Batch, DataSet, Loader, fit_spec
from ganlib.common.data.crops import Croppable, Crops, Jitter, cropped
from ganlib.common.data.fingerprint import fingerprint
from ganlib.common.data.loader import WORKERS
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.seeds import generator

N = 30


def numbered(n: int = N, height: int = 20, width: int = 24) -> Tensor:
    """Every pixel tells its image, row and column, as its three channels."""
    grids = torch.meshgrid(*map(torch.arange, (n, height, width)), indexing="ij")
    return torch.stack(grids, 1).to(torch.uint8)


def numbered_pair(factor: int = 4) -> DataSet:
    """Images of 16x24 and sources, a factor smaller, of which a pixel tells where its block is."""
    x = numbered(N, 16, 24)
    source = x[:, :, ::factor, ::factor]
    return DataSet("pair", x, torch.arange(N) % 3, source, ("a", "b", "c"))


def checkerboards(size: int, square: int, n: int = N) -> Tensor:
    """Black and white squares, each image's shifted by a pixel against the last one's."""
    place = torch.arange(size) + torch.arange(n)[:, None]
    on = (place[:, :, None] // square + place[:, None] // square) % 2
    return (255 * on[:, None]).to(torch.uint8)


def loader(data: DataSet, **settings: Any) -> Loader:
    return Loader(
        data, fit_spec(data, data.shape[1:]), settings.pop("batch_size", 8), 3, **settings
    )


def values(x: Tensor | None) -> Tensor:
    """0..255 again."""
    assert x is not None
    return ((x + 1) * 127.5).round().to(torch.int64)


def test_crops_are_slices() -> None:
    x = torch.randint(0, 256, (5, 3, 20, 24), dtype=torch.uint8)
    crops = Crops(x, (8, 6), (20, 24))
    index = torch.tensor([4, 0, 0, 2])
    places = torch.tensor([[0.0, 0.0], [0.9999999, 0.9999999], [0.5, 0.25], [0.31, 0.77]])
    got = crops.crops(index, places)
    assert got.dtype == torch.uint8 and crops.shape == (5, 3, 8, 6) and len(crops) == 5
    for image, (u, v), i in zip(got.numpy(), places.tolist(), index.tolist(), strict=True):
        top, left = min(12, int(u * 13)), min(18, int(v * 19))
        assert np.array_equal(image, x.numpy()[i, :, top : top + 8, left : left + 6])


def test_by_index_the_middle() -> None:
    x = torch.randint(0, 256, (3, 1, 20, 24), dtype=torch.uint8)
    for size in (8, 20):
        expected = tv.center_crop(x, [size, size])
        assert torch.equal(Crops(x, (size, size), (20, 24))[torch.arange(3)], expected)


@pytest.mark.parametrize("limit", [0.0, 1 - 2.0**-24])
@pytest.mark.parametrize("side", [1, 9, 4095])
def test_no_place_lies_outside(side: int, limit: float) -> None:
    x = torch.arange(side).to(torch.uint8)[None, None, None].expand(1, 1, side, side)
    cut = Crops(x, (1, 1), (side, side)).crops(torch.tensor([0]), torch.full((1, 2), limit))
    assert int(cut) == (0 if limit == 0 else (side - 1) % 256)


def test_all_places_are_equally_likely_and_drawn_anew_in_each_epoch() -> None:
    data = cropped(DataSet("one", numbered(1, 9, 9)), 8)
    batches = loader(data, batch_size=1)
    seen = Counter(tuple(values(next(batches).x)[0, 1:, 0, 0].tolist()) for _ in range(400))
    assert sorted(seen) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(abs(count - 100) < 4 * (400 * 3 / 16) ** 0.5 for count in seen.values())


@pytest.mark.parametrize("condition", [None, "images"])
def test_crops_of_images_are_crops_of_whole_images(condition: str | None) -> None:
    data = cropped(numbered_pair(1), 8)
    batches = loader(data, condition=condition)
    assert batches.spec == fit_spec(data, (8, 8)) and batches.spec.native == (3, 8, 8)
    corners = set()
    for _ in range(8):
        x, y = next(batches)
        for image in values(x):
            i, top, left = image[:, 0, 0].tolist()
            assert torch.equal(image, numbered(N, 16, 24)[i, :, top : top + 8, left : left + 8])
            corners.add((top, left))
        assert y is None or torch.equal(x, y)
    assert len(corners) > 30


@pytest.mark.parametrize("factor", [2, 4])
def test_smaller_sources_are_cut_at_the_corresponding_place(factor: int) -> None:
    data = cropped(numbered_pair(factor), 8)
    assert data.shape == (3, 8, 8) and data.source is not None
    assert tuple(data.source.shape) == (N, 3, 8 // factor, 8 // factor)
    index, corners = torch.arange(N), set()
    for seed in range(5):
        places = torch.rand(N, 2, generator=torch.Generator().manual_seed(seed))
        assert isinstance(data.x, Croppable) and isinstance(data.source, Croppable)
        x, y = data.x.crops(index, places), data.source.crops(index, places)
        assert torch.equal(x[:, :, ::factor, ::factor], y)
        corners |= {tuple(corner) for corner in x[:, 1:, 0, 0].tolist()}
    wanted = {(i, j) for i in range(0, 9, factor) for j in range(0, 17, factor)}
    assert corners <= wanted and len(corners) > 0.8 * len(wanted)
    assert torch.equal(data.x[index][:, :, ::factor, ::factor], data.source[index])


def test_what_cannot_be_cropped() -> None:
    data = numbered_pair(4)
    square = DataSet("square", numbered(2, 8, 8))
    assert cropped(square, 8) is square
    with pytest.raises(
        UserError, match="'pair' are 24x16 and a crop is 20x20: give a smaller crop"
    ):
        cropped(data, 20)
    with pytest.raises(UserError, match="10 pixels is no whole pixels .* give a multiple of 4"):
        cropped(data, 10)


@pytest.mark.parametrize("more", [1, 4, 16])
def test_jitter_is_a_resize_and_a_crop(more: int) -> None:
    x = torch.randint(0, 256, (4, 3, 16, 20), dtype=torch.uint8)
    places = torch.tensor([[0.0, 0.0], [0.99, 0.99], [0.5, 0.5], [0.1, 0.8]])
    got = Jitter(more, (16, 20), (16, 20))(x, places)
    assert got.shape == x.shape and got.dtype == torch.uint8
    larger = tv.resize(x, [16 + more, 20 + more], tv.InterpolationMode.BICUBIC, antialias=True)
    for image, (u, v), whole in zip(got, places.tolist(), larger, strict=True):
        top, left = int(u * (more + 1)), int(v * (more + 1))
        assert torch.equal(image, whole[:, top : top + 16, left : left + 20])
    pil = Image.fromarray(x[0, 0].numpy().astype(np.float32))
    expected = np.asarray(pil.resize((20 + more, 16 + more), Image.Resampling.BICUBIC))
    assert np.abs(expected[:16, :20].clip(0, 255) - got[0, 0].numpy()).max() < 0.51


def test_ids_are_copied_from_the_nearest_pixel() -> None:
    ids = torch.randint(0, 60_000, (2, 2, 12, 12), dtype=torch.int32)
    got = Jitter(5, (12, 12), (12, 12))(ids, torch.zeros(2, 2), ids=True)
    assert got.dtype == torch.int32
    for result, image in zip(got.flatten(0, 1), ids.flatten(0, 1), strict=True):
        pil = Image.fromarray(image.numpy()).resize((17, 17), Image.Resampling.NEAREST)
        assert np.array_equal(result.numpy(), np.asarray(pil)[:12, :12])


def test_a_jittered_pair_of_checkerboards_stays_equal() -> None:
    x = checkerboards(16, 4)
    batches = loader(DataSet("boards", x, source=x), condition="images", flip=True, jitter=5)
    seen = [next(batches) for _ in range(8)]
    for x_, y in seen:
        assert y is not None and torch.equal(x_, y) and x_.shape == (8, 1, 16, 16)
    assert len({image.numpy().tobytes() for x_, _ in seen for image in x_}) > 40


def test_a_jittered_source_of_a_quarter_stays_beside_its_image() -> None:
    """A ramp tells where a pixel lies, whatever it was resized by."""
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(N, 1, 64, 64)
    x = torch.cat([ramp, ramp.transpose(2, 3)], 1)
    source = torch.nn.functional.avg_pool2d(x.float(), 4).round().to(torch.uint8)
    jitter = Jitter(12, (64, 64), (16, 16))
    places = torch.rand(N, 2)
    large, small = jitter(x, places).float(), jitter(source, places).float()
    means = torch.nn.functional.avg_pool2d(large, 4)
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))  # away from the borders
    assert (means - small)[inside].abs().max() < 1.5  # a pixel of x off would be 3.4
    assert len({float(image[0, 32, 32]) for image in large}) == 4


def test_jitter_that_is_no_whole_pixels_of_the_sources() -> None:
    with pytest.raises(
        UserError, match="jitter is 30, but these sources allow multiples of 4 only"
    ):
        Jitter(30, (64, 64), (16, 16))


def test_jitter_of_more_than_the_image() -> None:
    assert Jitter(64, (64, 80), (64, 80))
    with pytest.raises(UserError, match="jitter is 65, .* see 80x64 pixels: give at most 64"):
        Jitter(65, (64, 80), (64, 80))


def test_a_quarter_is_jittered_beside_its_image_in_a_batch() -> None:
    columns = torch.arange(0, 256, 4, dtype=torch.uint8).expand(N, 1, 64, 64)
    data = DataSet("ramp", columns, source=columns[:, :, 1::4, 1::4] + 2)
    batches = loader(data, condition="images", jitter=8, flip=True)
    assert batches.spec.source == (1, 16, 16)
    for _ in range(4):
        x, y = next(batches)
        means = torch.nn.functional.avg_pool2d(x, 4)
        assert y is not None and (means - y)[:, :, :, 2:-2].abs().max() < 3 / 127.5
    with pytest.raises(UserError, match="jitter is 6, .* multiples of 4 only"):
        loader(data, condition="images", jitter=6)
    assert next(loader(data, jitter=6)).y is None


def test_ids_are_cropped_and_mirrored_with_their_images() -> None:
    x = numbered(N, 16, 24)
    data = DataSet("ids", x, source=x[:, 1:].int() + 300, source_kind="ids")
    batches = loader(cropped(data, 8), condition="images", flip=True)
    for _ in range(4):
        x, y = next(batches)
        assert y is not None and y.dtype == torch.int32 and y.shape == (8, 2, 8, 8)
        assert torch.equal(values(x)[:, 1:] + 300, y.long())
    jittered = next(loader(data, condition="images", jitter=4)).y
    assert jittered is not None and jittered.shape == (8, 2, 16, 24)


def test_unpaired_sets_have_places_of_their_own() -> None:
    data = cropped(DataSet("sets", numbered(N, 16, 24), source=numbered(17, 16, 24)), 8)
    assert data.source is not None and len(data.source) == 17
    settings: dict[str, Any] = {"condition": "unpaired", "jitter": 4}
    first, second = loader(data, **settings), loader(data, **settings)
    next(first)
    second.position = first.position
    for _ in range(4):
        a, b = next(first), next(second)
        assert_same(a, b)
        assert a.y is not None and not torch.equal(a.x[:, 1:, 0, 0], a.y[:, 1:, 0, 0])


def test_a_stage_averages_the_jittered_images() -> None:
    data = cropped(numbered_pair(1), 8)
    large, small = loader(data, jitter=4, flip=True), loader(data, jitter=4, flip=True)
    small.resize(8, (4, 4))
    expected = torch.nn.functional.avg_pool2d(values(next(large).x).float(), 2)
    assert torch.allclose(next(small).x, expected / 127.5 - 1, atol=1e-6)
    kept = replace(numbered_pair(1), smaller={8: numbered(N, 8, 8)})
    assert cropped(kept, 8).smaller == {}


SETTINGS: list[dict[str, Any]] = [
    {},
    {"jitter": 4},
    {"jitter": 4, "flip": True, "dequantize": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("start", [0, 8, 40, 24 * 11])
def test_a_batch_depends_on_seed_and_position_alone(start: int, settings: dict[str, Any]) -> None:
    data = cropped(numbered_pair(1), 12)
    first, second = (loader(data, condition="images", **settings) for _ in range(2))
    first.position = second.position = start
    for _ in range(3):
        next(second)
    second.position = start
    for _ in range(5):
        assert_same(next(first), next(second))
    other = loader(data, condition="images", **settings)
    other.seed, other.position = 4, first.position
    assert not torch.equal(next(first).x[:, 1:, 0, 0], next(other).x[:, 1:, 0, 0])


def test_neither_moves_the_order_nor_the_flips_of_old_runs() -> None:
    data = DataSet("noise", torch.randint(0, 256, (N, 1, 12, 12), dtype=torch.uint8))
    random = loader(data, flip=True)
    drawn = generator(3, "", "order", 0)
    order = torch.randperm(N, generator=drawn)
    flips = torch.rand(N, generator=drawn) < 0.5
    x = torch.cat([values(next(random).x) for _ in range(3)])
    for i, flip, image in zip(order, flips, x, strict=False):
        assert torch.equal(image, data.x[i].flip(-1).long() if flip else data.x[i].long())  # type: ignore[index]


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_share_the_batches_of_one_process(ranks: int) -> None:
    data = cropped(numbered_pair(2), 8)
    data = replace(data, source=data.x)
    settings: dict[str, Any] = {"condition": "images", "jitter": 4, "flip": True}
    whole = loader(data, **settings)
    parts = [loader(data, rank=rank, ranks=ranks, **settings) for rank in range(ranks)]
    for _ in range(5):
        expected, batches = next(whole), [next(part) for part in parts]
        assert torch.equal(torch.cat([batch.x for batch in batches]), expected.x)
        assert expected.y is not None
        assert torch.equal(torch.cat([batch.y for batch in batches]), expected.y)  # type: ignore[misc]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """numbered_pair(4), read from a file when asked."""
    write_hdf5(tmp_path / "pair.h5", numbered_pair(4))
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    return read_hdf5(tmp_path / "pair.h5", "train")


@pytest.mark.skipif(WORKERS == 0, reason="no safe forks here")
def test_two_workers_equal_none_and_a_file_its_images_in_memory(file: DataSet) -> None:
    settings: dict[str, Any] = {"flip": True}
    lazy, memory = cropped(file, 8), cropped(numbered_pair(4), 8)
    plain, inside, workers = (
        loader(data, workers=n, **settings) for data, n in ((lazy, 0), (memory, 2), (lazy, 2))
    )
    assert memory.provenance["crops"] == "8x8 out of 24x16, the middle where none is drawn"
    assert fingerprint(lazy) == fingerprint(memory)
    for position in (0, 20 * 8, 13):
        for one in (plain, inside, workers):
            one.position = position
            one.resize(8 if position else 12)
        for _ in range(5):
            batch = next(plain)
            assert_same(batch, next(inside))
            assert_same(batch, next(workers))
    assert inside._prefetcher is None
    workers.close()


def test_still_images_are_the_middles_in_the_same_order() -> None:
    data = cropped(numbered_pair(1), 8)
    moving = loader(data, jitter=4, flip=True, condition="images")
    next(moving)
    still = moving.still()
    expected = loader(replace(data, x=data.x[torch.arange(N)]))
    expected.position = moving.position
    for _ in range(5):
        x, y = next(still)
        assert torch.equal(x, next(expected).x)
        assert y is not None and torch.equal(x, y)
    index = torch.tensor([3, 1, 1])
    assert data.source is not None
    assert torch.equal(values(moving.condition_at(index)), data.source[index].long())
    assert not torch.equal(next(moving).x, next(moving.still()).x)


def test_no_batch_reads_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, to read one is to wait for it."""
    data = cropped(numbered_pair(1), 12)
    spec = fit_spec(data, (16, 16))
    batches = Loader(data, spec, 8, 0, condition="images", jitter=4, flip=True)

    def refuse(self: Tensor, *_: object) -> None:
        raise AssertionError("a batch read a tensor's value")

    for name in ("item", "tolist", "numpy", "__bool__", "__float__", "__int__", "cpu", "nonzero"):
        monkeypatch.setattr(Tensor, name, refuse)
    for _ in range(6):
        next(batches)


def assert_same(a: Batch, b: Batch) -> None:
    assert torch.equal(a.x, b.x)
    assert (a.y is None) == (b.y is None)
    assert a.y is None or b.y is None or torch.equal(a.y, b.y)

"""Batches: which images, in which order, and what becomes of their pixels."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet, DataSpec, Loader, fit_spec
from ganlib.common.data.condition import Condition
from ganlib.common.data.loader import Order
from ganlib.common.data.spec import Lazy
from ganlib.common.errors import UserError

N = 10


def numbered(n: int = N, size: int = 4, channels: int = 1) -> DataSet:
    """Image i is all i, labelled i % 3, and its source all 100 + i."""
    x = torch.arange(n, dtype=torch.uint8)[:, None, None, None]
    x = x.expand(n, channels, size, size).contiguous()
    return DataSet("numbered", x, torch.arange(n) % 3, x + 100, ("a", "b", "c"))


def noise(n: int, channels: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (n, channels, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def spec_of(data: DataSet) -> DataSpec:
    return fit_spec(data, data.shape[1:])


def values(x: Tensor) -> Tensor:
    """0..255 again."""
    return ((x + 1) * 127.5).round().to(torch.int64)


def numbers(loader: Loader, batches: int) -> list[int]:
    return [int(i) for _ in range(batches) for i in values(next(loader).x)[:, 0, 0, 0]]


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 25])
def test_each_epoch_has_every_image_once(batch_size: int) -> None:
    data = numbered()
    loader = Loader(data, spec_of(data), batch_size, seed=1)
    seen = numbers(loader, -(-5 * N // batch_size))
    epochs = [seen[i : i + N] for i in range(0, len(seen) - N + 1, N)]
    assert len(epochs) >= 5
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert loader.position == len(seen)


@pytest.mark.parametrize("start", [0, 4, 8, 36, 7])
def test_a_batch_depends_on_seed_and_position_alone(start: int) -> None:
    data = numbered()
    settings = {"condition": "labels", "flip": True, "dequantize": True}

    def loader() -> Loader:
        return Loader(data, spec_of(data), 4, 3, **settings)  # type: ignore[arg-type]

    first, second = loader(), loader()
    first.position = start
    expected = [next(first) for _ in range(6)]
    for _ in range(3):
        next(second)
    second.position = start
    for batch in expected:
        again = next(second)
        assert torch.equal(batch.x, again.x)
        assert batch.y is not None and again.y is not None and torch.equal(batch.y, again.y)


def test_seed_and_stream_change_the_order() -> None:
    data = numbered()
    orders = [
        numbers(Loader(data, spec_of(data), N, seed, stream=stream), 1)
        for seed, stream in ((0, ""), (1, ""), (0, "labelled"))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_batch_over_the_end_of_an_epoch_continues_the_next() -> None:
    data = numbered()
    whole, pieces = Loader(data, spec_of(data), N, 5), Loader(data, spec_of(data), 4, 5)
    assert numbers(whole, 2) == numbers(pieces, 5)


def test_pixels_without_dequantisation() -> None:
    x = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    data = DataSet("ramp", x)
    batch = next(Loader(data, spec_of(data), 1, 0))
    expected = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
    assert batch.y is None
    assert batch.x.dtype == torch.float32
    assert np.array_equal(batch.x.numpy().ravel(), expected)
    assert batch.x.min() == -1 and batch.x.max() == 1
    assert torch.equal(data.x[torch.tensor([0])], x)


def test_flip_mirrors_some_images_and_their_sources() -> None:
    x = noise(64, 3, 5)
    data = DataSet("noise", x, source=255 - x)
    loader = Loader(data, spec_of(data), 64, 0, condition="images", flip=True)
    plain = next(Loader(data, spec_of(data), 64, 0))
    epochs = []
    for _ in range(2):
        batch = next(loader)
        assert batch.y is not None and torch.allclose(batch.x, -batch.y, atol=1e-6)
        epochs.append(batch.x)
    flipped = [not torch.equal(a, b) for a, b in zip(epochs[0], plain.x, strict=True)]
    assert 10 < sum(flipped) < 54
    for is_flipped, a, b in zip(flipped, epochs[0], plain.x, strict=True):
        assert torch.equal(a, b.flip(-1) if is_flipped else b)


def test_an_image_is_not_flipped_alike_in_every_epoch() -> None:
    x = noise(1, 1, 4)
    data = DataSet("one", x)
    loader = Loader(data, spec_of(data), 1, 0, flip=True)
    batches = [next(loader).x for _ in range(20)]
    assert 0 < sum(torch.equal(batch, batches[0]) for batch in batches) < 20


@pytest.mark.parametrize(
    ("native", "size", "fit"),
    [
        ((28, 28), (28, 28), "none"),
        ((28, 28), (32, 32), "pad"),
        ((27, 28), (32, 32), "pad"),
        ((28, 28), (35, 35), "pad"),
        ((28, 28), (36, 36), "pad"),
        ((28, 28), (38, 38), "resize"),
        ((28, 28), (24, 24), "resize"),
        ((28, 36), (32, 32), "resize"),
    ],
)
def test_fit(native: tuple[int, int], size: tuple[int, int], fit: str) -> None:
    data = DataSet("x", torch.zeros((2, 3, *native), dtype=torch.uint8), classes=("a", "b"))
    spec = fit_spec(data, size)
    assert spec == DataSpec((3, *size), (3, *native), spec.fit, 2, classes=("a", "b"))
    assert spec.fit == fit
    assert spec.to_image(data.x[torch.tensor([0])]).shape == (1, 3, *size)
    assert spec.to_native(torch.zeros(1, 3, *size)).shape == (1, 3, *native)


@pytest.mark.parametrize(("native", "size"), [(28, 32), (27, 32), (32, 40)])
def test_padding_is_black_and_cropped_off_again(native: int, size: int) -> None:
    x = noise(5, 1, native)
    spec = fit_spec(DataSet("x", x), (size, size))
    image = spec.to_image(x)
    assert image.dtype == torch.uint8
    assert image.sum() == x.sum()
    top = (size - native) // 2
    assert torch.equal(image[..., top : top + native, top : top + native], x)
    assert torch.equal(spec.to_native(image), x)


@pytest.mark.parametrize(("native", "size"), [(28, 64), (64, 28)])
def test_resize_agrees_with_pil(native: int, size: int) -> None:
    x = noise(3, 1, native)
    spec = fit_spec(DataSet("x", x), (size, size))
    for result, image in zip(spec.to_image(x), x, strict=True):
        pil = Image.fromarray(image[0].numpy().astype(np.float32))
        expected = np.asarray(pil.resize((size, size), Image.Resampling.BICUBIC)).clip(0, 255)
        assert np.abs(result[0].numpy() - expected).max() < 0.51


def test_resize_back_stays_in_range() -> None:
    spec = fit_spec(DataSet("x", noise(1, 1, 28)), (64, 64))
    x = torch.rand(4, 1, 64, 64).round() * 2 - 1
    back = spec.to_native(x)
    assert back.shape == (4, 1, 28, 28) and back.abs().max() <= 1


def test_dequantised_values_are_uniform_in_their_bins() -> None:
    data = DataSet("noise", noise(64, 3, 32))
    spec = spec_of(data)
    plain, noisy = Loader(data, spec, 64, 0), Loader(data, spec, 64, 0, dequantize=True)
    k, x = values(next(plain).x), next(noisy).x
    assert x.min() >= -1 and x.max() < 1
    u = ((x.double() + 1) * 128 - k).flatten()
    assert u.min() >= 0 and u.max() <= 1
    standard_error = 12**-0.5 / len(u) ** 0.5
    assert abs(u.mean() - 0.5) < 4 * standard_error
    assert abs(u.var() - 1 / 12) < 0.001
    assert len(torch.histc(u, 10).nonzero()) == 10


def test_dequantisation_never_reaches_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataSet("white", torch.full((1, 1, 2, 2), 255, dtype=torch.uint8))
    loader = Loader(data, spec_of(data), 1, 0, dequantize=True)
    next(loader)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.full((1, 1, 2, 2), 1 - 2.0**-24))
    monkeypatch.setattr(Order, "_shuffle", lambda *_: None)
    assert 0.99 < next(loader).x.max() < 1


def test_dequantisation_differs_between_epochs() -> None:
    data = DataSet("one", noise(1, 1, 4))
    loader = Loader(data, spec_of(data), 1, 0, dequantize=True)
    assert not torch.equal(next(loader).x, next(loader).x)


def test_labels_belong_to_their_images() -> None:
    data = numbered()
    loader = Loader(data, spec_of(data), 4, 0, condition="labels")
    for _ in range(5):
        x, y = next(loader)
        assert y is not None and y.dtype == torch.int64
        assert torch.equal(y, values(x)[:, 0, 0, 0] % 3)


def test_sources_belong_to_their_images_and_keep_their_proportion() -> None:
    data = numbered(size=28)
    for side, wanted in ((28, 32), (14, 16), (7, 8), (56, 64)):
        source = data.source[..., :1, :1].expand(N, 1, side, side)  # type: ignore[index]
        pairs = replace(data, source=source)
        spec = fit_spec(pairs, (32, 32))
        loader = Loader(pairs, spec, 4, 0, condition="images")
        x, y = next(loader)
        assert y is not None and spec.source == (1, wanted, wanted)
        assert x.shape == (4, 1, 32, 32) and y.shape == (4, 1, wanted, wanted)
        middle = wanted // 2
        assert torch.equal(values(y)[:, 0, middle, middle], values(x)[:, 0, 16, 16] + 100)


def test_dtype() -> None:
    data = numbered()
    for dequantize in (False, True):
        loader = Loader(data, spec_of(data), 4, 0, dtype=torch.bfloat16, dequantize=dequantize)
        x = next(loader).x
        assert x.dtype == torch.bfloat16 and x.max() < 1


def test_a_fork_has_a_position_and_an_order_of_its_own() -> None:
    data = numbered()
    loader = Loader(data, spec_of(data), N, 0, condition="labels")
    expected = numbers(Loader(data, spec_of(data), N, 0, stream="labelled"), 1)
    next(loader)
    fork = loader.fork("labelled")
    assert numbers(fork, 1) == expected
    assert (loader.position, fork.position) == (N, N)
    assert numbers(loader, 1) != expected


def test_a_loader_over_other_data_starts_anew() -> None:
    data, other = numbered(), replace(numbered(5), name="other")
    loader = Loader(data, spec_of(data), 5, 0, condition="labels")
    next(loader)
    over = loader.over(other)
    assert sorted(numbers(over, 1)) == list(range(5))
    assert (loader.position, over.position) == (5, 5)


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_ranks_share_the_batches_of_one_process(ranks: int) -> None:
    data = DataSet("noise", noise(N, 3, 5), torch.arange(N), 255 - noise(N, 3, 5))
    settings = {"condition": "images", "flip": True, "dequantize": True}
    whole = Loader(data, spec_of(data), 8, 0, **settings)  # type: ignore[arg-type]
    parts = [
        Loader(data, spec_of(data), 8, 0, rank=rank, ranks=ranks, **settings)  # type: ignore[arg-type]
        for rank in range(ranks)
    ]
    for _ in range(4):
        expected, batches = next(whole), [next(part) for part in parts]
        assert torch.equal(torch.cat([batch.x for batch in batches]), expected.x)
        y = [batch.y for batch in batches if batch.y is not None]
        assert expected.y is not None and torch.equal(torch.cat(y), expected.y)
        assert {part.position for part in parts} == {whole.position}


class Counted(Lazy):
    """Images that note which of them are read."""

    def __init__(self, images: Tensor) -> None:
        self.images, self.shape, self.read = images, tuple(images.shape), list[int]()

    def __getitem__(self, index: Tensor) -> Tensor:
        self.read += index.tolist()
        return self.images[index]


@pytest.mark.parametrize("condition", ["labels", "images", "unpaired"])
@pytest.mark.parametrize("passes", [1, 2])
def test_no_rank_reads_what_is_not_of_its_share(condition: Condition, passes: int) -> None:
    """Of four ranks, each with so many micro-batches of its own; beyond the end of an epoch."""

    def loader(**share: int) -> Loader:
        sources = N if condition == "images" else 5
        data = DataSet("noise", Counted(noise(N, 1, 4)), torch.arange(N) % 2, classes=("a", "b"))
        data = replace(data, source=Counted(noise(sources, 1, 4)))
        more: Any = {"condition": condition, "flip": True, "workers": 0}
        return Loader(data, spec_of(data), 16, 0, **share, **more)

    def read(one: Loader) -> dict[str, list[int]]:
        """What a batch, and a batch of another stream, are made of."""
        names = ("x", "source")
        for name in names:
            getattr(one.data, name).read.clear()
        next(one)
        next(one.fork("other"))
        return {name: list(getattr(one.data, name).read) for name in names}

    shares = 4 * passes
    whole, parts = loader(), [loader(rank=k, ranks=shares) for k in range(shares)]
    for _ in range(3):
        expected, found = read(whole), [read(part) for part in parts]
        for name, numbers in expected.items():
            first, other = ([k for one in found for k in half(one[name], i)] for i in (0, 1))
            assert first + other == numbers
            assert len(numbers) == (0 if name == "source" and condition == "labels" else 2 * 16)


def half(numbers: list[int], which: int) -> list[int]:
    n = len(numbers) // 2
    return numbers[which * n : (which + 1) * n]


def test_a_share_goes_on_from_where_its_loader_is() -> None:
    data = numbered()
    loader = Loader(data, spec_of(data), 4, 0)
    numbers(loader, 3)
    expected = numbers(loader, 4)
    loader.position = 12
    parts = [loader.share(rank, 2) for rank in range(2)]
    shared = [[numbers(part, 1) for part in parts] for _ in range(4)]
    assert [i for pair in shared for part in pair for i in part] == expected
    assert {part.position for part in parts} == {28} and loader.position == 12
    assert numbers(parts[0].share(0, 1), 1) == numbers(loader.share(1, 2).share(0, 1), 5)[-4:]


@pytest.mark.parametrize(
    ("batch_size", "ranks", "can"), [(10, 4, "8 or 12 images can"), (2, 4, "4 images can")]
)
def test_batches_that_cannot_be_shared(batch_size: int, ranks: int, can: str) -> None:
    data = numbered()
    words = f"A batch of {batch_size} images cannot be shared in {ranks} parts: {can}."
    with pytest.raises(UserError) as caught:
        Loader(data, spec_of(data), batch_size, 0).share(0, ranks)
    assert str(caught.value) == words
    with pytest.raises(UserError, match="cannot be shared"):
        Loader(data, spec_of(data), batch_size, 0, rank=1, ranks=ranks)
    with pytest.raises(ValueError, match="no rank 2 of 2"):
        Loader(data, spec_of(data), batch_size, 0, rank=2, ranks=2)


@pytest.mark.parametrize("condition", [None, "labels", "images", "unpaired"])
def test_no_batch_reads_a_value(condition: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, to read one is to wait for it."""
    data = numbered()
    settings = {"condition": condition, "flip": True, "dequantize": True}
    loader = Loader(data, fit_spec(data, (5, 5)), 4, 0, **settings)  # type: ignore[arg-type]

    def refuse(self: Tensor, *_: object) -> None:
        raise AssertionError("a batch read a tensor's value")

    for name in ("item", "tolist", "numpy", "__bool__", "__float__", "__int__", "cpu", "nonzero"):
        monkeypatch.setattr(Tensor, name, refuse)
    for _ in range(6):
        next(loader)


def ids_data() -> DataSet:
    """Ids (N, 2, 4, 6) beside images (N, 1, 8, 12): distinct numbers up to 65535."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 65536, (N, 2, 4, 6), generator=generator, dtype=torch.int32)
    x = torch.arange(N, dtype=torch.uint8)[:, None, None, None].expand(N, 1, 8, 12)
    return DataSet("ids", x, source=ids, source_kind="ids")


def test_ids_stay_the_numbers_that_they_are() -> None:
    data = ids_data()
    assert isinstance(data.source, Tensor)
    loader = Loader(data, spec_of(data), 4, 0, condition="images", dequantize=True, flip=True)
    twin = replace(data, x=data.source[:, :1].float().clamp(0, 255).to(torch.uint8))
    images = Loader(twin, spec_of(twin), 4, 0, flip=True)
    for start in range(0, 8, 4):
        batch, shown = next(loader), next(images)
        assert batch.y is not None and batch.y.dtype == torch.int32
        order = numbers_at(data, start)
        for number, y, x in zip(order, batch.y, shown.x, strict=True):
            original = data.source[number]
            flipped = not torch.equal(y, original)
            assert torch.equal(y, original.flip(-1) if flipped else original)
            assert torch.equal(y[0].clamp(0, 255), values(x)[0].int())  # as the images are


def numbers_at(data: DataSet, position: int) -> list[int]:
    plain = Loader(data, spec_of(data), 4, 0)
    plain.position = position
    return numbers(plain, 1)


@pytest.mark.parametrize("size", [(9, 13), (6, 12), (16, 24), (20, 30)])
def test_ids_are_resized_to_the_nearest(size: tuple[int, int]) -> None:
    data = ids_data()
    assert isinstance(data.source, Tensor)
    spec = fit_spec(data, size)
    y = spec.to_source(data.source)
    high, wide = round(size[0] / 2), round(size[1] / 2)
    assert spec.source == (2, high, wide) == y.shape[1:] and y.dtype == torch.int32
    rows = ((np.arange(high) + 0.5) * 4 / high).astype(int)
    columns = ((np.arange(wide) + 0.5) * 6 / wide).astype(int)
    assert np.array_equal(y.numpy(), data.source.numpy()[:, :, rows][..., columns])


@pytest.mark.parametrize("times", [1, 4])
def test_ids_are_padded_with_0(times: int) -> None:
    ids = ids_data().source
    assert isinstance(ids, Tensor)
    ids = ids.repeat_interleave(2, 2).repeat_interleave(2, 3)
    x = torch.zeros(N, 1, 8 * times, 12 * times, dtype=torch.uint8)
    spec = fit_spec(DataSet("x", x, source=ids, source_kind="ids"), (10 * times, 14 * times))
    y = spec.to_source(ids)
    assert spec.fit == "pad" and spec.source == (2, 10, 14) == y.shape[1:]
    assert torch.equal(y[:, :, 1:-1, 1:-1], ids) and y.sum() == ids.sum()


def test_where_padding_would_tear_pairs_apart_both_are_resized() -> None:
    x = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    sides = {28: "pad", 14: "pad", 7: "resize", 56: "pad", 27: "resize"}
    found = {}
    for side in sides:
        source = torch.zeros(2, 3, side, side, dtype=torch.uint8)
        spec = fit_spec(DataSet("x", x, source=source), (32, 32))
        found[side] = spec.fit
        assert spec.source is not None and spec.to_source(source).shape[1:] == spec.source
    assert found == sides


@pytest.mark.parametrize("side", [28, 14, 7, 56])
@pytest.mark.parametrize("size", [(28, 28), (32, 32), (35, 35), (64, 48), (20, 20)])
def test_the_data_s_own_size_of_sources(side: int, size: tuple[int, int]) -> None:
    x = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    source = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    assert fit_spec(DataSet("x", x, source=source), size).native_source == (side, side)


# Unpaired sets


def two_sets(n: int = N, m: int = 7) -> DataSet:
    data = numbered(n)
    return replace(data, source=numbered(m).source)


@pytest.mark.parametrize("m", [3, 7, N, 23])
def test_unpaired_sources_have_epochs_of_their_own(m: int) -> None:
    data = two_sets(m=m)
    loader = Loader(data, spec_of(data), 4, 2, condition="unpaired")
    assert loader.n_sources == m
    x, y = [], []
    for _ in range(20):
        batch = next(loader)
        assert batch.y is not None
        x += values(batch.x)[:, 0, 0, 0].tolist()
        y += (values(batch.y)[:, 0, 0, 0] - 100).tolist()
    for seen, n in ((x, N), (y, m)):
        epochs = [seen[i : i + n] for i in range(0, len(seen) - n + 1, n)]
        assert all(sorted(epoch) == list(range(n)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1
    assert m != N or x != y  # an order of their own, of the same length too
    assert x == numbers(Loader(data, spec_of(data), 4, 2), 20)  # that of the images stays
    other = Loader(data, spec_of(data), 4, 3, condition="unpaired")
    assert [v - 100 for v in values(next(other).y)[:, 0, 0, 0].tolist()] != y[:4]  # type: ignore[arg-type]


def test_unpaired_batches_follow_from_the_position_and_are_shared() -> None:
    data = two_sets()
    settings = {"condition": "unpaired", "flip": True, "dequantize": True}
    whole = Loader(data, spec_of(data), 4, 0, **settings)  # type: ignore[arg-type]
    later = Loader(data, spec_of(data), 4, 0, **settings)  # type: ignore[arg-type]
    parts = [whole.share(rank, 2) for rank in range(2)]
    later.position = 40
    for k in range(12):
        batch, shared = next(whole), [next(part) for part in parts]
        for i in (0, 1):
            assert torch.equal(batch[i], torch.cat([part[i] for part in shared]))  # type: ignore[list-item]
        if k >= 10:
            assert all(torch.equal(a, b) for a, b in zip(batch, next(later), strict=True))  # type: ignore[arg-type]


def test_unpaired_sources_are_mirrored_for_themselves() -> None:
    x = noise(64, 1, 5)
    data = DataSet("noise", x, source=x)
    plain = Loader(data, spec_of(data), 64, 0, condition="unpaired")
    loader = Loader(data, spec_of(data), 64, 0, condition="unpaired", flip=True)
    before, after = next(plain), next(loader)
    mirrored = [
        [not torch.equal(a, b) for a, b in zip(before[i], after[i], strict=True)]  # type: ignore[arg-type]
        for i in (0, 1)
    ]
    assert all(10 < sum(flips) < 54 for flips in mirrored) and mirrored[0] != mirrored[1]


def test_unpaired_sources_by_number() -> None:
    data = two_sets(m=40)
    y = Loader(data, spec_of(data), 4, 0, condition="unpaired").condition_at(torch.tensor([39, 0]))
    assert y is not None and values(y)[:, 0, 0, 0].tolist() == [139, 100]


# Stages


def stage(data: DataSet, batch_size: int, size: tuple[int, int] | None, **settings: Any) -> Loader:
    loader = Loader(data, spec_of(data), 4, 0, **settings)
    loader.resize(batch_size, size)
    return loader


@pytest.mark.parametrize("side", [4, 8, 16, 32])
def test_a_stage_is_the_mean_of_whole_blocks(side: int) -> None:
    data = DataSet("noise", noise(N, 3, 32))
    batch = next(stage(data, 5, (side, side), dtype=torch.float64, flip=True))
    whole = next(stage(data, 5, None, dtype=torch.float64, flip=True))
    k = 32 // side
    blocks = whole.x.numpy().reshape(5, 3, side, k, side, k).mean((3, 5))
    assert batch.x.shape == (5, 3, side, side)
    assert np.abs(batch.x.numpy() - blocks).max() < 1e-12


def test_a_stage_that_divides_nothing_is_still_an_average() -> None:
    data = DataSet("white", torch.full((N, 1, 9, 9), 255, dtype=torch.uint8))
    batch = next(stage(data, 4, (4, 6)))
    assert batch.x.shape == (4, 1, 4, 6) and torch.equal(batch.x, torch.ones(4, 1, 4, 6))


def test_a_stage_is_dequantized_by_one_level_of_its_own() -> None:
    data = DataSet("noise", noise(N, 1, 32))
    noisy = next(stage(data, 64, (16, 16), dequantize=True)).x
    mean = (next(stage(data, 64, (16, 16))).x + 1) * 127.5
    u = (noisy.double() + 1) * 128 - mean
    assert u.min() >= -1e-4 and u.max() <= 1 + 1e-4
    assert abs(u.mean() - 0.5) < 4 * 12**-0.5 / u.numel() ** 0.5
    assert len(torch.histc(u, 10, 0, 1).nonzero()) == 10


@pytest.mark.parametrize("condition", ["labels", "images", "unpaired"])
def test_batches_of_a_stage_follow_from_its_position(condition: Any) -> None:
    data = numbered(size=8)
    settings = {"condition": condition, "flip": True, "dequantize": True}
    loader = Loader(data, spec_of(data), 4, 0, **settings)
    steps = [(8, (2, 2)), (8, (2, 2)), (2, (4, 4)), (6, None), (2, (8, 8))]
    seen = []
    for batch_size, size in steps:
        loader.resize(batch_size, size)
        seen.append((loader.position, next(loader)))
    assert [position for position, _ in seen] == [0, 8, 16, 18, 24] and loader.position == 26
    for (batch_size, size), (position, batch) in zip(steps, seen, strict=True):
        again = stage(data, batch_size, size, **settings)
        again.position = position
        assert all(torch.equal(a, b) for a, b in zip(batch, next(again), strict=True))  # type: ignore[arg-type]
        assert batch.x.shape[2:] == (size or (8, 8)) and len(batch.x) == batch_size
        assert condition == "labels" or batch.y.shape == (batch_size, 1, 8, 8)  # type: ignore[union-attr]


def test_the_shares_of_a_stage_are_its_batch() -> None:
    data = numbered(size=8)
    whole = stage(data, 8, (4, 4), flip=True, dequantize=True)
    parts = [whole.share(rank, 4) for rank in range(4)]
    for n in (8, 4):
        for loader in (whole, *parts):
            loader.resize(n, (4, 4))
        shared = torch.cat([next(part).x for part in parts])
        assert torch.equal(next(whole).x, shared) and len(shared) == n
    with pytest.raises(UserError, match="batch of 6 images cannot be shared in 4 parts"):
        parts[0].resize(6, (4, 4))


def test_smaller_images_that_are_there_are_read() -> None:
    data = replace(numbered(size=8), smaller={4: numbered(size=4).source})  # type: ignore[dict-item]
    for side, more in ((8, 0), (4, 100), (2, 0)):
        loader = stage(data, 4, (side, side))
        assert numbers(loader, 1) == [i + more for i in numbers(stage(data, 4, None), 1)]
        assert next(loader).x.shape == (4, 1, side, side)
    padded = Loader(data, fit_spec(data, (10, 10)), 4, 0)
    padded.resize(4, (4, 4))  # the smaller images have no margins
    assert values(next(padded).x).max() < 100


class AtOnce:
    """Images in a file, as a tensor when asked; and how often that was."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape, self.asked = x, x.shape, 0

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        raise AssertionError("read one by one")

    def at_once(self) -> Tensor:
        self.asked += 1
        return self.x


def test_smaller_images_in_a_file_are_in_memory_while_their_stage_lasts() -> None:
    files = {side: AtOnce(numbered(size=side).x) for side in (2, 4)}  # type: ignore[arg-type]
    loader = stage(replace(numbered(size=8), smaller=files), 4, (2, 2))
    fork = loader.fork("other")
    for side in (2, 2, 4, None, 4, 2):
        for one in (loader, fork):
            one.resize(4, None if side is None else (side, side))
        next(loader), next(fork)
        held = {key[1] for key in loader._places if key[0] == "x"}
        assert held - {None} == {side} - {None}
    assert [files[side].asked for side in (2, 4)] == [2, 1 + 1]


def test_a_smaller_network_reads_smaller_images() -> None:
    data = replace(numbered(size=8), smaller={4: numbered(size=4).source})  # type: ignore[dict-item]
    spec = fit_spec(data, (4, 4))
    assert spec.fit == "resize" and values(next(Loader(data, spec, 4, 0)).x).min() >= 100
    oblong = Loader(data, fit_spec(data, (4, 2)), 4, 0)
    assert values(next(oblong).x).max() < 100


@pytest.mark.parametrize("size", [(5, 4), (4, 8), (0, 4)])
def test_no_stage_is_larger_than_the_images(size: tuple[int, int]) -> None:
    data = numbered()
    with pytest.raises(UserError, match="Images of 4x4 pixels cannot be averaged to .x.: give"):
        Loader(data, spec_of(data), 4, 0).resize(4, size)


def test_condition_at() -> None:
    data = numbered()
    index = torch.tensor([3, 1, 1])
    labels = Loader(data, spec_of(data), 4, 0, condition="labels", flip=True)
    sources = Loader(data, spec_of(data), 4, 0, condition="images", flip=True)
    expected = torch.tensor([0, 1, 1])
    assert torch.equal(labels.condition_at(index), expected)  # type: ignore[arg-type]
    y = sources.condition_at(index)
    assert y is not None and values(y)[:, 0, 0, 0].tolist() == [103, 101, 101]
    assert Loader(data, spec_of(data), 4, 0).condition_at(index) is None


class Lazy:
    """Images that are not a tensor."""

    shape = (N, 1, 4, 4)

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: Tensor) -> Tensor:
        return numbered().x[index]


def test_images_need_not_be_a_tensor() -> None:
    data, lazy = numbered(), DataSet("lazy", Lazy())
    expected = numbers(Loader(data, spec_of(data), 4, 0), 5)
    assert numbers(Loader(lazy, spec_of(lazy), 4, 0), 5) == expected


@pytest.mark.parametrize(
    ("missing", "condition", "words"),
    [
        ("y", "labels", "needs labels.*'numbered' has none"),
        ("source", "images", "needs pairs.*'numbered' has none"),
        ("source", "unpaired", "needs two sets.*'numbered' has one"),
    ],
)
def test_missing_conditions(missing: str, condition: str, words: str) -> None:
    data = replace(numbered(), **{missing: None})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=words):
        Loader(data, spec_of(data), 4, 0, condition=condition)  # type: ignore[arg-type]


def test_pairs_are_as_many_on_both_sides() -> None:
    data = two_sets()
    words = "needs pairs of images, and the data set 'numbered' has 10 images and 7 sources"
    with pytest.raises(UserError, match=words):
        Loader(data, spec_of(data), 4, 0, condition="images")
    loader = Loader(numbered(), spec_of(data), 4, 0, condition="images")
    with pytest.raises(UserError, match=words):
        loader.over(data)
    empty = replace(data, source=numbered(0).source)
    with pytest.raises(UserError, match="has no source images"):
        Loader(empty, spec_of(data), 4, 0, condition="unpaired")
    next(Loader(data, spec_of(data), 4, 0))  # who asks for none may have any


def test_no_images() -> None:
    with pytest.raises(UserError, match="has no images"):
        Loader(numbered(0), spec_of(numbered()), 4, 0)


def test_a_condition_of_no_known_word() -> None:
    for word, near in (("label", "Did you mean 'labels'"), ("none", "Did you mean 'None'")):
        with pytest.raises(UserError, match=f"cannot be '{word}'. {near}"):
            Loader(numbered(), spec_of(numbered()), 4, 0, condition=word)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="cannot be 7. There are: None, .*images, labels"):
        Loader(numbered(), spec_of(numbered()), 4, 0, condition=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_floats_have_the_bits_of_one_pass(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.common.data.loader.SOME", 7)
    data = DataSet("levels", torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8))
    x = next(Loader(data, spec_of(data), 4, 0, dtype=dtype)).x
    rows = Loader(data, spec_of(data), 4, 0)._draw()["x"].here
    assert torch.equal(x, data.x[rows].to(dtype).div_(127.5).sub_(1))

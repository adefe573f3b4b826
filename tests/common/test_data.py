"""Batches: which images, in which order, and what becomes of their pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet, DataSpec, Loader, fit_spec
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
    assert spec == DataSpec((3, *size), (3, *native), spec.fit, 2)
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
    monkeypatch.setattr(loader, "_shuffle", lambda epoch: None)
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


def test_sources_belong_to_their_images_and_have_the_networks_size() -> None:
    data = numbered(size=28)
    small = replace(data, source=data.source[..., :14, :14])  # type: ignore[index]
    for pairs in (data, small):
        spec = fit_spec(pairs, (32, 32))
        loader = Loader(pairs, spec, 4, 0, condition="images")
        x, y = next(loader)
        assert y is not None and spec.source == (1, 32, 32)
        assert x.shape == y.shape == (4, 1, 32, 32)
        assert torch.equal(values(y)[:, 0, 16, 16], values(x)[:, 0, 16, 16] + 100)


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


@pytest.mark.parametrize("condition", [None, "labels", "images"])
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
    [("y", "labels", "needs labels"), ("source", "images", "needs pairs")],
)
def test_missing_conditions(missing: str, condition: str, words: str) -> None:
    data = replace(numbered(), **{missing: None})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"{words}.*'numbered' has none"):
        Loader(data, spec_of(data), 4, 0, condition=condition)  # type: ignore[arg-type]


def test_no_images() -> None:
    with pytest.raises(UserError, match="has no images"):
        Loader(numbered(0), spec_of(numbered()), 4, 0)


def test_a_condition_of_no_known_word() -> None:
    for word, near in (("label", "Did you mean 'labels'"), ("none", "Did you mean 'None'")):
        with pytest.raises(UserError, match=f"cannot be '{word}'. {near}"):
            Loader(numbered(), spec_of(numbered()), 4, 0, condition=word)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="cannot be 7. There are: None, .*images, labels"):
        Loader(numbered(), spec_of(numbered()), 4, 0, condition=7)  # type: ignore[arg-type]

"""Sources that are made of images: in memory, lazily, in crops, in files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.data.crops import Crops
from ganlib.common.data.fingerprint import changes, fingerprint
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5
from ganlib.common.formats.hdf5 import Hdf5Images
from ganlib.common.formats.hdf5_writing import write_streams
from ganlib.common.query import DataQuery, open_dataset
from ganlib.common.sources.derived import Derivation
from ganlib.common.sources.edges import edges
from ganlib.common.sources.grey import grey
from ganlib.common.sources.masked import HOLE
from ganlib.common.sources.parse import parse_source


def derivation(text: str) -> Derivation:
    found = parse_source(text)
    assert isinstance(found, Derivation)
    return found


SOURCES = ("edges", "grey", "masked:3", "low-resolution:2", "low-resolution:4")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Smooth images in colour of 24x24."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(6):
        coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), np.uint8))
        coarse.resize((24, 24), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def toy(n: int = 5, side: int = 16, channels: int = 3) -> DataSet:
    random = torch.Generator().manual_seed(0)
    return DataSet("toy", torch.randint(256, (n, channels, side, side), generator=random).byte())


def pixels(data: DataSet) -> Tensor:
    assert data.source is not None
    return data.source[torch.arange(len(data.source))]


@pytest.mark.parametrize("source", SOURCES)
def test_a_file_that_was_prepared_holds_what_is_made_on_the_fly(
    source: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fly, file = open_dataset(str(photos), source=source), tmp_path / "photos.h5"
    write_streams(file, DataQuery(str(photos), source=source).stream())
    assert isinstance(fly.x, Tensor) and isinstance(fly.source, Tensor)
    stored = open_dataset(str(file))
    assert torch.equal(pixels(stored), pixels(fly)) and fly.source.dtype == torch.uint8
    assert stored.provenance["sources"] == fly.provenance["sources"] == derivation(source).words

    write_streams(tmp_path / "plain.h5", DataQuery(str(photos)).stream())
    monkeypatch.setattr(hdf5, "IN_MEMORY", 0)
    lazy = open_dataset(str(tmp_path / "plain.h5"), source=source)
    assert isinstance(lazy.x, Hdf5Images) and not isinstance(lazy.source, Tensor)
    assert torch.equal(pixels(lazy), pixels(fly))
    order = torch.tensor([4, 1, 3])
    assert lazy.source is not None and torch.equal(lazy.source[order], fly.source[order])


def test_sources_are_made_at_the_size_that_was_asked_for(photos: Path) -> None:
    data = open_dataset(str(photos), size=16, source="edges")
    assert isinstance(data.x, Tensor)
    assert torch.equal(pixels(data), edges(data.x))


def test_of_a_masked_image_a_quarter_is_missing_where_seed_and_number_say() -> None:
    data = toy(200)
    first, again = (derivation("masked").add(data) for _ in range(2))
    assert torch.equal(pixels(first), pixels(again))
    assert not torch.equal(pixels(first), pixels(derivation("masked:1").add(data)))
    missing = (pixels(first) == HOLE).all(1)
    corners = set()
    for hole, image, source in zip(missing, data.x[torch.arange(200)], pixels(first), strict=True):
        rows, columns = hole.sum(1), hole.sum(0)
        assert (rows >= 8).sum() == 8 and (columns >= 8).sum() == 8
        top, left = int((rows >= 8).nonzero()[0]), int((columns >= 8).nonzero()[0])
        inside = torch.zeros(16, 16, dtype=torch.bool)
        inside[top : top + 8, left : left + 8] = True
        assert torch.equal(source, torch.where(inside, HOLE, image))
        corners.add((top, left))
    assert {top for top, _ in corners} == {left for _, left in corners} == set(range(9))


def test_low_resolution_is_pillows_bicubic_within_a_level() -> None:
    data = derivation("low-resolution:4").add(toy())
    for image, found in zip(data.x[torch.arange(5)], pixels(data), strict=True):
        pil = Image.fromarray(image.permute(1, 2, 0).numpy())
        wanted = np.asarray(pil.resize((4, 4), Image.Resampling.BICUBIC)).astype(int)
        assert abs(found.permute(1, 2, 0).numpy().astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("source", ["grey", "low-resolution:2"])
@pytest.mark.parametrize("lazy", [False, True])
def test_crops_mirror_and_jitter_move_an_image_and_its_source_alike(
    source: str, lazy: bool, photos: Path
) -> None:
    """What is grey, or smaller, of the image is the source, wherever the image was cut."""
    data = open_dataset(str(photos), crop=16, source=source)  # each file read when it is asked for
    if not lazy:
        data = DataQuery(crop=16, source=source, memory=open_dataset(str(photos))).open()
    spec = fit_spec(data, (16, 16))
    loader = Loader(data, spec, 4, 0, condition="images", flip=True, jitter=4, workers=0)
    for _ in range(3):
        x, y = next(loader)
        assert y is not None
        levels = (x * 127.5 + 127.5).round().byte()
        wanted = grey(levels) if source == "grey" else torch.nn.functional.avg_pool2d(x, 2)
        wanted = wanted.float() / 127.5 - 1 if source == "grey" else wanted
        assert y.shape == wanted.shape
        assert (y - wanted).abs().mean() < 0.03 < (y - wanted.flip(-1)).abs().mean()


def test_frames_are_made_into_sources_picture_by_picture() -> None:
    one = toy(channels=3)
    pair = DataSet("two", torch.cat([one.x[:4], one.x[1:]], 1), frames=2)  # type: ignore[index]
    data = derivation("grey").add(pair)
    assert data.source_frames == 2
    wanted = grey(one.x[torch.arange(5)])
    assert torch.equal(pixels(data), torch.cat([wanted[:4], wanted[1:]], 1))


def test_the_fingerprint_and_the_name_tell_sources_apart() -> None:
    made = [derivation(source).add(toy()) for source in SOURCES]
    assert len({fingerprint(data)["sources"] for data in made}) == len(SOURCES)
    assert changes(fingerprint(made[0]), fingerprint(made[1])) == "other sources"
    assert DataQuery("emoji", source="low-resolution:4").label == "emoji_from_low-resolution_4"


def test_images_that_cannot_be_made_into_such_a_source() -> None:
    with pytest.raises(UserError, match=r"^These images are grey already"):
        derivation("grey").add(toy(channels=1))
    with pytest.raises(UserError, match=r"^Points have no pixels to make a source of"):
        open_dataset("ring8", source="edges")
    with pytest.raises(UserError, match=r"^Images of 18x18 cannot be 4 times smaller"):
        derivation("low-resolution:4").add(toy(side=18))


@pytest.mark.parametrize("source", ["edges", "masked", "low-resolution:2"])
def test_batches_read_ahead_are_those_of_images_in_memory(
    source: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, batches = tmp_path / "photos.h5", []
    write_streams(file, DataQuery(str(photos)).stream())
    for limit, workers in ((hdf5.IN_MEMORY, 0), (0, 0), (0, 1)):
        monkeypatch.setattr(hdf5, "IN_MEMORY", limit)
        data = open_dataset(str(file), crop=16, source=source)
        assert isinstance(data.source, Crops)
        assert isinstance(data.source.images, Tensor) is (limit > 0)
        loader = Loader(
            data, fit_spec(data, (16, 16)), 4, 0,
            condition="images", flip=True, jitter=4, workers=workers,
        )  # fmt: skip
        batches.append([next(loader) for _ in range(3)])
        loader.close()
    for batch in zip(*batches, strict=True):
        for x, y in batch[1:]:
            assert torch.equal(x, batch[0].x) and torch.equal(y, batch[0].y)


def test_where_ids_were_the_source_their_classes_go_with_them() -> None:
    ids = torch.zeros(5, 2, 16, 16, dtype=torch.int32)
    data = replace(toy(), source=ids, source_kind="ids", classes=("sky", "road"))
    for source in ("edges", "unpaired:emoji"):
        made = DataQuery(source=source, memory=data).open()
        assert made.source_kind == "image" and made.classes == ()


@pytest.mark.parametrize("source", SOURCES)
def test_the_sides_that_a_source_can_be_made_of(source: str) -> None:
    by = derivation(source)
    side = 3 * by.multiple
    assert len(by.make(toy(2, side).x, torch.arange(2))) == 2
    assert by.multiple == int(source.partition("low-resolution:")[2] or 1)
    if by.multiple > 1:
        with pytest.raises(UserError, match="multiple of"):
            by.make(toy(2, side + 1).x, torch.arange(2))

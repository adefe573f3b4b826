"""A translator applied to sources of any size."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import ganlib
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator, has_noise
from ganlib.sampling.translation.translator import Translator, Way

Make = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("small_methods")


class Same(Generator):
    """Gives back its source, each pixel as so many as the image has for it, if the sides fit."""

    def __init__(self, multiple: int, times: int = 1, sides: tuple[int, int] | None = None) -> None:
        super().__init__(n_hidden=0, latent="normal")
        self.multiple, self.times, self.sides = multiple, times, sides
        self.like = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None
        if self.sides is not None and y.shape[2:] != self.sides:
            raise ValueError("I take but one size.\nI do")
        assert all(side % (self.multiple or 1) == 0 for side in y.shape[2:])
        self.seen.append(tuple(y.shape))
        return y.repeat_interleave(self.times, 2).repeat_interleave(self.times, 3)


def updater_of(make_updater: Make, gen: Same, spec: DataSpec) -> Any:
    """A translator that has this generator and these shapes."""
    updater = make_updater("unpaired", side=8)
    updater.gen, updater.spec = gen, spec
    return updater


def noise(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(256, shape, dtype=torch.uint8, generator=random)


def as_images(y: Tensor) -> Tensor:
    return y.float() / 127.5 - 1


SIZES = [(8, 8), (1, 1), (3, 8), (7, 9), (8, 9), (16, 16), (17, 30), (41, 5)]
SPEC = DataSpec((1, 8, 8), (1, 8, 8), source=(1, 8, 8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("multiple", "tile"), [(0, None), (1, None), (4, None), (1, 6), (4, 6)])
def test_an_identity_gives_back_its_input(
    make_updater: Make, size: tuple[int, int], multiple: int, tile: int | None
) -> None:
    gen = Same(multiple, sides=(8, 8) if multiple == 0 else None)
    translator = Translator(updater_of(make_updater, gen, SPEC), tile=tile)
    y = noise(1, *size)
    assert torch.equal(translator(y), as_images(y))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("multiple", "tile"), [(0, None), (2, None), (1, 6)])
def test_images_keep_their_proportion_to_sources(
    make_updater: Make, size: tuple[int, int], multiple: int, tile: int | None
) -> None:
    gen = Same(multiple, times=4, sides=(8, 8) if multiple == 0 else None)
    spec = replace(SPEC, image=(1, 32, 32), native=(1, 32, 32))
    y = noise(1, *size)
    found = Translator(updater_of(make_updater, gen, spec), tile=tile)(y)
    assert torch.equal(found, as_images(y).repeat_interleave(4, 1).repeat_interleave(4, 2))


def test_images_smaller_than_sources(make_updater: Make) -> None:
    class Half(Same):
        def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
            assert y is not None
            return super().forward(z, y)[..., ::2, ::2]

    spec = replace(SPEC, image=(1, 4, 4), native=(1, 4, 4))
    for multiple, tile in ((0, None), (1, None), (3, 7)):
        translator = Translator(updater_of(make_updater, Half(multiple), spec), tile=tile)
        assert translator.scale == (Fraction(1, 2), Fraction(1, 2))
        y = noise(1, 21, 34)
        assert torch.equal(translator(y), as_images(y)[..., ::2, ::2])


def test_ways(make_updater: Make) -> None:
    spec = replace(SPEC, image=(1, 32, 32), native=(1, 28, 28), fit="pad", source=(1, 32, 32))

    def way(multiple: int, size: tuple[int, int], tile: int | None = None) -> Way:
        return Translator(updater_of(make_updater, Same(multiple), spec), tile=tile).way(size)

    native = way(8, (28, 28), tile=8)
    assert native == Way((28, 28), (28, 28), (28, 28))
    assert way(8, (30, 41)) == Way((30, 41), (32, 48), (32, 48))
    assert way(8, (30, 41), tile=17) == Way((30, 41), (32, 48), (24, 24))
    assert way(8, (16, 41), tile=17) == Way((16, 41), (16, 48), (16, 24))
    assert way(0, (30, 41)) == Way((30, 41), (32, 41), (32, 32))
    assert way(0, (32, 32)) == Way((32, 32), (32, 32), (32, 32))


def test_the_border_is_repeated(make_updater: Make) -> None:
    gen = Same(4)
    seen: list[Tensor] = []
    gen.register_forward_hook(lambda _, inputs, output: seen.append(output))
    y = noise(1, 5, 6)
    Translator(updater_of(make_updater, gen, SPEC))(y)
    expected = F.pad(as_images(y)[None], (0, 2, 0, 3), mode="replicate")
    assert torch.equal(seen[0], expected)


@pytest.mark.parametrize("name", ["superres", "unpaired", "labelmap", "frames"])
@pytest.mark.parametrize("side", [28, 32])
def test_a_held_out_source_becomes_its_sample(make_updater: Make, name: str, side: int) -> None:
    updater = make_updater(name, side=side)
    updater.update()
    for index in (0, 5):
        y = updater.held_out.condition_at(torch.tensor([index]))
        [expected] = torch.cat(list(updater.sample(1, 3, y=y)))
        found = Translator(updater, seed=3)(updater.held_out.data.source[index])
        assert torch.equal(found, expected)


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_so_it_does_with_noise(make_updater: Make, statistics: str) -> None:
    """To the last bit one by one, and nearly in batches, whatever else is in them."""
    updater = make_updater("dropped", batch_size=4)
    updater.update()
    y = updater.held_out.condition_at(torch.tensor([4]))
    how: dict[str, Any] = {"y": y.expand(3, -1, -1, -1), "statistics": statistics}
    expected = torch.cat(list(updater.sample(3, 7, batch_size=1, **how)))
    torch.testing.assert_close(torch.cat(list(updater.sample(3, 7, **how))), expected)
    held_out = next(updater.sample(32, 7, statistics=statistics))  # in another order
    row = updater.sample_stream(7).held(range(32)).tolist().index(4)
    translator = Translator(updater, 7, statistics=statistics)
    assert has_noise(updater.sampling_gen)
    source = updater.held_out.data.source[4]
    found = [translator(source, k) for k in (2, 0, 1)]
    assert torch.equal(torch.stack(found), expected[[2, 0, 1]])
    torch.testing.assert_close(translator(source, row), held_out[row], rtol=1e-4, atol=1e-5)
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("fit", ["pad", "resize"])
def test_so_it_does_where_training_brings_images_to_a_size(make_updater: Make, fit: str) -> None:
    side = 28 if fit == "pad" else 11
    source = noise(8, 1, side, side)
    data = DataSet("two sets", noise(8, 1, side, side, seed=1), source=source)
    updater = make_updater("unpaired", data=data)
    assert updater.spec.fit == fit and updater.spec.native_source == (side, side)
    y = updater.held_out.condition_at(torch.tensor([2]))
    [expected] = torch.cat(list(updater.sample(1, 0, y=y)))
    assert torch.equal(Translator(updater)(source[2]), expected)
    other = Translator(updater)(noise(1, *updater.spec.source[1:]))
    assert other.shape == updater.spec.image  # not brought to the data's own size


def test_tiles_of_a_network_are_nearly_the_whole(make_updater: Make) -> None:
    """Where nothing but the tile's border differs, which the blend leaves out."""
    updater = make_updater("unpaired", side=28)
    y = noise(1, 50, 70)
    whole, tiles = Translator(updater)(y), Translator(updater, tile=32)(y)
    # two convolutions of 3x3 look two pixels far, and tiles turn 2 pixels or more from the border
    torch.testing.assert_close(tiles, whole, rtol=0, atol=1e-5)


def test_noise_of_tiles_is_by_seed_and_number(make_updater: Make) -> None:
    updater = make_updater("dropped")
    y = noise(1, 40, 40)
    one = Translator(updater, 1, tile=24)
    assert torch.equal(one(y, 1), Translator(updater, 1, tile=24)(y, 1))
    assert not torch.equal(one(y, 1), one(y, 0))
    assert not torch.equal(one(y, 1), Translator(updater, 2, tile=24)(y, 1))


def test_networks_are_left_as_they_were(make_updater: Make) -> None:
    updater = make_updater("dropped")
    before = {name: t.clone() for name, t in updater.state_dict().items()}
    Translator(updater)(noise(1, 40, 30))
    assert all(torch.equal(t, before[name]) for name, t in updater.state_dict().items())
    assert all(layer.training for layer in updater.gen.modules())


def test_what_is_refused(make_updater: Make) -> None:
    with pytest.raises(UserError, match="starts from no images"):
        Translator(make_updater("dcgan"))
    with pytest.raises(UserError, match="starts from no images"):
        Translator(make_updater("labelled"))
    fixed = updater_of(make_updater, Same(0), SPEC)
    with pytest.raises(UserError, match="tiles of 8x8 alone: leave --tile out"):
        Translator(fixed, tile=16)
    strict = updater_of(make_updater, Same(1, sides=(8, 8)), SPEC)
    words = r"takes no source of 9x7 pixels: I take but one size\. I do\."
    with pytest.raises(UserError, match=words):
        Translator(strict)(noise(1, 7, 9))
    wrong = make_updater("dropped")
    wrong.gen.multiple = 1
    with pytest.raises(UserError, match="makes 30x28 of a source of 31x29 pixels, where 31x29"):
        Translator(wrong)(noise(1, 29, 31))


def test_a_memory_that_is_too_small(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(z: Tensor, y: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("so many bytes\nand so on")

    gen = Same(1)
    monkeypatch.setattr(gen, "forward", forward)
    with pytest.raises(UserError, match="too small for 9x7 pixels at once: give a --tile"):
        Translator(updater_of(make_updater, gen, SPEC))(noise(1, 7, 9))


# ---- in Python -------------------------------------------------------------------------------


def test_a_model_takes_pictures_and_tensors(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("superres"))
    y = noise(2, 1, 7, 9)
    expected = torch.stack([Translator(model.updater)(one) for one in y])
    pictures = [Image.fromarray(one[0].numpy()) for one in y]
    assert expected.shape == (2, 1, 28, 36)
    for images in (y, as_images(y), pictures, list(y), y.repeat(1, 3, 1, 1)):
        assert torch.equal(model.translate(images), expected)
    assert torch.equal(model.translate(pictures[1]), expected[1:])
    assert torch.equal(model.translate(y[1]), expected[1:])
    other, same = model.translate([pictures[0], noise(1, 5, 5)]), expected[0]
    assert isinstance(other, list) and [x.shape[1:] for x in other] == [(28, 36), (20, 20)]
    assert torch.equal(other[0], same)


def test_colour_is_made_grey_and_what_is_transparent_white(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("unpaired"))
    colour = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    picture = Image.fromarray(colour, "RGBA")
    over = Image.new("RGBA", picture.size, "white")
    over.alpha_composite(picture)
    expected = torch.from_numpy(np.array(over.convert("L")))[None]
    assert torch.equal(model.translate(picture), model.translate(expected))


def test_maps_of_classes(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("labelmap"))
    classes = torch.randint(3, (6, 9), generator=torch.Generator().manual_seed(0))
    ids = torch.stack([classes, torch.zeros_like(classes)])
    expected, of_classes = map(Translator(model.updater), (ids.int(), ids[[0, 0]].int()))
    assert not torch.equal(expected, of_classes)
    picture = Image.fromarray(classes.to(torch.uint8).numpy()).convert("P")
    for images in (ids, ids[None].int()):
        assert torch.equal(model.translate(images)[0], expected)
    assert torch.equal(model.translate(picture)[0], of_classes)
    for known in (False, None):  # there are none, or it is not known whether there were
        model.updater.spec = replace(model.spec, instances=known)
        assert torch.equal(model.translate(picture)[0], expected)
    bad = ids.clone()
    bad[0, 0, 0] = 3
    for images, words in (
        (bad, "with classes other than 0 to 2"),
        (picture.convert("RGB"), "without numbers of classes"),
        (ids.float(), r"give int32 \(2, H, W\)"),
    ):
        with pytest.raises(UserError, match=words):
            model.translate(images)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "nothing to translate: give a PIL image"),
        (torch.zeros(3, 3), "nothing to translate"),
        ("a.png", "nothing to translate"),
        (["a.png"], "cannot be of str: give a PIL image"),
        (torch.zeros(1, 0, 4), r"cannot be of shape \(1, 0, 4\)"),
        (torch.full((1, 4, 4), 2.0), r"torch.float32 from 2 to 2: give uint8, or floats in"),
        (torch.full((1, 4, 4), float("nan")), "from nan to nan: give uint8"),
        (torch.zeros(1, 4, 4, dtype=torch.int64), "torch.int64 from 0 to 0"),
        (torch.zeros(4, 4, 4), "has 4 channels, and this generator starts from 1"),
    ],
)
def test_what_is_no_image(small_snapshot: Make, images: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ganlib.load(small_snapshot("unpaired")).translate(images)


def test_a_damaged_picture(small_snapshot: Make, tmp_path: Path) -> None:
    model = ganlib.load(small_snapshot("unpaired"))
    Image.fromarray(noise(64, 64).numpy()).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with Image.open(tmp_path / "a.png") as picture, pytest.raises(UserError, match="truncated"):
        model.translate(picture)


def test_sequences_are_tensors(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("frames"))
    assert model.translate(noise(2, 3, 20, 30)).shape == (2, 1, 20, 30)
    with pytest.raises(UserError, match="starts from 3 pictures of 1 channels"):
        model.translate(Image.new("L", (9, 9)))

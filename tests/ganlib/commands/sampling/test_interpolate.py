"""ganlib interpolate."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image, ImageSequence
from torch import Tensor

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.pictures import LETTERS, frames, grid
from ganlib.sampling.codes import Codes
from ganlib.sampling.interpolation import Interpolation, between_samples, signed_sum, spherical

Make = Callable[..., Path]
Run = Callable[..., Result]
TITLE = 2 * LETTERS  # pixels above a picture


def interpolated(
    model: ganlib.Model, stops: list[int], seed: int, *how: Any, y: int | None = None, **more: Any
) -> Tensor:
    return Interpolation(stops, *how, **more).images(model.updater.sample_stream(seed, y=y))


def test_strip_goes_from_sample_0_to_1(run: Run, snapshot: Path) -> None:
    result = run("interpolate", snapshot)
    assert result.exit_code == 0 and result.stdout == "interpolation.png\n"
    with Image.open("interpolation.png") as strip:
        assert strip.size == grid(torch.zeros(10, 1, 28, 28), 10).size


@pytest.mark.parametrize("name", ["dcgan", "sngan"])
def test_legs_start_and_end_at_their_samples(make_snapshot: Make, name: str) -> None:
    settings = {"architecture": "quick"} if name == "sngan" else {}
    model = ganlib.load(make_snapshot(name, **settings))
    samples = model.sample(9, seed=2)
    legs = interpolated(model, [3, 8, 1], 2, 4)
    assert legs.shape == (2, 4, 1, 28, 28)
    torch.testing.assert_close(legs[:, 0], samples[[3, 8]])
    torch.testing.assert_close(legs[:, -1], samples[[8, 1]])


def test_png_has_a_row_for_each_leg(run: Run, snapshot: Path) -> None:
    run("interpolate", snapshot, "--numbers", "3,8,1", "--seed", 2, "--frames", 4, "-o", "s.png")
    expected = grid(interpolated(ganlib.load(snapshot), [3, 8, 1], 2, 4).flatten(0, 1), 4)
    with Image.open("s.png") as strip:
        assert strip.tobytes() == expected.tobytes()


@pytest.mark.parametrize("numbers", ["3,8,1", "3,8,1,3"])
def test_gif_runs_through_all_legs_and_back(run: Run, snapshot: Path, numbers: str) -> None:
    run("interpolate", snapshot, "--numbers", numbers, "--frames", 5, "-o", "w.gif")
    with Image.open("w.gif") as film:
        assert getattr(film, "n_frames", 1) == 3 * 4 and film.info["loop"] == 0


def test_a_film_may_be_an_mp4(run: Run, snapshot: Path) -> None:
    av = pytest.importorskip("av")
    for name in ("w.gif", "w.mp4"):
        done = run("interpolate", snapshot, "--numbers", "3,8", "--frames", 5, "-o", name)
        assert done.exit_code == 0
    with Image.open("w.gif") as film:
        shown = [np.asarray(film.convert("L"), float) for _ in ImageSequence.Iterator(film)]
    with av.open("w.mp4") as film:
        decoded = [np.asarray(frame.to_image().convert("L"), float) for frame in film.decode()]
    assert len(decoded) == len(shown) == 8
    high, wide = shown[0].shape
    for frame, other in zip(decoded, shown, strict=True):
        assert frame.shape == (high + high % 2, wide + wide % 2)
        assert np.abs(frame[:high, :wide] - other).mean() < 4  # of 255


def test_without_its_package_an_mp4_is_a_sentence(
    run: Run, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    error = run("interpolate", snapshot, "-o", "w.mp4").exception
    assert isinstance(error, UserError) and not Path("w.mp4").exists()
    assert str(error) == "Videos like w.mp4 need the package av: run `pip install ganlib[video]`."


def test_class_changes_halfway(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("labelled"))
    numbers = [0, 1, 2]
    z, y = model.latents(numbers)
    assert y is not None and len(set(y.tolist())) > 1
    a, b, c = y.tolist()
    told = torch.tensor([a, a, a, b, b, b, b, b, c, c])
    path = spherical(z, 5, "normal").flatten(0, 1)
    expected = model.decode(path, told)
    torch.testing.assert_close(interpolated(model, numbers, 0, 5).flatten(0, 1), expected)


def test_a_class_may_be_kept_to(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("labelled")
    model = ganlib.load(path)
    legs = interpolated(model, [0, 1], 0, 3, y=2)
    torch.testing.assert_close(legs[0, [0, 2]], model.sample(2, y="c"))
    assert run("interpolate", path, "--class", "C", "--frames", 3, "-o", "s.png").exit_code == 0
    with Image.open("s.png") as strip:
        assert strip.tobytes() == grid(legs[0], 3).tobytes()
    assert run("interpolate", path, "--plus", 0, "--plus", 1, "--class", "c").exit_code == 0
    expected = frames(model.sample(1, y=2))[0]
    with Image.open("arithmetic.png") as row:
        place = (0, TITLE, expected.width, TITLE + expected.height)
        assert row.crop(place).tobytes() == expected.tobytes()


def test_a_walk_from_class_to_class_keeps_the_latents(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("labelled")
    model = ganlib.load(path)
    legs = interpolated(model, [4, 7], 1, 5, classes=[2, 0, 1])
    assert legs.shape == (4, 5, 1, 28, 28)
    for row, i in ((0, 4), (2, 7)):  # two legs at sample 4, then two at sample 7
        z, _ = model.latents([i], seed=1)
        for leg, (a, b) in enumerate([(2, 0), (0, 1)]):
            y = torch.zeros(5, 3)
            y[:, a], y[:, b] = torch.linspace(1, 0, 5), torch.linspace(0, 1, 5)
            torch.testing.assert_close(legs[row + leg], model.decode(z.expand(5, -1), y))
    ends = model.sample(5, seed=1, y=2)[4], model.sample(5, seed=1, y=1)[4]
    torch.testing.assert_close(legs[0, 0], ends[0])
    torch.testing.assert_close(legs[1, 4], ends[1])
    arguments = ["--classes", "c,a,b", "--seed", 1, "--frames", 5]
    run("interpolate", path, *arguments, "--numbers", "4,7", "-o", "s.png")
    with Image.open("s.png") as strip:
        assert strip.tobytes() == grid(legs.flatten(0, 1), 5).tobytes()
    run("interpolate", path, *arguments, "-o", "w.gif")  # and back to c
    with Image.open("w.gif") as film:
        assert getattr(film, "n_frames", 1) == 3 * 4


def test_a_walk_from_class_to_class_in_the_space_of_codes(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("labelled"))  # whose codes are its latents
    a, b = (interpolated(model, [3], 0, 4, classes=[0, 2], space=space) for space in ("z", "code"))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--class", "d"], "There is no class 'd': there are a, b and c"),
        (["--class", "a,b"], "--class names 2 classes; give one"),
        (["--classes", "a"], "fewer than two classes"),
        (["--classes", "a,b", "--numbers", "x"], "give one or more numbers"),
    ],
)
def test_classes_that_cannot_be(
    run: Run, small_snapshot: Make, arguments: list[str], words: str
) -> None:
    error = run("interpolate", small_snapshot("labelled"), *arguments).exception
    assert isinstance(error, UserError) and words in str(error)


@pytest.mark.usefixtures("small_methods")
def test_a_source_changes_halfway_too(make_updater: Callable[..., Any]) -> None:
    updater = make_updater("labelled")
    stream = updater.sample_stream(0)
    y = torch.rand(2, 3, 4, 4)
    stream.latents = lambda numbers: (updater.gen.make_hidden(2), y)
    told = between_samples(stream, [0, 1], 5, "z")[1]
    assert told is not None and torch.equal(told[0], y[[0, 0, 0, 1, 1]])


def test_a_walk_between_codes_is_straight(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("styled")
    model = ganlib.load(path)
    z, _ = model.latents([3, 1])
    w = model.code(z)
    legs = interpolated(model, [3, 1], 0, 5, space="code")
    torch.testing.assert_close(legs[0, 1], model.draw(0.75 * w[:1] + 0.25 * w[1:])[0])
    torch.testing.assert_close(legs[0, [0, 4]], model.sample(4)[[3, 1]])
    assert not torch.allclose(legs[0, 1], interpolated(model, [3, 1], 0, 5)[0, 1])
    run("interpolate", path, "--numbers", "3,1", "--frames", 5, "--space", "code", "-o", "s.png")
    with Image.open("s.png") as strip:
        assert strip.tobytes() == grid(legs[0], 5).tobytes()


def test_a_walk_may_be_of_truncated_codes(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("styled")
    model = ganlib.load(path)
    z, _ = model.latents([3, 1])
    w = model.code(z, truncation=0.3)
    line = torch.cat([torch.lerp(w[:1], w[1:], t) for t in (0, 0.5, 1)])
    how = ("--truncation", 0.3, "--space", "code", "--frames", 3, "-o", "walk.png")
    Codes(model.code(z), None, "code").save(Path("codes.npz"))
    for of in (("--numbers", "3,1"), ("--codes", "codes.npz", "--numbers", "0,1")):
        run("interpolate", path, *of, *how)
        with Image.open("walk.png") as strip:
            assert strip.tobytes() == grid(model.draw(line), 3).tobytes()


def test_a_translator_without_latents_is_refused(run: Run, small_snapshot: Make) -> None:
    error = run("interpolate", small_snapshot("dropped")).exception
    assert isinstance(error, UserError)
    assert "no latents to walk between" in str(error) and "`ganlib sample`" in str(error)


@pytest.mark.parametrize("name", ["dcgan", "sngan"])
def test_sum_shows_terms_signs_and_result(run: Run, make_snapshot: Make, name: str) -> None:
    settings = {"architecture": "quick"} if name == "sngan" else {}
    path = make_snapshot(name, **settings)
    result = run("interpolate", path, "--plus", 3, "--minus", 5, "--plus", 8)
    assert result.exit_code == 0 and result.stdout == "arithmetic.png\n"
    model = ganlib.load(path)
    with Image.open("arithmetic.png") as file:
        row = file.copy()
    z, _ = model.latents([3, 5, 8])
    total = signed_sum(z, torch.tensor([1, -1, 1]), model.updater.gen.latent)
    pictures = frames(model.decode(torch.cat([z, total[None]])))
    width, height = pictures[0].size
    step = (row.width - width) // 3
    for i, image in enumerate(pictures):
        place = (i * step, TITLE, i * step + width, TITLE + height)
        assert row.crop(place).tobytes() == image.tobytes()
        title = row.crop((i * step, 0, i * step + width, TITLE))
        assert title.convert("L").getextrema()[0] < 64  # there is one


def test_a_term_that_is_there_twice_is_shown_once(run: Run, make_snapshot: Make) -> None:
    path = make_snapshot("dcgan")
    once = ("interpolate", path, "--plus", 3, "--minus", 5)
    assert run(*once, "-o", "once.png").exit_code == 0
    assert run(*once, "--plus", 3, "-o", "twice.png").exit_code == 0
    with Image.open("once.png") as one, Image.open("twice.png") as two:
        assert one.size == two.size and one.tobytes() != two.tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--numbers", "3"], "two or more"),
        (["--numbers", "3,x"], "two or more"),
        (["--numbers", "3,-1"], "count from 0"),
        (["--plus", "-1"], "count from 0"),
        (["--most", 2], "--most and --reach are of --directions"),
        (["--directions", "sefa", "--reach", "nan"], "--reach is nan; give a number above 0"),
        (["--mix", 1, "--frames", 9], "--mix makes a picture of codes: leave --frames"),
        (["--mix", 1], "--mix is for style-based generators"),
        (["--plus", 1, "--numbers", "1,2"], "--numbers, --frames, --space and"),
        (["--plus", 1, "--space", "code"], "--numbers, --frames, --space and"),
        (["--dataset", "x.h5"], "leave --dataset out"),
        (["--plus", 1, "-o", "a.gif"], "a .png"),
        (["--truncation", "0"], "give a number above 0"),
        (["-o", "a.jpg"], "a .png, a .gif or an .mp4"),
        (["--plus", 3, "--minus", 3], "cancel out"),
        (["--plus", 3, "--classes", "a,b"], "--classes out"),
        (["--class", "a"], "is told no classes"),
        (["--classes", "a,b"], "is told no classes"),
        (["--class", "a", "--classes", "a,b"], "give one"),
    ],
)
def test_bad_input(run: Run, make_snapshot: Make, arguments: list[str], words: str) -> None:
    path = make_snapshot("sngan", architecture="quick")
    before = sorted(Path().rglob("*"))
    error = run("interpolate", path, *arguments).exception
    assert isinstance(error, UserError) and words in str(error)
    assert sorted(Path().rglob("*")) == before

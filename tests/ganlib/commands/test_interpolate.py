"""ganlib interpolate."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.commands.interpolate import _walk
from ganlib.common.errors import UserError
from ganlib.common.pictures import frames, grid
from ganlib.sampling.latent import signed_sum, walk

Make = Callable[..., Path]
Run = Callable[..., Result]


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
    walk = _walk(model, [3, 8, 1], 2, 4)
    assert walk.shape == (2, 4, 1, 28, 28)
    torch.testing.assert_close(walk[:, 0], samples[[3, 8]])
    torch.testing.assert_close(walk[:, -1], samples[[8, 1]])


def test_png_has_a_row_for_each_leg(run: Run, snapshot: Path) -> None:
    run("interpolate", snapshot, "--numbers", "3,8,1", "--seed", 2, "--frames", 4, "-o", "s.png")
    expected = grid(_walk(ganlib.load(snapshot), [3, 8, 1], 2, 4).flatten(0, 1), 4)
    with Image.open("s.png") as strip:
        assert strip.tobytes() == expected.tobytes()


@pytest.mark.parametrize("numbers", ["3,8,1", "3,8,1,3"])
def test_gif_runs_through_all_legs_and_back(run: Run, snapshot: Path, numbers: str) -> None:
    run("interpolate", snapshot, "--numbers", numbers, "--frames", 5, "-o", "w.gif")
    with Image.open("w.gif") as film:
        assert getattr(film, "n_frames", 1) == 3 * 4 and film.info["loop"] == 0


def test_class_changes_halfway(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("labelled"))
    numbers = [0, 1, 2]
    z, y = model.latents(numbers)
    assert y is not None and len(set(y.tolist())) > 1
    a, b, c = y.tolist()
    told = torch.tensor([a, a, a, b, b, b, b, b, c, c])
    path = walk(z, 5, "normal").flatten(0, 1)
    expected = model.decode(path, told)
    torch.testing.assert_close(_walk(model, numbers, 0, 5).flatten(0, 1), expected)


def test_a_walk_between_codes_is_straight(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("styled")
    model = ganlib.load(path)
    z, _ = model.latents([3, 1])
    w = model.code(z)
    images = _walk(model, [3, 1], 0, 5, "code")
    torch.testing.assert_close(images[0, 1], model.draw(0.75 * w[:1] + 0.25 * w[1:])[0])
    torch.testing.assert_close(images[0, [0, 4]], model.sample(4)[[3, 1]])
    assert not torch.allclose(images[0, 1], _walk(model, [3, 1], 0, 5)[0, 1])
    run("interpolate", path, "--numbers", "3,1", "--frames", 5, "--space", "code", "-o", "s.png")
    with Image.open("s.png") as strip:
        assert strip.tobytes() == grid(images[0], 5).tobytes()


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
    images = frames(model.decode(torch.cat([z, total[None]])))
    width, height = images[0].size
    step = (row.width - 2 * 8 - width) // 3
    for i, image in enumerate(images):
        left = 8 + i * step
        assert row.crop((left, 8, left + width, 8 + height)).tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--numbers", "3"], "two or more"),
        (["--numbers", "3,x"], "two or more"),
        (["--numbers", "3,-1"], "count from 0"),
        (["--plus", "-1"], "count from 0"),
        (["--frames", 1], "at least 2"),
        (["--plus", 1, "--numbers", "1,2"], "leave --numbers, --frames and --space out"),
        (["--plus", 1, "--space", "code"], "leave --numbers, --frames and --space out"),
        (["--dataset", "x.h5"], "leave --dataset out"),
        (["--plus", 1, "-o", "a.gif"], "a .png"),
        (["-o", "a.jpg"], "a .png or a .gif"),
        (["--plus", 3, "--minus", 3], "cancel out"),
    ],
)
def test_bad_input(run: Run, make_snapshot: Make, arguments: list[str], words: str) -> None:
    path = make_snapshot("sngan", architecture="quick")
    before = sorted(Path().rglob("*"))
    error = run("interpolate", path, *arguments).exception
    assert isinstance(error, UserError) and words in str(error)
    assert sorted(Path().rglob("*")) == before

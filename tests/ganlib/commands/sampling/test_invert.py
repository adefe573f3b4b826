"""ganlib invert, and what its codes are for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.pictures import class_grid, grid, to_uint8
from ganlib.sampling import directions
from ganlib.sampling.codes import read_codes

Run = Callable[..., Result]


@pytest.fixture
def pictures(snapshot: Path, tmp_path: Path) -> Path:
    """Two samples of the generator as files."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, x in zip("ab", to_uint8(ganlib.load(snapshot).sample(2, seed=5)), strict=True):
        Image.fromarray(x[0].numpy()).save(folder / f"{name}.png")
    return folder


def test_pictures_become_codes_that_can_be_walked_between(
    run: Run, snapshot: Path, pictures: Path
) -> None:
    result = run("invert", snapshot, pictures, "--steps", 60, "-o", "c.npz")
    assert result.exit_code == 0
    near, names = zip(
        *(line.split(" dB  ") for line in result.stdout.splitlines()[:2]), strict=True
    )
    assert [Path(name).name for name in names] == ["a.png", "b.png"]
    assert all(float(value) > 15 for value in near)
    assert result.stdout.endswith("c.npz\nc.png\n") and Path("c.png").exists()
    codes, model = read_codes(Path("c.npz")), ganlib.load(snapshot)
    given = torch.from_numpy(np.array(Image.open(pictures / "b.png"))) / 127.5 - 1
    gap = (model.decode(codes.values)[1, 0] - given).square().mean()
    assert 10 * torch.log10(4 / gap) == pytest.approx(float(near[1]), abs=0.1)
    result = run("interpolate", snapshot, "--codes", "c.npz", "--frames", 3, "-o", "walk.png")
    assert result.exit_code == 0 and Path("walk.png").exists()
    result = run("interpolate", snapshot, "--codes", "c.npz", "--plus", 0, "--plus", 1)
    assert result.exit_code == 0 and Path("arithmetic.png").exists()


def test_directions_have_a_row_each_with_the_sample_in_the_middle(
    run: Run, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directions, "SAMPLES", 256)
    how = ("--directions", "sefa", "--most", 2, "--numbers", "3,1")
    assert run("interpolate", snapshot, *how, "--frames", 3, "-o", "d.png").exit_code == 0
    model = ganlib.load(snapshot)
    path = model.directions("sefa", 2).along(model.latents([3, 1])[0], 3, 3).flatten(0, 1)
    images = model.decode(path.flatten(0, 1)).unflatten(0, (4, 3))
    torch.testing.assert_close(images[2, 1], model.sample(2)[1])
    names = ["3: 0", "3: 1", "1: 0", "1: 1"]
    with Image.open("d.png") as picture:
        assert picture.tobytes() == class_grid(zip(names, images, strict=True), 3).tobytes()
    assert run("interpolate", snapshot, *how, "--frames", 4, "-o", "d.gif").exit_code == 0
    with Image.open("d.gif") as film:
        assert getattr(film, "n_frames", 1) == 6  # there and back


def test_samples_of_a_style_based_generator_are_mixed(
    run: Run, make_snapshot: Callable[..., Path]
) -> None:
    path = make_snapshot("stylegan2", architecture="quick")
    model = ganlib.load(path)
    assert run("interpolate", path, "--mix", 3, "--numbers", "4,2").exit_code == 0
    w = model.code(model.latents([4, 2])[0])
    styles = w[:, None].repeat(1, model.updater.sampling_gen.n_styles, 1)
    a, b = styles[0].clone(), styles[1].clone()
    a[3:], b[3:] = styles[1, 3:], styles[0, 3:]
    expected = model.draw(torch.stack([styles[0], a, b, styles[1]]))
    with Image.open("mixed.png") as picture:
        assert picture.tobytes() == grid(expected, 2).tobytes()
    error = run("interpolate", path, "--mix", 99, "-o", "m.png").exception
    assert isinstance(error, UserError) and "--mix is 99: give the number of a layer" in str(error)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--directions", "sefa", "--plus", 1], "leave --directions"),
        (["--directions", "sefa", "--classes", "a,b"], "three ways"),
        (["--mix", 2], "--mix is for style-based generators"),
        (["--directions", "pca", "--space", "z"], "give --space=code"),
        (["--codes", "none.npz"], "holds no codes"),
        (["--codes", "none.npz", "--class", "a"], "give one of them"),
    ],
)
def test_what_does_not_go_together(
    run: Run, snapshot: Path, arguments: list[Any], words: str
) -> None:
    error = run("interpolate", snapshot, *arguments).exception
    assert isinstance(error, UserError) and words in str(error)


def test_what_cannot_be_read_or_written_over(run: Run, snapshot: Path, pictures: Path) -> None:
    (broken := pictures / "c.png").write_bytes(b"no picture")
    result = run("invert", snapshot, pictures, "--steps", 1, "-o", "two.npz")
    assert f"1 file was left out: {broken} (not images)." in result.stderr
    assert len(read_codes(Path("two.npz")).values) == 2
    error = run("invert", snapshot, broken).exception
    assert isinstance(error, UserError) and "Nothing was inverted: 1 file was left" in str(error)
    Path("codes.png").touch()
    error = run("invert", snapshot, pictures / "a.png").exception
    assert isinstance(error, UserError) and "codes.png" in str(error) and "--force" in str(error)
    assert not Path("codes.npz").exists()

"""ganlib sample."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.pictures import grid, to_uint8
from ganlib.training.updater import Updater

Make = Callable[..., Path]
Run = Callable[..., Result]


def _bytes(
    snapshot: Path, n: int, seed: int = 0
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    images = to_uint8(ganlib.load(snapshot).sample(n, seed)).permute(0, 2, 3, 1)
    return np.asarray(images)


def test_grid_is_the_default(run: Run, snapshot: Path) -> None:
    result = run("sample", snapshot)
    assert result.exit_code == 0 and result.stdout == "samples.png\n"
    expected = grid(ganlib.load(snapshot).sample(64))
    with Image.open("samples.png") as picture:
        assert picture.tobytes() == expected.tobytes()


def test_wider_grid_of_many(run: Run, snapshot: Path) -> None:
    assert run("sample", snapshot, "-n", 100, "--out", "pictures/new/g.PNG").exit_code == 0
    expected = grid(ganlib.load(snapshot).sample(100), columns=10)
    with Image.open("pictures/new/g.PNG") as picture:
        assert picture.tobytes() == expected.tobytes()


def test_array(run: Run, snapshot: Path) -> None:
    run("sample", snapshot.parent.parent, "-n", 10, "--seed", 5, "--batch-size", 3, "-o", "a.npz")
    with np.load("a.npz") as arrays:
        assert arrays.files == ["images"] and arrays["images"].dtype == np.uint8
        np.testing.assert_array_equal(arrays["images"], _bytes(snapshot, 10, 5))


def test_array_of_a_conditional_generator_has_labels(
    run: Run, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = torch.arange(300) % 10
    monkeypatch.setattr(
        Updater, "latents", lambda self, i, _: (self.gen.make_hidden(len(i)), labels[list(i)])
    )
    run("sample", snapshot, "-n", 300, "-o", "a.npz")
    with np.load("a.npz") as arrays:
        assert arrays["images"].shape == (300, 28, 28, 1)
        np.testing.assert_array_equal(arrays["labels"], labels)


@pytest.mark.parametrize("channels", [1, 3])
def test_folder(run: Run, make_snapshot: Make, channels: int) -> None:
    path = make_snapshot(spec=DataSpec((channels, 32, 32), (channels, 24, 30), "pad"))
    assert run("sample", path, "-n", 3, "--out", "many").stdout == "many\n"
    files = sorted(Path("many").iterdir())
    assert [file.name for file in files] == ["00000.png", "00001.png", "00002.png"]
    for file, expected in zip(files, _bytes(path, 3), strict=True):
        with Image.open(file) as picture:
            pixels = np.asarray(picture).reshape(24, 30, channels)
        np.testing.assert_array_equal(pixels, expected)


def test_full_folder_needs_force(run: Run, snapshot: Path) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    assert "--force" in str(run("sample", snapshot, "-n", 1, "-o", "full").exception)
    assert len(list(Path("full").iterdir())) == 1
    assert run("sample", snapshot, "-n", 1, "-o", "full", "--force").exit_code == 0
    assert len(list(Path("full").iterdir())) == 2


def test_truncation(run: Run, snapshot: Path) -> None:
    run("sample", snapshot, "-n", 8, "--truncation", 0.5, "-o", "a.npz")
    images = ganlib.load(snapshot).sample(8, truncation=0.5)
    with np.load("a.npz") as arrays:
        np.testing.assert_array_equal(
            arrays["images"], np.asarray(to_uint8(images).permute(0, 2, 3, 1))
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", 0], "-n is 0"),
        (["-n", 5000], "too many for one picture"),
        (["--truncation", 0], "--truncation is 0"),
        (["--truncation", "nan"], "--truncation is nan"),
        (["--truncation", "inf"], "--truncation is inf"),
        (["--batch-size", 0], "--batch-size is 0"),
        (["--out", "x.jpeg"], "x.jpeg"),
        (["--out", "run/x.png/y.png"], "cannot be written"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--plugin-dir", "none"], "none"),
    ],
)
def test_bad_input(run: Run, snapshot: Path, arguments: list[str], words: str) -> None:
    Path("run/x.png").touch()
    before = sorted(Path().rglob("*"))
    error = run("sample", snapshot, *arguments).exception
    assert isinstance(error, UserError) and words in str(error)
    assert sorted(Path().rglob("*")) == before


def test_command_line_ends_in_status_2_and_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganlib", "sample", "none.pt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "Error: There is no snapshot none.pt.\n"
    assert list(tmp_path.iterdir()) == []

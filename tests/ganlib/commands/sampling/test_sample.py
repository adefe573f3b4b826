"""ganlib sample."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.pictures import class_grid, grid, to_uint8
from ganlib.sampling.codes import Codes

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


def test_nothing_is_imported_that_takes_seconds(snapshot: Path, tmp_path: Path) -> None:
    """torchvision, and what the first optimizer imports."""
    code = f"import sys; sys.argv = ['ganlib', 'sample', {str(snapshot)!r}]\n"
    code += "from ganlib.__main__ import main\n"
    code += "try: main()\nexcept SystemExit as end: assert not end.code\n"
    code += "sys.exit('torchvision' in sys.modules or 'torch._dynamo' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_array(run: Run, snapshot: Path) -> None:
    run("sample", snapshot.parent.parent, "-n", 10, "--seed", 5, "--batch-size", 3, "-o", "a.npz")
    with np.load("a.npz") as arrays:
        assert arrays.files == ["images"] and arrays["images"].dtype == np.uint8
        np.testing.assert_array_equal(arrays["images"], _bytes(snapshot, 10, 5))


def test_array_of_a_conditional_generator_has_labels(run: Run, small_snapshot: Make) -> None:
    path = small_snapshot("labelled")
    run("sample", path, "-n", 300, "-o", "a.npz")
    model = ganlib.load(path)
    z, y = model.latents(list(range(300)))
    with np.load("a.npz") as arrays:
        np.testing.assert_array_equal(arrays["labels"], y)
        images = to_uint8(model.decode(z, torch.as_tensor(arrays["labels"])))
        np.testing.assert_array_equal(arrays["images"], images.permute(0, 2, 3, 1))


@pytest.fixture
def labelled(small_snapshot: Make) -> Path:
    return small_snapshot("labelled")


def rows(snapshot: Path, *names: str, n: int = 8, seed: int = 0) -> bytes:
    model = ganlib.load(snapshot)
    return class_grid([(name, model.sample(n, seed, y=name)) for name in names]).tobytes()


@pytest.mark.parametrize(
    ("arguments", "names", "n"),
    [
        ([], "abc", 8),
        (["-n", 6], "abc", 2),
        (["--class", "C,a"], "ca", 8),
        (["--class", "c", "--class", "0", "--class", "c", "-n", 40], "ca", 20),
        (["--class", "b", "-n", 3], "b", 3),
    ],
)
def test_a_grid_of_classes_has_a_row_for_each(
    run: Run, labelled: Path, arguments: list[str], names: str, n: int
) -> None:
    assert run("sample", labelled, *arguments, "--seed", 3).exit_code == 0
    with Image.open("samples.png") as picture:
        assert picture.tobytes() == rows(labelled, *names, n=n, seed=3)


def test_in_an_array_and_a_folder_classes_come_in_turn(run: Run, labelled: Path) -> None:
    model = ganlib.load(labelled)
    told = torch.tensor([2, 0, 2, 0, 2])
    images = to_uint8(model.sample(5, y=told))
    run("sample", labelled, "--class", "c,a", "-n", 5, "-o", "a.npz")
    with np.load("a.npz") as arrays:
        np.testing.assert_array_equal(arrays["labels"], told)
        np.testing.assert_array_equal(arrays["images"], images.permute(0, 2, 3, 1))
    run("sample", labelled, "--class", "c,a", "-n", 5, "-o", "many", "--batch-size", 2)
    with Image.open("many/00003.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), images[3, 0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--class", "d"], "There is no class 'd': there are a, b and c, or their numbers 0 to 2."),
        (["--class", "a,d"], "There is no class 'd'"),
        (["-n", 5000], "too many for one picture"),
    ],
)
def test_a_class_that_there_is_not(
    run: Run, labelled: Path, arguments: list[str], words: str
) -> None:
    error = run("sample", labelled, *arguments).exception
    assert isinstance(error, UserError) and words in str(error)
    assert not Path("samples.png").exists()


def test_a_translator_starts_from_its_run_s_images_or_from_others(
    run: Run, small_snapshot: Make
) -> None:
    path = small_snapshot("dropped")
    assert run("sample", path, "-n", 5, "-o", "a.npz").exit_code == 0
    with np.load("a.npz") as own:
        assert own.files == ["images"] and own["images"].shape == (5, 28, 28, 1)
    Path("data.h5").rename("moved.h5")
    assert run("sample", path, "-n", 5, "-o", "b.npz", "--dataset", "moved.h5").exit_code == 0
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    error = run("sample", path, "-o", "c.npz").exception
    assert isinstance(error, UserError) and str(error).endswith("give --dataset.")
    assert "data.h5" in str(error) and "\n" not in str(error)
    x = torch.zeros(4, 3, 28, 28, dtype=torch.uint8)
    write_hdf5(Path("colour.h5"), DataSet("colour", x[:, :1], source=x))
    error = run("sample", path, "-o", "c.npz", "--dataset", "colour.h5").exception
    assert "images of 3 channels, and this generator starts from images of 1" in str(error)
    assert not Path("c.npz").exists()


def test_a_translator_starts_from_what_is_made_of_the_images(
    run: Run, small_snapshot: Make
) -> None:
    path, results = small_snapshot("dropped"), []
    for source in ("own", "masked", "masked:1"):
        assert run("sample", path, "-n", 5, "-o", "a.npz", "--source", source).exit_code == 0
        results.append(Path("a.npz").read_bytes())
    assert len(set(results)) == 3
    run("sample", path, "-n", 5, "-o", "a.npz")
    assert Path("a.npz").read_bytes() == results[0]


def test_no_source_for_what_starts_from_none(run: Run, snapshot: Path) -> None:
    error = run("sample", snapshot, "--source", "edges").exception
    assert str(error) == "This generator needs no images to start from: leave --source out."


def test_statistics(run: Run, snapshot: Path) -> None:
    model = ganlib.load(snapshot)
    for statistics in ("standing:2", "batch"):
        run("sample", snapshot, "-n", 5, "--statistics", statistics, "-o", "a.npz")
        images = to_uint8(model.sample(5, statistics=statistics)).permute(0, 2, 3, 1)
        with np.load("a.npz") as arrays:
            np.testing.assert_array_equal(arrays["images"], images)
        assert not np.array_equal(images, _bytes(snapshot, 5))


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


@pytest.mark.parametrize(("arguments", "n"), [(["--class", "b"], 1), ([], 10), (["-n", 3], 3)])
def test_a_plain_picture_is_the_images_of_a_folder_and_nothing_else(
    run: Run, labelled: Path, arguments: list[str], n: int
) -> None:
    arguments = [*arguments, *([] if "-n" in arguments else ["-n", n])]
    assert run("sample", labelled, *arguments, "--plain").exit_code == 0
    run("sample", labelled, *arguments, "-o", "many")
    tiles = [np.asarray(Image.open(file)) for file in sorted(Path("many").iterdir())]
    side, columns = len(tiles[0]), min(n, 8)
    tiles += [np.full((side, side), 255, np.uint8)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    with Image.open("samples.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.vstack(rows))


def test_the_best_snapshot_of_a_run(run: Run, make_snapshot: Make) -> None:
    best, newest = make_snapshot(width=0.1), make_snapshot(iteration=9)
    folder = newest.parent.parent
    error = run("sample", folder, "--best").exception
    assert "has no snapshots/best.pt: train with --best-by" in str(error)
    assert "--at=best is for a run's folder" in str(run("sample", newest, "--best").exception)
    older = make_snapshot(iteration=3, seed=1)
    best = best.rename(newest.with_name("best.pt"))
    cases = {"": newest, "--best": best, "--at best": best, "--at 9": newest, "--at 3": older}
    for arguments, path in {**cases, "--at 7": best, "--at last": newest}.items():
        run("sample", folder, *arguments.split(), "-n", 2, "-o", "a.npz")
        with np.load("a.npz") as arrays:
            np.testing.assert_array_equal(arrays["images"], _bytes(path, 2))
    assert [ganlib.load(folder, at=at).updater.iteration for at in (3, "7", "last")] == [3, 7, 9]
    for at, words in {
        "5": "has no snapshot of iteration 5; of these it has: 3, 7, 9.",
        "first": "--at is 'first'; give best, last, or the number of an iteration.",
        "3 --best": "Give --at or --best, not both.",
    }.items():
        assert words in str(run("sample", folder, "--at", *at.split()).exception)


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
        (["-n", 5000], "too many for one picture"),
        (["--truncation", 0], "truncation is 0; give a number above 0"),
        (["--truncation", "nan"], "truncation is nan; give a number above 0"),
        (["--truncation", "inf"], "truncation is inf; give a number above 0"),
        (["--statistics", "standing"], "--statistics is 'standing', but should be running, batch"),
        (["--dataset", "fashion_mnist"], "needs no images to start from: leave --dataset out"),
        (["--class", "Sandal"], "is told no classes, so there are none to ask for"),
        (["--out", "x.jpeg"], "x.jpeg"),
        (["--plain", "--out", "x.npz"], "--plain is for a .png"),
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


def test_command_line_ends_in_status_2_and_one_line(main_here: Any, tmp_path: Path) -> None:
    done = main_here("sample", "none.pt")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "Error: There is no snapshot none.pt.\n"
    assert list(tmp_path.iterdir()) == []


def test_samples_by_their_numbers(run: Run, make_snapshot: Make) -> None:
    path = make_snapshot()
    assert run("sample", path, "--numbers", "5,300", "--out", "some.npz").exit_code == 0
    with np.load("some.npz") as arrays:
        whole = to_uint8(ganlib.load(path).sample(301)).permute(0, 2, 3, 1).numpy()
        assert np.array_equal(arrays["images"], whole[[5, 300]])


def test_samples_of_codes(run: Run, make_snapshot: Make) -> None:
    spec = DataSpec((1, 32, 32), (1, 28, 28), "pad", 3)
    path = make_snapshot("cgan", spec)
    z, _ = ganlib.load(path).latents([4, 2])
    parts = torch.tensor([[1.0, 0, 0], [0, 0, 1]])  # as a page writes them
    Codes(z, parts, "z").save(Path("codes.npz"))
    assert run("sample", path, "--codes", "codes.npz", "--out", "made.npz").exit_code == 0
    with np.load("made.npz") as arrays:
        want = to_uint8(ganlib.load(path).decode(z, torch.tensor([0, 2])))
        assert np.array_equal(arrays["images"], want.permute(0, 2, 3, 1).numpy())
        assert arrays["labels"].tolist() == [0, 2]
    assert run("sample", path, "--codes", "codes.npz", "--numbers", 1, "--out", "x").exit_code == 0
    assert len(list(Path("x").iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--numbers", "1,x"], "--numbers is '1,x'"),
        (["--numbers", "-1"], "samples count from 0"),
        (["--numbers", "1", "-n", "3"], "leave it out"),
        (["--codes", "nothing.npz"], "nothing.npz"),
    ],
)
def test_numbers_that_are_none(
    main_here: Callable[..., Any], make_snapshot: Make, options: list[str], sentence: str
) -> None:
    result = main_here("sample", make_snapshot(), *options)
    assert result.returncode == 2 and sentence in result.stderr

"""`ganlib data`: list, info and prepare as a person runs them."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from ganlib.commands import data as data_command
from ganlib.commands.data import command, resolutions_in
from ganlib.common.data import DataSet
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.formats.stream import Block, Stream
from ganlib.common.io import memory as _memory
from ganlib.common.query import DataQuery


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exception is None, result.exception
    return result.stdout


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = tmp_path / "pets"
    for split, n in (("train", 4), ("test", 2)):
        for i in range(n):
            file = folder / split / ("cats" if i % 2 else "dogs") / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 10), (i, 0, 0)).save(file)
    return folder


def test_list() -> None:
    lines = done("list").splitlines()
    names = lines[: lines.index("")]
    assert [line.split()[0] for line in names] == sorted(line.split()[0] for line in names)
    assert any(line.startswith("cifar10 ") and "in 10 classes." in line for line in lines)
    assert all(len(line) < 120 for line in names)
    assert any(line.startswith("masked[:SEED] ") and "a hole" in line for line in lines)


def test_info_of_a_folder(pets: Path) -> None:
    assert done("info", pets).splitlines() == [
        "pets",
        f"  folder: {pets / 'train'}",
        "  size: cropped square, resized to 64x64",
        "train: 4 images, 64x64 RGB",
        "  pixels: mean 0.5, standard deviation 1.0",
        "  2 classes:",
        "    cats: 2",
        "    dogs: 2",
        "test: 2 images, 64x64 RGB",
        "  pixels: mean 0.2, standard deviation 0.4",
        "  2 classes:",
        "    cats: 1",
        "    dogs: 1",
    ]


def test_info_of_pairs_and_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros((2500, 1, 8, 8), dtype=torch.uint8)
    y = torch.arange(2500) % 25
    classes = tuple(f"class {i}" for i in range(25))
    write_hdf5(tmp_path / "a.h5", DataSet("pairs", x, y, x[:, :, :4, :4], classes))
    monkeypatch.setattr("ganlib.common.formats.hdf5.IN_MEMORY", 10)
    text = done("info", tmp_path / "a.h5")
    assert "train: 2,500 images, 8x8 grey\n  each with a source image, 4x4, 1 channels\n" in text
    assert "mean 0.0, standard deviation 0.0 (of 1,000 images)" in text
    assert "    class 19: 100\n    and 5 more\n" in text
    assert "test:" not in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"source_kind": "ids"}, "8x8 RGB\n  each with a source image, 4x4, ids of class and inst"),
        ({"source_frames": 2}, "8x8 RGB\n  each with a source image, 4x4, 2 channels, 2 frames\n"),
        ({"frames": 3}, "4 images, 8x8 grey, 3 frames\n"),
        ({"few": 3}, "8x8 RGB\n  3 sources, 4x4, 1 channels\n"),
    ],
)
def test_sources_of_all_kinds_are_described_and_prepared(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    n = more.pop("few", 4)
    x = torch.zeros((4, 3, 16, 16), dtype=torch.uint8)
    kind = torch.int32 if more.get("source_kind") else torch.uint8
    source = torch.ones((n, 2 if n == 4 and "frames" not in more else 1, 8, 8), dtype=kind)
    write_hdf5(tmp_path / "a.h5", DataSet("x", x, source=source, **more))
    done("prepare", tmp_path / "a.h5", tmp_path / "b.h5", "--size", 8)
    assert words in done("info", tmp_path / "b.h5")
    assert words.replace("8x8", "16x16").replace("4x4", "8x8") in done("info", tmp_path / "a.h5")


def test_info_takes_the_mean_of_fewer_large_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hdf5(tmp_path / "a.h5", DataSet("x", torch.ones((9, 1, 8, 8), dtype=torch.uint8)))
    monkeypatch.setattr(data_command, "SAMPLE_BYTES", 200)
    assert "mean 1.0, standard deviation 0.0 (of 3 images)" in done("info", tmp_path / "a.h5")


def test_info_of_names_that_would_control_a_terminal(tmp_path: Path) -> None:
    bell, x = "\x07\x1b[2J", torch.zeros((1, 1, 8, 8), dtype=torch.uint8)
    write_hdf5(tmp_path / "a.h5", DataSet(bell, x, torch.tensor([0]), None, (bell,), {"k": bell}))
    folder = tmp_path / bell
    (folder / bell).mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / bell / "1.png")
    for name in (tmp_path / "a.h5", folder):
        result = run("info", name)
        assert result.exit_code == 0
        assert not {"\x07", "\x1b"} & set(result.output) and "\\x07" in result.output


def test_info_of_nothing(tmp_path: Path) -> None:
    assert "Did you mean 'svhn'?" in refused("info", "svnh")
    assert "no usable image" in refused("info", tmp_path)


def test_prepare(pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "pets.h5"
    text = done("prepare", pets, out, "--size", 8)
    how = "gzip, as all of it fits the memory"
    assert text == f"{out}: 0.0 MiB, {how}; use it by --dataset {out}\n"
    train, test = read_hdf5(out, "train"), read_hdf5(out, "test")
    assert (train.name, train.classes, train.shape) == ("pets", ("cats", "dogs"), (3, 8, 8))
    assert isinstance(train.x, torch.Tensor) and isinstance(test.x, torch.Tensor)
    assert train.x[:, 0, 4, 4].tolist() == [1, 3, 0, 2]
    assert test.x[:, 0, 4, 4].tolist() == [1, 0]
    assert train.provenance["size"] == "cropped square, resized to 8x8"


def test_prepare_with_little_memory(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_memory, "available_memory", lambda: 1000)
    refused("info", pets)
    done("prepare", pets, tmp_path / "pets.h5")
    assert len(read_hdf5(tmp_path / "pets.h5", "train")) == 4


def test_prepare_what_exceeds_memory(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.common.formats.hdf5.IN_MEMORY", 10)
    text = done("prepare", pets, tmp_path / "a.h5")
    assert ", contiguous, as it is too large to be read into memory at once; use it" in text
    assert ", lzf; use" in done("prepare", pets, tmp_path / "b.h5", "--storage", "lzf")
    for name in ("a", "b"):
        read = read_hdf5(tmp_path / f"{name}.h5", "train")
        assert read.x[torch.arange(4)][:, 0, 4, 4].tolist() == [1, 3, 0, 2]


def test_prepare_resolutions(pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "pets.h5"
    done("prepare", pets, out, "--resolutions", "4,8,...,32", "--enlarge")
    for split, n in (("train", 4), ("test", 2)):
        data = read_hdf5(out, split)
        assert data.shape == (3, 32, 32) and list(data.smaller) == [4, 8, 16]
        assert all(images.shape == (n, 3, s, s) for s, images in data.smaller.items())
    assert "train: 4 images, 32x32 RGB\n  also at 4x4, 8x8, 16x16\n" in done("info", out)
    assert "8x8 RGB\n  also at 4x4\n" in done("info", out, "--size", 8)
    words = refused("prepare", pets, tmp_path / "b.h5", "--size", 64, "--resolutions", "4,8")
    assert words == "--size is 64 and the largest of --resolutions is 8: leave --size out."
    assert "no whole blocks for 4" in refused(
        "prepare", pets, tmp_path / "b.h5", "--resolutions", "4,6,12"
    )


@pytest.mark.parametrize(
    ("options", "column", "words"),
    [
        ([], 8, "2 images, 16x16 RGB; 2 cropped at the centre; skipped 1: 1 smaller than 16x16"),
        (["--enlarge"], 8, "3 images, 16x16 RGB; 2 cropped at the centre, 1 enlarged"),
        (["--fit", "pad"], 4, "2 images, 16x16 RGB; 2 padded with black; skipped 1: 1 smaller"),
        (["--fit", "stretch"], 8, "2 images, 16x16 RGB; 2 stretched; skipped 1: 1 smaller"),
    ],
)
def test_prepare_images_of_other_sizes(
    options: list[str], column: int, words: str, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, size in enumerate([(64, 32), (64, 32), (8, 8)]):
        Image.new("RGB", size, (200, 0, 0)).save(folder / f"{i}.png")
    result = run("prepare", folder, tmp_path / "a.h5", "--size", 16, *options)
    assert words in result.stderr and result.stderr.count("\n") == 1
    x = read_hdf5(tmp_path / "a.h5", "train").x[torch.tensor([0, 1])]
    assert x[:, 0, 8].unique().tolist() == [200]
    assert len({*x[:, 0, :, 8].flatten().tolist()}) == (2 if column == 4 else 1)
    assert len(read_hdf5(tmp_path / "a.h5", "train")) == 2 + ("--enlarge" in options)
    done("prepare", tmp_path / "a.h5", tmp_path / "b.h5", "--size", 32)
    small = refused("prepare", folder, tmp_path / "c.h5", "--size", 128)
    assert small.endswith("ask for a smaller size; `ganlib data prepare --enlarge` takes them too.")


def test_prepare_an_oblong_set(tmp_path: Path) -> None:
    x = torch.full((2, 1, 8, 16), 9, dtype=torch.uint8)
    write_hdf5(tmp_path / "a.h5", DataSet("x", x, source=x[:, :, ::2, ::2]))
    for fit, words in (("crop", "cropped at the centre"), ("pad", "enlarged, padded with black")):
        size = 8 if fit == "crop" else 32
        result = run(
            "prepare", tmp_path / "a.h5", tmp_path / f"{fit}.h5", "--size", size, "--fit", fit
        )
        assert result.stderr == f"x: 16x8 to {size}x{size}, bicubic, {words}\n"
    data = read_hdf5(tmp_path / "pad.h5", "train")
    for images, side in ((data.x, 32), (data.source, 16)):
        assert images is not None and images.shape == (2, 1, side, side)
        rows = images[torch.tensor([1])][0, 0].float().mean(1).tolist()
        assert rows == side // 4 * [0] + side // 2 * [9] + side // 4 * [0]


def test_prepare_a_plugins_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stream(root: Path, split: str, size: int | None) -> Stream:
        return Stream("x", (1, 4, 4), 1, iter([Block(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))]))

    monkeypatch.setattr("ganlib.common.datasets.celeba.stream", stream)
    done("prepare", "celeba", tmp_path / "a.h5")
    words = refused("prepare", "celeba", tmp_path / "b.h5", "--fit", "pad")
    assert words == "celeba has no other way to make its images square: leave --fit out."


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("4,8,...,32", [32, 16, 8, 4]),
        ("4,...,16, 64", [64, 16, 8, 4]),
        ("8,4,4", [8, 4]),
        ("7", [7]),
        ("16,...,16", [16]),
    ],
)
def test_resolutions(text: str, sides: list[int]) -> None:
    assert resolutions_in(text) == sides


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be numbers in 1..8192 with commas between"),
        ("...,4", "must be numbers"),
        ("4,...", "must be numbers"),
        ("4,...,...,64", "must be numbers"),
        ("4,x", "must be numbers"),
        ("0,4", "must be numbers"),
        ("9999", "must be numbers"),
        ("4,...,63", "4 doubled never is 63"),
        ("8,...,4", "8 doubled never is 4"),
    ],
)
def test_no_resolutions(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolutions_in(text)


def test_prepare_without_a_test_split(pets: Path, tmp_path: Path) -> None:
    text = run("prepare", pets / "train", tmp_path / "a.h5").stderr
    assert text.endswith(
        "train: 4 images of 2 classes, 64x64 RGB; 4 cropped at the centre, 4 enlarged\n"
    )
    done("prepare", tmp_path / "a.h5", tmp_path / "b.h5", "--size", 16)
    assert read_hdf5(tmp_path / "b.h5", "train").shape == (3, 16, 16)
    with h5py.File(tmp_path / "b.h5") as file:
        assert "test" not in file


def test_prepare_takes_no_points(tmp_path: Path) -> None:
    assert "grid25 holds points" in refused("prepare", "grid25", tmp_path / "a.h5")
    words = refused("prepare", "emoji", tmp_path / "a.h5", "--source", "unpaired:ring8")
    assert words.startswith("emoji cannot be written to a file: its sources have 2 channels")
    assert not list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_prepare_does_not_overwrite_unasked(pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "pets.h5"
    out.write_text("precious")
    assert "--force" in refused("prepare", pets, out)
    assert out.read_text() == "precious"
    done("prepare", pets, out, "--force", "--size", 8)
    done("prepare", out, out, "--force", "--size", 4)
    assert read_hdf5(out, "train").shape == (3, 4, 4)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("pets.npz", "give a name that ends in .h5"),
        ("nowhere/pets.h5", "There is no folder"),
        ("folder.h5", "is a folder"),
        ("x" * 300 + ".h5", "cannot be read: File name too long"),
        ("x" * 300 + "/x.h5", "cannot be read: File name too long"),
    ],
)
def test_prepare_to_a_wrong_place(pets: Path, tmp_path: Path, out: str, words: str) -> None:
    (tmp_path / "folder.h5").mkdir()
    assert words in refused("prepare", pets, tmp_path / out)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("damaged")])
def test_nothing_is_left_of_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def blocks() -> Iterator[Block]:
        yield Block(torch.zeros((3, 1, 4, 4), dtype=torch.uint8))
        raise error

    def stream(*_: object) -> Stream:
        return Stream("x", (1, 4, 4), 10, blocks())

    monkeypatch.setattr(DataQuery, "stream", stream)
    assert run("prepare", "x", tmp_path / "x.h5").exit_code != 0
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_write_one_file_the_second_loses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.h5"

    def blocks() -> Iterator[Block]:
        yield Block(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
        out.write_text("theirs")  # as a process that began earlier, and ends now

    def stream(query: DataQuery, _: object) -> Stream:
        if query.split == "test":
            raise NoSuchSplit
        return Stream("x", (1, 4, 4), 1, blocks())

    monkeypatch.setattr(DataQuery, "stream", stream)
    sentence = f"Another process has written {out} meanwhile: give another name, or --force to"
    assert refused("prepare", "x", out).startswith(sentence)
    assert out.read_text() == "theirs" and list(tmp_path.iterdir()) == [out]
    done("prepare", "x", out, "--force")
    assert len(read_hdf5(out, "train")) == 1


def test_prepare_on_a_full_disk(pets: Path, tmp_path: Path) -> None:
    """A process of its own, which HDF5 would let crash at its end."""
    out = tmp_path / "pets.h5"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    command = [sys.executable, "-m", "ganlib", "data", "prepare", str(pets), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2
    assert done.stderr.endswith(f"Error: {out} could not be written: File too large.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_data_root(pets: Path, tmp_path: Path) -> None:
    assert "train: 4 images" in done("info", "folder", "--data-root", pets, "--size", 8)
    assert "train-images" in refused("info", "mnist", "--data-root", tmp_path / "x")


def test_info_of_points() -> None:
    output = done("info", "grid25")
    assert "train: 50,000 points" in output and "25 classes" in output and "RGB" not in output


def test_sources_are_described_and_written(pets: Path, tmp_path: Path) -> None:
    source = ("--size", 8, "--source", "low-resolution:4")
    said = done("info", pets, *source)
    assert "  sources: a resolution 4 times lower, bicubic\n" in said
    assert said.count("  each with a source image, 2x2, 3 channels\n") == 2
    done("prepare", pets, tmp_path / "low.h5", *source)
    assert read_hdf5(tmp_path / "low.h5", "test").source.shape == (2, 3, 2, 2)  # type: ignore[union-attr]
    assert refused("prepare", pets, tmp_path / "no.h5", "--source", "low").startswith(
        "There is no source 'low'. Did you mean"
    )
    assert not (tmp_path / "no.h5").exists()

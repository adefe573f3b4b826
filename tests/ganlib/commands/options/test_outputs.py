"""One rule for all verbs: what ganlib did not write stays, unless --force is given."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import Result
from PIL import Image
from tiny_extractor import tiny_extractor

from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.contract.fixtures import toy
from ganlib.speed import bench

Make = Callable[..., Path]
Run = Callable[..., Result]
MINE = b"\x89PNG of mine, that took a year"


def kept(run: Run, command: Sequence[Any], files: Sequence[str], again: bool = True) -> None:
    """The command writes all these files: over somebody's own by --force alone, and over what it
    has written itself, if that is `again`, at once.
    """
    for name in files:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MINE)
        result = run(*command)
        assert isinstance(result.exception, UserError), (name, result.output)
        assert f"{name} is there already: give --force, or another " in str(result.exception)
        assert path.read_bytes() == MINE
        path.unlink()
    Path(files[-1]).write_bytes(MINE)
    last = run(*command, "--force")
    assert last.exit_code == 0, (last.output, last.exception)
    assert all(Path(name).read_bytes() != MINE for name in files)
    if again:
        assert run(*command).exit_code == 0
    else:
        assert "is there already" in str(run(*command).exception)


@pytest.mark.parametrize("out", ["a.png", "a.npz"])
def test_sample(out: str, run: Run, snapshot: Path) -> None:
    kept(run, ["sample", snapshot, "-n", 2, "-o", out], [out])
    if out == "a.npz":
        assert np.load(out)["images"].shape == (2, 28, 28, 1)  # as without the mark


def test_a_folder_of_samples_is_these_samples_alone(run: Run, snapshot: Path) -> None:
    files = [f"many/{number:05}.png" for number in range(3)]
    kept(run, ["sample", snapshot, "-n", 3, "-o", "many"], files[:1])
    assert sorted(map(str, Path("many").iterdir())) == files
    fewer = run("sample", snapshot, "-n", 2, "-o", "many").exception
    assert str(fewer) == "many holds other files already; give --force, or another folder."
    Path("many/notes.txt").touch()
    assert "other files" in str(run("sample", snapshot, "-n", 3, "-o", "many").exception)


WALK = ["--frames", 3, "-o"]


@pytest.mark.parametrize(
    "options",
    [["-o", "a.png"], [*WALK, "a.gif"], [*WALK, "a.mp4"], ["--plus", 0, "-o", "a.png"]],
)
def test_interpolate(options: list[Any], run: Run, snapshot: Path) -> None:
    kept(run, ["interpolate", snapshot, *options], options[-1:])


def test_export(run: Run, snapshot: Path) -> None:
    written = ("generator.safetensors", "model_card.json", "README.md", "samples.png")
    names = [f"out/{name}" for name in written]
    kept(run, ["export", snapshot, "-o", "out", "--format", "safetensors"], names)
    Path("out/generator.onnx").write_bytes(MINE)
    assert "generator.onnx is there" in str(run("export", snapshot, "-o", "out").exception)


def test_evaluate(run: Run, snapshot: Path, tmp_path: Path) -> None:
    write_hdf5(Path("toy.h5"), toy(n=40))
    files = ["x.json", "near.png"]
    with tiny_extractor(tmp_path) as folder:
        options = ["--extractor", "tiny", "--plugin-dir", folder, "-n", 20, "--device", "cpu"]
        options += ["--metrics", "fid", "--dataset", "toy.h5", "-o", *files[:1]]
        kept(run, ["evaluate", snapshot, *options, "--duplicates-picture", files[1]], files)


def test_compare(run: Run) -> None:
    folder = Path("result/dcgan_toy/seed0")
    folder.mkdir(parents=True)
    settings = {"algorithm": "dcgan", "dataset": "toy", "seed": 0}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    score = {"value": 1.0, "std": None, "hash": "aa", "protocol": {"n_generated": 10}}
    line = {"iteration": 1, "scores": {"FD": score}}
    (folder / "scores.jsonl").write_text(json.dumps(line) + "\n")
    kept(run, ["compare"], [f"result/compare.{kind}" for kind in ("md", "csv", "json", "html")])


def test_bench(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cost, timing = bench.Cost(1, 1), bench.Timing(1.0, 1.0, 1.0, 2, 1.0, 1)
    row = bench.Row("dcgan", {}, (3, 32, 32), "eager", "fp32", 1.0, cost, timing)
    monkeypatch.setattr(bench, "measure", lambda *_: [row])
    kept(run, ["bench", "-a", "dcgan", "--device", "cpu", "--json", "x.json"], ["x.json"])


def test_translate(run: Run, small_snapshot: Make) -> None:
    snapshot = small_snapshot("superres")
    for name in ("a.png", "b.png"):
        Image.new("L", (5, 5)).save(name)
    command = ["translate", snapshot, "a.png", "b.png", "-o", "out"]
    kept(run, command, ["out/a.png", "out/b.png"])


def test_data_prepare_never_takes_a_data_set_for_its_own(run: Run) -> None:
    write_hdf5(Path("toy.h5"), toy(n=40))
    kept(run, ["data", "prepare", "toy.h5", "new.h5"], ["new.h5"], again=False)


@pytest.mark.usefixtures("plugins")
def test_new_never_takes_a_method_for_its_own(run: Run) -> None:
    command = ["new", "my_gan", "--from", "dcgan", "--plugin-dir", "mine"]
    assert run(*command).exit_code == 0
    Path("mine/my_gan/net.py").write_text("mine")
    Path("mine/my_gan/more.py").write_text("mine")
    words = "mine/my_gan is there already: give --force, or another name."
    assert str(run(*command).exception) == words
    assert Path("mine/my_gan/net.py").read_text() == "mine"
    assert run(*command, "--force").exit_code == 0
    assert Path("mine/my_gan/net.py").read_text() != "mine"
    assert Path("mine/my_gan/more.py").read_text() == "mine"
    inside = run("new", "dcgan", "--force", "--plugin-dir", "mine").exception
    assert "There is an algorithm 'dcgan' already" in str(inside)


def test_what_was_asked_for_by_option_is_named(run: Run, snapshot: Path) -> None:
    """A file of somebody's that a link names is not written over either, nor is the link."""
    Path("mine.png").write_bytes(MINE)
    for target in ("mine.png", "nothing.png"):
        Path("link.png").symlink_to(target)
        error = run("sample", snapshot, "-n", 2, "-o", "link.png").exception
        assert str(error) == "link.png is there already: give --force, or another --out."
        Path("link.png").unlink()
    assert Path("mine.png").read_bytes() == MINE

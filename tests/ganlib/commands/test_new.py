"""ganlib new."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import ganlib.commands.new
from ganlib.common.errors import UserError
from ganlib.registry import algorithms

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("plugins")


def _new(run: Run, name: str, origin: str = "wgan_gp", folder: str = "mine") -> Result:
    result = run("new", name, "--from", origin, "--plugin-dir", folder)
    assert result.exit_code == 0, result.exception
    algorithms.add_folder(Path(folder).resolve())
    return result


@pytest.mark.parametrize("origin", ["dcgan", "sngan", "wgan_gp"])
def test_copy_trains_at_once(run: Run, make_updater: Callable[..., Any], origin: str) -> None:
    name = f"new_from_{origin}"
    _new(run, name, origin)
    assert algorithms[name].updater.__module__ == f"ganlib.{name}.updater"
    assert all(value.isfinite() for value in make_updater(name).update().values())


def test_text(run: Run) -> None:
    result = _new(run, "my_gan")
    folder = Path("mine/my_gan")
    assert {file.name for file in folder.iterdir()} >= {"__init__.py", "net.py", "updater.py"}
    assert not list(Path("mine").rglob("__pycache__"))
    assert [path.name for path in Path("mine").iterdir()] == ["my_gan"]
    idea, _, paper = algorithms.describe("my_gan").partition("\n\n")
    assert idea.startswith("Starts from wgan_gp;") and "your paper" in paper
    assert "1704.00028" not in (folder / "__init__.py").read_text("utf-8")
    readme = (folder / "README.md").read_text("utf-8")
    assert readme.startswith("# my_gan\n") and "wgan_gp" in readme
    assert "python train.py --algorithm my_gan --plugin-dir mine" in result.stdout
    assert "ganlib check my_gan --plugin-dir mine" in result.stdout


def test_rest_of_the_folder_is_copied(run: Run) -> None:
    _new(run, "my_gan")
    there = Path(ganlib.commands.new.HOME) / "wgan_gp"
    assert Path("mine/my_gan/net.py").read_text() == (there / "net.py").read_text()
    assert Path("mine/my_gan/updater.py").read_text() == (there / "updater.py").read_text()


def test_references_to_itself_are_renamed(run: Run) -> None:
    _new(run, "first")
    updater = Path("mine/first/updater.py")
    with updater.open("a") as file:
        file.write("\nfrom ganlib.first.net import build\nimport ganlib.first_one\n")
    _new(run, "second", "first")
    copied = Path("mine/second/updater.py").read_text()
    assert copied.endswith("\nfrom ganlib.second.net import build\nimport ganlib.first_one\n")


def test_default_place_is_ganlib_itself_in_a_checkout_else_here(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "somewhere" / "ganlib"
    home.mkdir(parents=True)
    monkeypatch.setattr(ganlib.commands.new, "HOME", home)
    installed = run("new", "my_gan", "--from", "dcgan")
    assert installed.exit_code == 0 and Path("my_gan/updater.py").exists()
    assert "ganlib train --algorithm my_gan --plugin-dir ." in installed.stdout
    (home.parent / "setup.cfg").touch()
    checkout = run("new", "own_gan", "--from", "dcgan")
    assert checkout.exit_code == 0 and (home / "own_gan" / "updater.py").exists()
    assert "--plugin-dir" not in checkout.stdout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Idea."""\n\nx = 1\n', '"""NEW"""\n\nx = 1\n'),
        ("'Idea.'\nx = 1\n", '"""NEW"""\nx = 1\n'),
        ('"""Idea on\ntwo lines.\n\nPaper.\n"""\n', '"""NEW"""\n'),
        ("# reason\nr'''Idea.\n\nPaper.'''\n", '# reason\n"""NEW"""\n'),
        ("x = 1\n", '"""NEW"""\n\nx = 1\n'),
        ("", '"""NEW"""\n\n'),
    ],
)
def test_docstring(source: str, expected: str) -> None:
    new = ganlib.commands.new.DOCSTRING.format(origin="dcgan")
    assert ganlib.commands.new._say_origin(source, "dcgan") == expected.replace("NEW", new)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MyGan", "lower-case"),
        ("my-gan", "lower-case"),
        ("1gan", "lower-case"),
        ("_gan", "lower-case"),
        ("../gan", "lower-case"),
        ("größe", "lower-case"),
        ("lambda", "Python"),
        ("dcgan", "already"),
        ("training", "already"),
        ("commands", "already"),
        ("datasets", "something else"),
        ("metrics", "something else"),
        ("sources", "something else"),
        ("train", "something else"),
        ("taken", "already"),
    ],
)
def test_bad_names(run: Run, name: str, words: str) -> None:
    Path("mine/taken").mkdir(parents=True)
    error = run("new", name, "--plugin-dir", "mine").exception
    assert isinstance(error, UserError) and words in str(error)
    assert [path.name for path in Path("mine").rglob("*")] == ["taken"]


def test_unknown_origin(run: Run) -> None:
    error = run("new", "my_gan", "--from", "wgan_pg", "--plugin-dir", "mine").exception
    assert "Did you mean 'wgan_gp'?" in str(error) and not Path("mine").exists()


def test_plugin_folder_that_is_a_file(run: Run) -> None:
    Path("mine").touch()
    error = run("new", "my_gan", "--plugin-dir", "mine").exception
    assert isinstance(error, UserError) and "cannot be written" in str(error)


def test_nothing_is_left_of_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(ganlib.commands.new, "_rename", fail)
    error = run("new", "my_gan", "--plugin-dir", "mine").exception
    assert isinstance(error, UserError) and "the disk is full" in str(error)
    assert list(Path("mine").iterdir()) == []


def test_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "ganlib", "new", "my_gan"]
    done = subprocess.run(
        [*command, "--plugin-dir", "mine"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and (tmp_path / "mine" / "my_gan" / "README.md").exists()
    assert " torch\n" not in done.stderr, "torch takes seconds to import"
    command = [sys.executable, "-m", "ganlib", "new", "DCGAN"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("Error: 'DCGAN' cannot be")
    assert len(done.stderr.splitlines()) == 1

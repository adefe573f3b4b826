"""What the pages tell people to type is understood, their Python runs, and their links lead on."""

import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import few_images
import pytest
from small_methods import FOLDER

import ganlib
from ganlib.__main__ import cli
from ganlib.commands.train import OF_A_GRID
from ganlib.commands.train import command as train
from ganlib.common.datasets import fashion_mnist
from ganlib.registry import algorithms
from ganlib.runs.grid import plan
from ganlib.runs.run import gather
from ganlib.runs.slurm import parse_launcher
from scripts.first_gpu.__main__ import command as first_gpu

ROOT = Path(ganlib.__file__).resolve().parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"  # tells of commands of before, too
READMES = [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("ganlib/*/README.md")]
READMES.remove(CHANGELOG)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = 100  # characters: about as many of a line of code are seen on GitHub
SECONDS = {"max_iter": 2, "width": 0.05, "batch_size": 4, "gpu": -1, "tensorboard": False}
SECONDS |= {"evaluation_interval": 0}
"""Settings with which what a README trains takes no time."""


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command's --plugin-dir adds is gone after it."""
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))


def blocks(readme: Path, language: str) -> list[str]:
    return [text for kind, text in FENCED.findall(readme.read_text("utf-8")) if kind == language]


def commands(readme: Path) -> list[str]:
    """The lines of unmarked blocks that start a program, and commands in backticks. A line that
    ends in a backslash goes on in the next one.
    """
    texts = [text.replace("\\\n", " ") for text in blocks(readme, "")]
    lines = [line for text in texts for line in text.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", FENCED.sub("", readme.read_text("utf-8")))
    known = ("torchrun ", "python ", "ganlib ", "make ", "scripts/first_gpu.sh ")
    return [line for line in [*lines, *inline] if line.startswith(known)]


CASES = [(file, line) for file in sorted(READMES) for line in commands(file)]


def check(words: list[str]) -> None:
    """That these words would start something."""
    match words:
        case ["make", target]:
            assert f"\n{target}:" in (ROOT / "Makefile").read_text()
        case ["python", "train.py", *arguments] | ["ganlib", "train", *arguments]:
            check_train(arguments)
        case ["torchrun", *arguments]:
            check_train(arguments[arguments.index("train.py") + 1 :])
        case ["ganlib", *arguments] | ["python", "-m", "ganlib", *arguments]:
            check_verb(arguments)
        case ["scripts/first_gpu.sh", *arguments]:
            first_gpu.make_context("first_gpu", arguments)
        case ["python", "-m", module, *_]:
            assert find_spec(module), module
        case _:
            raise AssertionError(f"what is {words[0]}?")


def check_train(arguments: list[str]) -> None:
    if "--list" in arguments or "--help" in arguments:
        return
    context = train.make_context("train", list(arguments))
    values = {name: v for name, v in context.params.items() if v not in (None, ())}
    grid = {name: values.pop(name) for name in OF_A_GRID if name in values}
    if launcher := values.pop("launcher", None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shutil, "which", str)
            assert parse_launcher(launcher)
    names = str(values.get("algorithm", ""))
    if "," in names or grid:
        values.pop("out", None)
        assert plan(names, grid.get("seeds"), values, grid.get("sweep", ()), grid.get("trials"))
    else:
        assert gather(values)


def check_verb(arguments: list[str]) -> None:
    command: Any = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        verb, *arguments = arguments
        command = command.get_command(context, verb)
        assert command is not None, verb
    if arguments:  # a verb alone is the mention of a verb
        command.make_context(verb, list(arguments))


@pytest.mark.parametrize(("readme", "line"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_command_of_a_readme_is_understood(
    readme: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(line.replace("...", ""), comments=True)
    # what `ganlib new my_gan --from wgan_gp` has made, and a folder of the reader's own
    made = {} if "new" in words else {"my_gan": "wgan_gp", "mine": str(FOLDER)}
    check([made.get(word, word) for word in words])


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_no_code_is_wider_than_a_page_shows(readme: Path) -> None:
    texts = [text for _, text in FENCED.findall(readme.read_text("utf-8"))]
    assert not [line for text in texts for line in text.splitlines() if len(line) > PAGE]


@pytest.mark.parametrize("name", algorithms.names())
def test_methods_are_told_in_the_same_order(name: str) -> None:
    text = FENCED.sub("", (ROOT / "ganlib" / name / "README.md").read_text("utf-8"))
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Paper", "Commands", "Method", "What differs", "Results"]


def test_the_readmes_have_commands() -> None:
    found = {file.relative_to(ROOT).as_posix() for file, _ in CASES}
    assert len(CASES) > 60 and {"README.md", "docs/runs.md", "ganlib/README.md"} <= found


def anchors(page: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub makes them into names."""
    lines = FENCED.sub("", page.read_text("utf-8")).splitlines()
    titles = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}


def links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, each with the heading that is named, "" for none."""
    found = re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text("utf-8")))
    parts = [link.partition("#") for link in found if "://" not in link]
    return [(page.parent / path if path else page, anchor) for path, _, anchor in parts]


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), (path, anchor)


def test_every_picture_is_on_a_page() -> None:
    shown = {path.resolve() for page in READMES for path, _ in links(page)}
    assert {path for path in (ROOT / "docs" / "pictures").iterdir() if path not in shown} == set()


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = {path.resolve() for path, _ in links(ROOT / "docs" / "README.md")}
    assert {*ROOT.glob("docs/*.md")} - {ROOT / "docs" / "README.md"} <= listed


def test_the_first_page_is_one_page() -> None:
    """With every method on it."""
    page = ROOT / "README.md"
    assert len(page.read_text("utf-8").splitlines()) < 200
    shown = {path.resolve() for path, _ in links(page)}
    assert {ROOT / "ganlib" / name for name in algorithms.entries} <= shown


@pytest.mark.parametrize(
    "line",
    [
        "python train.py --algorithm nope",
        "python train.py --algorithm sngan --n-dos 3",
        "python train.py --config example_configs/nope.yaml",
        "ganlib nope",
        "make nope",
        "python -m benchmarks.nope",
    ],
)
def test_a_wrong_command_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises((AssertionError, ganlib.UserError, click.UsageError)):
        check(shlex.split(line))


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fashion_mnist, "load", few_images.load)
    original = ganlib.train
    monkeypatch.setattr(
        ganlib, "train", lambda name, **more: original(name, **{**more, **SECONDS}), raising=False
    )
    for text in blocks(ROOT / "README.md", "python"):
        exec(compile(text, "README.md", "exec"), {})
    assert (tmp_path / "result").is_dir()

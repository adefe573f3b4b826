"""One installed name: in a checkout without links, and as a wheel beside a user's own common/."""

import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

import ganlib

ROOT = Path(ganlib.__file__).parents[1]
SMALL = ["--width=0.05", "--batch-size=4", "--max-iter=2", "-g", "-1", "--no-tensorboard"]
SMALL += ["--evaluation-interval=0", "--dataset"]


def call(*arguments: object, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def checkout(place: Path, links: bool) -> Path:
    """What is in the repository now, its links as such or as a system without them has them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, there = ROOT / name, place / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() and links:
            there.symlink_to(os.readlink(source))
        elif source.is_symlink():
            there.write_text(os.readlink(source))
        elif source.exists():
            there.write_bytes(source.read_bytes())
    return place


@pytest.mark.slow
def test_a_checkout_without_links_trains(tmp_path: Path, toy_file: Path) -> None:
    without_links = checkout(tmp_path / "clone", links=False)
    assert (without_links / "ganlib" / "common").read_text() == "../common"
    done = call("train.py", "-a", "dcgan", *SMALL, toy_file, cwd=without_links, path=without_links)
    assert done.returncode == 0, done.stderr
    code = "import ganlib.common.data as d, ganlib.evaluation as e; print(d.__file__, e.__file__)"
    where = call("-c", code, cwd=without_links.parent, path=without_links).stdout
    assert where.split() == [
        str(without_links / "common" / "data" / "__init__.py"),
        str(without_links / "evaluation" / "__init__.py"),
    ]


@pytest.mark.parametrize("name", ["common", "evaluation"])
def test_a_folder_of_the_repository_is_no_package_of_its_own(name: str) -> None:
    done = call("-c", f"import {name}", cwd=ROOT, path=ROOT)
    assert done.returncode == 1 and f"ImportError: Import ganlib.{name}: " in done.stderr


def test_recipes_travel_in_the_wheel_and_pictures_of_the_pages_do_not() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    files = [
        path
        for package, patterns in setup["options.package_data"].items()
        for pattern in patterns.split()
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    ]
    names = {path.relative_to(ROOT).as_posix() for path in files}
    parts = "page.html parts.html section.html scores.html runs.html style.css"
    parts += " panels.js reading.js still.js live.js"
    parts += " uplot/uPlot.iife.min.js uplot/uPlot.min.css uplot/LICENSE"
    page = [f"evaluation/page/{name}" for name in parts.split()]
    needed = {"README.md", "example_configs/quickstart.yaml", *page}
    needed |= {"commands/new.md", "sampling/exports/snippet.txt", "sampling/exports/card.md"}
    assert {f"ganlib/{name}" for name in needed} <= names
    assert not {path.suffix for path in files} & {".png", ".gif", ".jpg", ".mp4"}


def test_the_version_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(r"^## \[(.*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[:2] == ["Unreleased", ganlib.__version__]


def test_hooks_before_a_commit_are_what_make_test_begins_with() -> None:
    (own,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    tools = [re.sub(r"\.venv/bin/| --.*", "", hook["entry"]) for hook in own["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\ntest:")[2].partition("\n\n")[0]
    begins = [re.sub(r"\t\$\(BIN\)/| (--check )?\.$", "", line) for line in recipe.splitlines()]
    assert tools == begins[1:4]


@pytest.mark.slow
def test_a_wheel_lives_beside_packages_of_the_same_names(tmp_path: Path, toy_file: Path) -> None:
    """Built, unpacked where nothing else is, used from a project with a common/ of its own."""
    source = checkout(tmp_path / "source", links=True)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("ganlib-*.whl")
    site, project = tmp_path / "site", tmp_path / "project"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"ganlib", wheel.name.rsplit("-py3", 1)[0] + ".dist-info"}
    (project / "common").mkdir(parents=True)
    (project / "common" / "__init__.py").write_text("MINE = True\n")
    (project / "evaluation.py").write_text("MINE = True\n")
    code = (
        "import common, evaluation, ganlib, ganlib.evaluation; print(ganlib.__file__, common.MINE)"
    )
    done = call("-c", code, cwd=project, path=site)
    assert done.stdout.split() == [str(site / "ganlib" / "__init__.py"), "True"], done.stderr
    steps: list[list[object]] = [
        ["train", "-a", "dcgan", "--out", "run", *SMALL, toy_file],
        ["evaluate", "run", "-n", 16, "--extractor", "fashion", "--metrics", "kid"],
        ["compare", "run"],
        ["new", "my_gan"],
        ["train", "-a", "my_gan", "--plugin-dir", ".", *SMALL, toy_file],
        ["check", "my_gan", "--plugin-dir", "."],
        ["train", "--config", "quickstart", "--out", "quick", *SMALL, toy_file],
    ]
    for step in steps:
        done = call("-m", "ganlib", *step, cwd=project, path=site)
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    assert (project / "my_gan" / "updater.py").exists()
    assert (site / "ganlib" / "example_configs" / "sngan_cifar10.yaml").exists()
    assert not (site / "ganlib" / "my_gan").exists()

"""The tutorial runs from top to bottom: here with a few iterations, in the slow suite as it is."""

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import ganlib

ROOT = Path(ganlib.__file__).resolve().parents[1]
FEW = {"max_iter": 4, "interval": 2, "evaluation_interval": 4, "evaluation_images": 300}


def executed(folder: Path, notebook: Any) -> list[str]:
    """Run the notebook in this folder; the sources of its cells with what they show, as text."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=1800, resources=resources).execute()
    return [cell.source + str(cell.get("outputs", "")) for cell in notebook.cells]


def tutorial() -> Any:
    """The notebook as it is in the repository, without what it showed there."""
    notebook = nbformat.read(ROOT / "tutorial.ipynb", 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return notebook


def shortened(source: str) -> str:
    """The same with fewer iterations and images."""
    for name, few in FEW.items():
        source = re.sub(rf"\b(\w*{name})=[1-9]\d*", rf"\1={few}", source)
    return re.sub(r"evaluate\(\d+\)", "evaluate(300)", source)


def check(shown: list[str]) -> None:
    everything = "\n".join(shown)
    assert "modes" in everything and "image/png" in everything
    assert "FD-fashion" in everything and "my_gan" in everything
    assert " passed" in shown[-2] and "failed" not in shown[-2]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that find this checkout and its tests, warn of nothing and take one core."""
    tests = str(Path(__file__).parent)
    paths = os.pathsep.join([str(ROOT), tests, os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_with_a_few_iterations(tmp_path: Path, quiet: None) -> None:
    notebook = tutorial()
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.source.startswith("%%"):
            cell.source = shortened(cell.source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import few_images; few_images.use()"))
    check(executed(tmp_path, notebook))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
def test_as_it_is(tmp_path: Path, quiet: None) -> None:
    check(executed(tmp_path, tutorial()))

"""What is counted of a run's way to its first update."""

import subprocess
import sys

import pytest

import ganlib.config
from scripts.trace_run import HOME, Trace, in_library, tracing

FILES = 47
"""That a run may enter before its first update."""


def compiled(file: str, source: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(source, file, "exec"), names)
    return names


def test_each_move_into_another_file_is_a_stay_and_the_end_is_not_passed() -> None:
    far = compiled("far.py", "def far(): pass\ndef update(): pass")
    near = compiled("near.py", "def near(far): far(); far()\ndef again(): pass")
    trace = Trace("update", lambda file: file if file.endswith(".py") and "/" not in file else None)
    with tracing(trace):
        near["near"](far["far"])  # type: ignore[operator]
        near["again"]()  # type: ignore[operator]
        compiled("module.py", "def inside(): pass\ninside()")
        far["update"]()  # type: ignore[operator]
        far["far"]()  # type: ignore[operator]
    assert trace.stays == ["near.py", "far.py", "near.py"]
    assert trace.entered == ["near.py", "far.py"]
    assert sys.getprofile() is None


def test_the_library_is_told_from_others() -> None:
    assert in_library(ganlib.config.__file__) == "ganlib/config.py"
    assert in_library(str(__file__)) is None


@pytest.mark.slow
def test_a_run_enters_few_files_before_its_first_update() -> None:
    call = [sys.executable, "-m", "scripts.trace_run", "--list"]
    done = subprocess.run(call, cwd=HOME, capture_output=True, text=True, check=True)
    *entered, count = done.stdout.splitlines()
    assert count.startswith(f"{len(entered)} files entered")
    assert "ganlib/training/updater.py" in entered
    assert len(entered) <= FILES, entered

"""A folder is held by one process, and by none that has ended."""

import subprocess
import sys
from pathlib import Path

import pytest

import ganlib
from ganlib.common.errors import UserError
from ganlib.runs import lock

ROOT = Path(ganlib.__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from ganlib.runs.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_the_process_that_has_it_is_named_and_a_killed_one_has_it_no_more(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "held\n"
        named = f"trained in by process {process.pid} on "
        with pytest.raises(UserError, match=named), lock.held(tmp_path):
            pytest.fail("held twice")
        process.kill()
        process.wait()
    assert (tmp_path / lock.NAME).exists()
    with lock.held(tmp_path) as killed:
        assert killed and (tmp_path / lock.NAME).read_text().startswith("process ")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_owner_removed_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening and its locking: or two processes would hold two files of one name."""
    original, calls = lock._lock, []

    def late(file: object) -> None:
        if not calls:
            (tmp_path / lock.NAME).unlink()
        calls.append(file)
        original(file)  # type: ignore[arg-type]

    monkeypatch.setattr(lock, "_lock", late)
    with lock.held(tmp_path) as killed:
        assert len(calls) == 2 and (tmp_path / lock.NAME).exists() and not killed


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    refused = pytest.raises(UserError, match="none cannot be written: No such file")
    with refused, lock.held(tmp_path / "none"):
        pass

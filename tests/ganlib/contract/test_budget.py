"""The contract's cost is counted by method, over all workers, and may not pass its limit."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import time
import pytest

@pytest.mark.parametrize("algorithm", ["quick", "dear"])
@pytest.mark.parametrize("part", [1, 2])
def test_work(algorithm, part):
    end = time.process_time() + (0.3 if algorithm == "dear" else 0.01)
    while time.process_time() < end:
        pass
"""


@pytest.mark.parametrize(("workers", "limit", "status"), [(2, 0.5, 1), (0, 5.0, 0)])
def test_a_dear_method_fails_the_session(
    workers: int, limit: float, status: int, tmp_path: Path
) -> None:
    """Its parts are each below the limit, and together above it."""
    (tmp_path / "test_contract.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(
        f"import ganlib.contract.budget\nganlib.contract.budget.LIMIT = {limit}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", f"-n{workers}"]
    more = ["-p", "no:cacheprovider", "-p", "ganlib.contract.budget", str(tmp_path)]
    done = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == status, done.stdout
    assert "4 passed" in done.stdout
    assert "the dearest methods: dear 0." in done.stdout and ", quick 0." in done.stdout
    assert ("The contract of dear takes more than" in done.stdout) == bool(status)

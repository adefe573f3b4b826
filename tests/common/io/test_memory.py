"""How much memory is taken to be available."""

import math
from pathlib import Path

import pytest

from ganlib.common.errors import UserError
from ganlib.common.io import memory as _memory
from ganlib.common.io.memory import GIB, available_memory, require_memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(_memory, "CGROUP", tmp_path)
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4096 kB\n")
    return tmp_path


def test_machine(machine: Path) -> None:
    assert available_memory() == 4096 * 1024


def test_container(machine: Path) -> None:
    (machine / "memory.max").write_text("2000000\n")
    (machine / "memory.current").write_text("1500000\n")
    (machine / "memory.stat").write_text("anon 7\ninactive_file 300000\n")
    assert available_memory() == 800_000
    (machine / "memory.max").write_text("max\n")
    assert available_memory() == 4096 * 1024


def test_other_systems(machine: Path) -> None:
    (machine / "meminfo").unlink()
    assert available_memory() > 0


def test_half_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "available_memory", lambda: 4 * GIB)
    require_memory("x", 2 * GIB)
    with pytest.raises(UserError, match=r"'x' takes 2.5 GiB .* available is 2.0 GiB"):
        require_memory("x", 5 * GIB // 2)
    monkeypatch.setattr(_memory, "available_memory", lambda: math.inf)
    require_memory("x", 10**15)

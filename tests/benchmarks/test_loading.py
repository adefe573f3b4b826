"""The loader's rate, measured as the table says."""

from dataclasses import asdict
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import loading, run, table
from benchmarks.loading import Load, Rate
from ganlib.common.data.loader import WORKERS


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FILE_BYTES", 2**20), ("WINDOW", 0.05), ("BATCHES", 3)):
        monkeypatch.setattr(loading, name, value)


@pytest.mark.skipif(WORKERS == 0, reason="no safe forks here")
def test_a_rate_of_floats_and_of_bytes(quick: None) -> None:
    rates = list(loading.measure((Load((3, 16, 16), 8, 1.0),), windows=4))
    assert [rate.kind for rate in rates] == ["floats", "bytes"]
    for rate in rates:
        assert rate.readers >= 1 and 0 < rate.low <= rate.rate <= rate.high <= rate.fastest
        assert min(rate.memory) > 10
        assert 0 < rate.core < 1


def row(**more: Any) -> dict[str, Any]:
    rates = 12_345.6, 9_999.9, 13_000, 14_000
    rate = Rate((3, 128, 128), 64, "floats", 10_000, 2, *rates, 2e-4, (250.4, 251))
    return {**asdict(rate), **more}


def test_the_table() -> None:
    lines = table.loading([row(), row(kind="bytes")]).splitlines()
    assert lines[2] == (
        "| 128x128, batch 64 | floats | 2 | 12,346 | 10,000 - 13,000 | 14,000 | 10,000 | 0.2 "
        "| 250 to 251 |"
    )
    assert len({line.count("|") for line in lines}) == 1


def test_it_stands_behind_the_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def measure() -> list[Rate]:
        return [Rate((3, 8, 8), 4, "bytes", 5, 2, 6, 6, 6, 6, 0.001, (1, 1))]

    monkeypatch.setattr(loading, "measure", measure)
    asked = ["loading", "--device", "cpu", "--results", str(tmp_path)]
    done = CliRunner().invoke(run.command, asked)
    assert done.exit_code == 0 and "8x8, bytes: 6 images/s" in done.output
    text = table.all_tables(table.read(tmp_path))
    assert "| 8x8, batch 4 | bytes | 2 | 6 | 6 - 6 | 6 | 5 | 1 | 1 to 1 |" in text
    assert "commit" in text.partition("###")[2]

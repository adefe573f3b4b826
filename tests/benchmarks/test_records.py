"""Records of time to quality: settings that can start, and the table that is made of the lines."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.records import ACCURACY, FD, FID, HEAD, PAGE, RECORDS, measure, table
from ganlib.runs.settings import read_config, resolve

NAME = next(iter(RECORDS))


def line(
    seed: int, seconds: float, fd: float, card: str = "2 cores of A", **more: float
) -> dict[str, Any]:
    scores = {FD: fd, ACCURACY: 0.9, **more}
    return {"record": NAME, "seed": seed, "seconds": seconds, **scores, "card": card}


def test_the_table_has_the_soonest_first_means_over_seeds_and_the_last_line_of_each() -> None:
    """Of 1.0 and 2.0 the mean is 1.5, and the deviation the root of a half."""
    lines = [line(0, 99, 9.0), line(0, 50, 1.0), line(1, 60, 2.0)]
    lines.append(line(0, 7, 3.0, "1 core of B", **{FID: 21.0}))
    link = f"| [{NAME}](../example_configs/{NAME}.yaml) |"
    assert table(lines) == (
        f"{HEAD}{link} 7 | 3.00 | 21.00 | 90.0% | 1 | 1 core of B |\n"
        f"{link} 55 | 1.50 +- 0.71 |  | 90.0% | 2 | 2 cores of A |\n"
    )


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_fixes_its_length_and_trains_on_bundled_data(name: str) -> None:
    settings = resolve(read_config({"config": RECORDS[name]}))
    assert "max_iter" in settings.algorithm.model_fields_set
    assert (settings.run.dataset, settings.run.max_hours) == ("fashion_mnist", None)


def test_the_page_says_how_a_record_is_run_again() -> None:
    assert "--evaluation-interval 0" in PAGE.read_text("utf-8")


@pytest.mark.slow
def test_a_record_is_trained_in_a_process_of_its_own_and_scored(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.yaml"
    settings = "{algorithm: acgan, architecture: quick, width: 0.1, batch_size: 4, max_iter: 2}"
    tiny.write_text(settings, "utf-8")
    result = measure(tiny, 1)
    assert (result["record"], result["seed"]) == ("tiny", 1)
    assert result["seconds"] > 1 and result[FD] > 10 and 0 <= result[ACCURACY] <= 1

"""Files of scores of other programs' images, beside runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.writers import to_csv, to_json, to_markdown
from ganlib.evaluation.page.document import to_html

Make = Callable[..., Path]
Score = Callable[..., dict[str, Any]]
OWN = {"weights": "ema", "bn_mode": "running", "rounding": "round", "truncation": None}
GIVEN = {"weights": "given", "bn_mode": "given", "rounding": "given", "truncation": None}


@pytest.fixture
def other(tmp_path: Path) -> Callable[..., Path]:
    """other("x.json", scores, dataset="toy"): what `ganlib evaluate --out` writes."""

    def write(name: str, scores: dict[str, Any], **record: Any) -> Path:
        path = tmp_path / name
        line = {"target": f"{name}.npz", "iteration": None, "images": None, "seconds": None}
        path.write_text(json.dumps({**line, **record, "scores": scores}))
        return path

    return write


def test_it_joins_the_column_that_it_only_lacks_the_weights_for(
    make: Make, score: Score, other: Callable[..., Path], tmp_path: Path
) -> None:
    make("dcgan", scores={200: {"FD": score(5.0, "own", reference_digest="d", **OWN)}})
    file = other("x.json", {"FD": score(3.0, "given", reference_digest="d", **GIVEN)})
    (table,) = compare([tmp_path / "result", file])
    (column,) = table.columns
    assert (column.hash, column.protocol["weights"], table.dataset) == ("own", "ema", "toy")
    first, second = table.rows
    assert (first.label, first.cells[0] and first.cells[0].mean) == ("x.json", 3.0)
    assert second.label == "dcgan"
    assert "By which weights the images of x.json were made is not known." in table.notes
    markdown = to_markdown([table])
    assert "| x.json | **3.00** | 1 | – | – | – |" in markdown and "GPU-hours per run" in markdown
    for text in (to_csv([table]), to_json([table]), to_html([table])):
        assert "x.json" in text


@pytest.mark.parametrize("change", [{"n_generated": 7}, {"truncation": 0.7}, {"extractor": "x"}])
def test_another_protocol_has_another_column(
    change: dict[str, Any], make: Make, score: Score, other: Callable[..., Path], tmp_path: Path
) -> None:
    make("dcgan", scores={200: {"FD": score(5.0, "own", reference_digest="d", **OWN)}})
    file = other("x.json", {"FD": score(3.0, "g", reference_digest="d", **{**GIVEN, **change})})
    with pytest.raises(UserError, match="cannot share a column"):
        compare([tmp_path / "result", file])
    (table,) = compare([tmp_path / "result", file], split=True)
    assert len(table.columns) == 2


def test_a_snapshot_scored_elsewhere_keeps_its_protocol(
    make: Make, score: Score, other: Callable[..., Path], tmp_path: Path
) -> None:
    make("dcgan", scores={200: {"FD": score(5.0, "ema", reference_digest="d", **OWN)}})
    raw = score(3.0, "raw", reference_digest="d", **{**OWN, "weights": "raw"})
    file = other("x.json", {"FD": raw}, iteration=900)
    (table,) = compare([tmp_path / "result", file], split=True)
    assert [column.note for column in table.columns] == ["weights: ema", "weights: raw"]
    assert [row.iterations for row in table.rows] == [[200], [900]]


def test_it_has_a_table_of_its_own_where_no_run_has_its_data(
    make: Make, score: Score, other: Callable[..., Path], tmp_path: Path
) -> None:
    make("dcgan", scores={200: {"FD": score(5.0, "own", reference_digest="d", **OWN)}})
    score_of = score(3.0, "g", reference_digest="e", **GIVEN)
    files = [
        other("x.json", {"FD": score_of}, dataset="cifar10", size=32),
        other("y.json", {"FD": score_of}),
    ]
    tables = compare([tmp_path / "result", *files])
    assert [table.dataset for table in tables] == ["cifar10 at 32 pixels", "toy", "unknown data"]
    assert len(compare(files)) == 2


def test_what_is_no_such_file_is_one_sentence(tmp_path: Path) -> None:
    for text in ("", "[1]", '{"scores": 3}', '{"scores": {"FD": 3}}', "[" * 9999, "\ud800"):
        (tmp_path / "x.json").write_text(text, errors="surrogatepass")
        with pytest.raises(UserError, match="x.json holds no scores as"):
            compare([tmp_path / "x.json"])
    with pytest.raises(UserError, match="There is no .*none.json"):
        compare([tmp_path / "none.json"])

"""Runs to tables: one per data set, with what they say of themselves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganlib.evaluation import Origin
from ganlib.evaluation import protocol as protocols
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.table import Table
from ganlib.evaluation.comparison.writers import to_markdown
from ganlib.evaluation.pairs.pixels import measures
from ganlib.evaluation.pairs.sums import protocol_of
from ganlib.evaluation.protocol import Split

Make = Callable[..., Path]
Tables = Callable[..., Table]
Score = Callable[..., dict[str, Any]]


def test_data_sets_never_share_a_table(make: Make, tmp_path: Path, score: Score) -> None:
    make("dcgan", 0, {200: {"FD": 5.0}})
    make("dcgan", 0, {200: {"FD": score(6.0, "other")}}, name="b", dataset="cifar10")
    make("dcgan", 0, {200: {"FD": score(7.0, "third")}}, name="c", dataset="cifar10", size=64)
    tables = compare([tmp_path / "result"])
    assert [t.dataset for t in tables] == ["cifar10", "cifar10 at 64 pixels", "toy"]
    assert [len(t.rows) for t in tables] == [1, 1, 1]


def test_nothing_scored_at_all_is_a_table_too(make: Make, the_table: Tables) -> None:
    make("dcgan")
    table = the_table()
    assert table.columns == [] and table.caption == "No run has been scored yet."
    assert "| dcgan | 1 | 200 |" in to_markdown([table])


def test_fewer_images_than_features_is_said_below_the_table(
    make: Make, the_table: Tables, score: Score
) -> None:
    make("dcgan", 0, {200: {"FD": score(5.0, rank_deficient=True)}})
    assert "FD: of fewer images than features" in the_table().notes[0]


def test_a_sentence_for_each_and_a_value_for_each_score(tmp_path: Path) -> None:
    scores = {}
    for k, measure in enumerate(measures(28)):
        protocol = protocol_of(measure, 10, Split("test", 10, "ab"), Origin("raw", seed=0))
        more: dict[str, Any] = {
            protocols.BASELINES: {"source": k + 0.5, "mean image": 2 * k + 0.25}
        }
        more |= {"real": {"value": 7.5}} if k == 1 else {}
        scores[measure.name] = protocols.Score(measure.name, 1.0, None, protocol, more).to_dict()
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"dataset": "emoji", "source": "edges", "scores": scores}))
    (table,) = compare([path])
    assert table.dataset == "emoji from edges"
    assert [note for note in table.notes if "reach" in note] == [
        "What the source itself reaches: L1 0.5000, PSNR 1.500, SSIM 2.500.",
        "What the mean image itself reaches: L1 0.2500, PSNR 2.250, SSIM 4.250.",
        "What real images reach: PSNR 7.500.",
    ]

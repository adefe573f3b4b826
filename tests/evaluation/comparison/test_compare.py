"""Runs to tables: one per data set, with what they say of themselves; rows: seeds together,
settings and unfinished runs apart, the best marked.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganlib.evaluation import Origin
from ganlib.evaluation import protocol as protocols
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.table import NOTHING, Table
from ganlib.evaluation.comparison.writers import to_markdown
from ganlib.evaluation.pairs.pixels import measures
from ganlib.evaluation.pairs.sums import protocol_of
from ganlib.evaluation.protocol import Split

Make = Callable[..., Path]
Tables = Callable[..., Table]
Score = Callable[..., dict[str, Any]]
Texts = Callable[[Table], dict[str, list[str]]]
Log = Callable[..., list[dict[str, Any]]]


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
    assert "| dcgan | 1 | 200 |" in to_markdown([table]) and table.notes == []


def test_where_nothing_but_trials_was_scored_they_are_named(make: Make, the_table: Tables) -> None:
    (make("dcgan") / "trials.jsonl").touch()
    assert the_table().notes == ["--trials shows what was tried."]


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


def test_mean_and_sample_deviation_over_seeds_are_numpys(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    values = {"dcgan": [6.25, 5.5, 7.125], "sngan": [3.21, 3.4, 2.9], "wgan_gp": [4.0]}
    for algorithm, numbers_of in values.items():
        for seed, value in enumerate(numbers_of):
            make(algorithm, seed, {100: {"FD": 99.0}, 200: {"FD": value, "IS": 10 - value}})
    table = the_table()
    assert [row.title for row in table.rows] == ["sngan", "wgan_gp", "dcgan"]
    for row in table.rows:
        wanted = np.array(values[row.algorithm])
        fd, inception = row.cells
        assert fd and inception
        np.testing.assert_allclose(fd.mean, wanted.mean(), rtol=1e-14)
        np.testing.assert_allclose(inception.mean, (10 - wanted).mean(), rtol=1e-14)
        if len(wanted) > 1:
            np.testing.assert_allclose(fd.std, wanted.std(ddof=1), rtol=1e-12)
        else:
            assert fd.std is None
        assert list(fd.values.values()) == list(wanted)
        assert fd.best is inception.best is (row.algorithm == "sngan")
        assert len(row.entries) == len(wanted) and row.iterations == [200] * len(wanted)
    assert texts(table) == {
        "sngan": ["3.17 ± 0.25", "6.83 ± 0.25"],
        "wgan_gp": ["4.00", "6.00"],
        "dcgan": ["6.29 ± 0.81", "3.71 ± 0.81"],
    }
    assert table.headers[:4] == ["algorithm", "FD ↓", "IS ↑", "n"]


@pytest.mark.parametrize(
    ("name", "winner"),
    [
        ("FD-fashion10k-test", "low"),
        ("FID50k", "low"),
        ("KID", "low"),
        ("KD-fashion10k-train", "low"),
        ("duplicates", "low"),
        ("IS10k", "high"),
        ("precision", "high"),
        ("recall_k3", "high"),
        ("density", "high"),
        ("coverage", "high"),
        ("isotropy", None),
        ("nearest-median-fashion10k-train", None),
        ("accuracy", None),
    ],
)
def test_the_best_of_a_column_by_what_it_measures(
    name: str, winner: str | None, make: Make, the_table: Tables
) -> None:
    make("low", scores={1: {name: 0.25}})
    make("high", scores={1: {name: 0.5}})
    marked = [r.label for r in the_table().rows if r.cells[0] and r.cells[0].best]
    assert marked == ([winner] if winner else [])


def test_one_algorithm_with_several_settings_names_those_that_differ(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    common = {"batch_size": 64, "sample_interval": 5}
    make("dcgan", 0, {200: {"FD": 5.0}}, width=1.0, **common)
    make("sngan", 0, {200: {"FD": 3.0}}, width=1.0, n_dis=5, architecture="cnn", **common)
    make("sngan", 1, {200: {"FD": 2.0}}, width=1.0, n_dis=5, architecture="cnn", **common)
    other = {"name": "resnet", "width": 1.0, "n_dis": 1, "architecture": "resnet"}
    make("sngan", 0, {200: {"FD": 1.0}}, **other, **common, display_interval=9)
    assert texts(the_table()) == {
        "sngan (architecture=resnet, n_dis=1)": ["1.00"],
        "sngan (architecture=cnn, n_dis=5)": ["2.50 ± 0.71"],
        "dcgan": ["5.00"],
    }


def test_what_equal_settings_trained_before_the_recipe_was_revised_stands_apart(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    before = [make("biggan", seed, {200: {"FD": 5.0}}) for seed in (0, 1)]
    after = [make("biggan", 0, {200: {"FD": 3.0}}, name="seed0-2")]
    for number, folders in ((0, before), (1, after)):
        for folder in folders:
            (folder / "environment.json").write_text(json.dumps({"revision": number}))
    titles = {"biggan (revision=1)": ["3.00"], "biggan (revision=none)": ["5.00 ± 0.00"]}
    assert texts(the_table()) == titles


def test_unfinished_runs_stand_apart_and_unscored_ones_have_dashes(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    make("dcgan", 0, {200: {"FD": 5.0}})
    make("dcgan", 1, {100: {"FD": 9.0}}, done=False)
    make("sngan", 0)
    make("wgan_gp", 0, {200: {"FD": 4.0}})
    make("wgan_gp", 1, log_lines=[])
    table = the_table()
    assert texts(table) == {
        "wgan_gp": ["4.00 (n=1)"],
        "dcgan": ["5.00"],
        "dcgan, unfinished": ["9.00"],
        "sngan": [NOTHING],
    }
    assert table.costs(table.rows[3])[:2] == ["1", "200"]
    assert table.costs(table.rows[0])[:2] == ["2", "0–200"]
    make("began", log_lines=[])
    assert the_table().costs(the_table().rows[-2])[2:] == [NOTHING, NOTHING]


def test_rate_is_the_median_and_hours_are_the_mean_of_a_row(
    make: Make, the_table: Tables, log: Log
) -> None:
    rates = [[100.0, 900.0, 1.0], [300.0, 310.0, 320.0]]
    for seed, values in enumerate(rates):
        written = log(3600, 7200, 10800 + 3600 * seed)
        for line, rate in zip(written, values, strict=True):
            line["images_per_second"] = rate
        make("dcgan", seed, log_lines=written)
    (row,) = the_table().rows
    assert row.images_per_second == np.median([np.median(values) for values in rates])
    assert row.hours == pytest.approx(np.mean([3, 4]))


def test_a_repeated_run_is_no_further_seed(make: Make, the_table: Tables, texts: Texts) -> None:
    make("dcgan", 0, {200: {"FD": 5.0}})
    make("dcgan", 0, {200: {"FD": 6.0}}, name="seed0-2", out="elsewhere", subset=None)
    make("dcgan", 0, name="seed0-3", gpu=1)
    table = the_table()
    assert texts(table) == {"dcgan": ["6.00"]}
    assert len(table.notes) == 2
    assert all("left out" in n and n.endswith("seed0-2 repeats it.") for n in table.notes)


def test_the_last_evaluation_counts_or_the_best_by_the_first_score(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    course = {100: {"FD": 4.0, "IS": 5.0}, 200: {"FD": 3.0, "IS": 4.0}, 300: {"FD": 6.0, "IS": 9.0}}
    make("dcgan", 0, course)
    assert texts(the_table()) == {"dcgan": ["6.00", "9.00"]}
    table = the_table(best=True)
    assert texts(table) == {"dcgan": ["3.00", "4.00"]}
    assert "best evaluation by FD" in table.caption
    assert table.costs(table.rows[0])[1] == "200"


def test_a_frechet_distance_comes_first_wherever_it_stands_in_the_file(
    make: Make, the_table: Tables
) -> None:
    names = ("IS10k", "FD-a10k-train", "precision", "FD-a10k-test")
    make("dcgan", 0, {100: dict.fromkeys(names, 2.0), 200: dict.fromkeys(names, 3.0)})
    table = the_table(best=True)
    assert [c.name for c in table.columns] == [names[1], names[3], names[0], names[2]]
    assert "best evaluation by FD-a10k-train" in table.caption
    assert table.costs(table.rows[0])[1] == "100"


def test_the_best_is_taken_among_comparable_evaluations(
    make: Make, the_table: Tables, texts: Texts, score: Score
) -> None:
    course = {100: {"IS": score(9.0, "old")}, 200: {"IS": 5.0}, 300: {"IS": 4.0}}
    make("dcgan", 0, course)
    assert texts(the_table(best=True)) == {"dcgan": ["5.00"]}


def test_who_was_trained_on_the_network_that_scores(
    make: Any, score: Any, the_table: Any, texts: Any
) -> None:
    """Said below; scores stay in the column that they share with others."""
    flattered, other = (
        score(3.0, trained_on="fashion 0a1b2c3d, vgg 1"),
        score(4.0, trained_on="vgg 1"),
    )
    make("projected", 0, {200: {"FD": flattered, "KID": score(1.0, "bbbb", extractor="inception")}})
    make("srgan", 0, {200: {"FD": other}})
    make("dcgan", 0, {200: {"FD": score(5.0)}})
    table = the_table()
    assert [cells[0] for cells in texts(table).values()] == ["3.00", "4.00", "5.00"]
    told = [note for note in table.notes if "trained on" in note]
    assert sorted(told) == [
        "projected was trained on features of fashion 0a1b2c3d, vgg 1, by which it is scored too: "
        "that flatters its FD.",
        "srgan was trained on features of vgg 1.",
    ]
    assert not any("trained_on" in words for words in table.protocols)

"""Columns hold scores of one protocol."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.columns import further, in_order
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.comparison.table import NOTHING, Column, Table

Make = Callable[..., Path]
Tables = Callable[..., Table]
Texts = Callable[[Table], dict[str, list[str]]]
Score = Callable[..., dict[str, Any]]


def test_two_protocols_in_a_column_are_refused_with_what_differs(
    make: Make, tmp_path: Path, the_table: Tables, texts: Texts, score: Score
) -> None:
    make("dcgan", 0, {200: {"FD": score(5.0, "aa", versions={"torch": "1"}, seed=1)}})
    changed = score(3.0, "bb", n_generated=50_000, settings={"k": 5}, versions={}, seed=2)
    make("sngan", 0, {200: {"FD": changed}})
    with pytest.raises(UserError) as caught:
        compare([tmp_path / "result"])
    message = str(caught.value)
    assert message.startswith("FD of ") and "give split=True for" in message
    assert "dcgan/seed0" in message and "sngan/seed0" in message
    assert "(n_generated: 10000 against 50000, k: 3 against 5)" in message
    table = the_table(split=True)
    assert table.headers[1:3] == [
        "FD (n_generated: 10000, k: 3) ↓",
        "FD (n_generated: 50000, k: 5) ↓",
    ]
    assert texts(table) == {"dcgan": ["5.00", NOTHING], "sngan": [NOTHING, "3.00"]}
    assert not [c for row in table.rows for c in row.cells if c and c.best]


def test_protocols_that_are_not_told_apart_by_a_field_are_by_their_hash(
    make: Make, tmp_path: Path, the_table: Tables, score: Score
) -> None:
    make("dcgan", 0, {200: {"FD": score(5.0, "aa")}})
    make("sngan", 0, {200: {"FD": score(3.0, "bb")}})
    with pytest.raises(UserError, match="protocol aa against bb"):
        compare([tmp_path / "result"])
    assert the_table(split=True).headers[1:3] == ["FD (aa) ↓", "FD (bb) ↓"]


def test_each_extractors_distance_has_a_column_of_its_own(
    make: Make, the_table: Tables, texts: Texts, score: Score
) -> None:
    names = {"inception": "FID10k-train", "dinov2": "FD-DINOv2-10k-train", "clip": "CMMD10k-train"}
    scores = {name: score(k, str(k), extractor=of) for k, (of, name) in enumerate(names.items(), 1)}
    make("dcgan", 0, {200: scores})
    table = the_table()
    assert table.headers[1:4] == [f"{name} ↓" for name in names.values()]
    assert texts(table) == {"dcgan": ["1.00", "2.00", "3.00"]}
    assert in_order(names.values(), ["fd-dinov2"]) == ["FD-DINOv2-10k-train"]
    assert in_order([*names.values(), "MMD-fashion10k-test"], ["cmmd"]) == [
        "CMMD10k-train",
        "MMD-fashion10k-test",
    ]


BY_CLASS = [
    "intra-FID10k-train",
    "class-precision10k-train",
    "class-recall10k-train",
    "class-accuracy10k",
    "CAS10k-test",
]
NAMES = ["IS10k", "FID10k-train", "FID50k-train", "KID10k-train", "FD-fashion10k-test", "recall10k"]


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ([], ["FID10k-train", "FID50k-train", "FD-fashion10k-test", *NAMES[:1], *NAMES[3:4]]),
        (["is", "fid"], ["IS10k", "FID10k-train", "FID50k-train", "FD-fashion10k-test"]),
        (["fid50k", "FID"], ["FID50k-train", "FID10k-train", "FD-fashion10k-test"]),
        (["FID1"], []),
        (["FID10k-train"], ["FID10k-train"]),
        (["FD-fashion"], ["FD-fashion10k-test"]),
        (["prdc", "kid"], ["recall10k", "KID10k-train"]),
        (["I"], []),
    ],
)
def test_words_mean_names_beginnings_and_metrics(choice: list[str], found: list[str]) -> None:
    assert in_order(NAMES, choice) == (found if choice else [*found, "recall10k"])


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("intra", BY_CLASS[:1]),
        ("class_pr", BY_CLASS[1:3]),
        ("class-recall", BY_CLASS[2:3]),
        ("class_accuracy", BY_CLASS[3:4]),
        ("cas", BY_CLASS[4:]),
        ("prdc", NAMES[5:]),
        ("fid", NAMES[1:3] + NAMES[4:5]),
    ],
)
def test_scores_by_class_have_words_of_their_own(word: str, found: list[str]) -> None:
    assert in_order([*BY_CLASS, *NAMES], [word]) == found
    # they do not rank before a distance of all classes
    assert in_order([*BY_CLASS, *NAMES])[0] == "FID10k-train"


def test_it_is_known_which_way_scores_by_class_are_better() -> None:
    better = [Column(name, "", {}).better for name in (*BY_CLASS, "intra-FD-fashion10k-train")]
    assert better == ["lower", "higher", "higher", "higher", "higher", "lower"]


STEPS = (1, 3, 10)
OF_FRAMES = [f"{name}-{k}" for name in ("MSE", "SSIM", "sharpness", "GDL") for k in STEPS]


def test_of_predicted_frames_those_of_the_first_and_the_last_are_shown_unless_asked_for() -> None:
    assert in_order([*OF_FRAMES, "SSIM"]) == [
        "MSE-1",
        "MSE-10",
        "sharpness-1",
        "sharpness-10",
        "SSIM",
    ]
    assert in_order(OF_FRAMES, ["mse-1", "gdl"]) == ["MSE-1", *OF_FRAMES[9:]]
    hidden = ["MSE-3", *OF_FRAMES[3:6], "sharpness-3", *OF_FRAMES[9:]]
    assert further(["L1", *OF_FRAMES, "MSE-3"]) == hidden


def test_the_best_sharpness_is_that_of_the_truth(
    make: Make, the_table: Callable[..., Table]
) -> None:
    scores = {"MSE-1": 0.5, "sharpness-1": 0.8, "GDL-1": 0.3}
    make("dcgan", scores={100: scores})
    make("sngan", scores={100: {"MSE-1": 0.6, "sharpness-1": 1.1, "GDL-1": 0.2}})
    make("wgan", scores={100: {"MSE-1": 0.7, "sharpness-1": 1.4, "GDL-1": 0.4}})
    table = the_table(choice=["sharpness", "mse", "gdl"])
    assert [column.header for column in table.columns] == ["sharpness-1 →1", "MSE-1 ↓", "GDL-1 ↓"]
    assert [row.algorithm for row in table.rows] == ["sngan", "dcgan", "wgan"]
    best = [[cell.best for cell in row.cells if cell] for row in table.rows]
    assert best == [[True, False, True], [False, True, False], [False, False, False]]
    (note,) = the_table().notes
    assert note == "--columns shows further scores: GDL-1."


def test_the_best_evaluation_is_the_one_nearest_to_the_truths_sharpness(
    make: Make, the_table: Callable[..., Table]
) -> None:
    make(scores={100: {"sharpness-1": 1.3}, 200: {"sharpness-1": 1.1}, 300: {"sharpness-1": 0.7}})
    (row,) = the_table(best=True).rows
    assert row.iterations == [200]


def test_columns_are_those_chosen_in_their_order_and_the_first_ranks(
    make: Make, the_table: Callable[..., Table]
) -> None:
    make("dcgan", scores={100: {"FD": 1.0, "IS": 2.0, "recall": 0.1}})
    make("sngan", scores={100: {"FD": 2.0, "IS": 3.0, "recall": 0.2}})
    assert [column.name for column in the_table().columns] == ["FD", "IS", "recall"]
    table = the_table(choice=["IS", "FD"])
    assert [column.name for column in table.columns] == ["IS", "FD"]
    assert [row.algorithm for row in table.rows] == ["sngan", "dcgan"]


def test_the_evaluation_that_counts_has_a_score_of_the_choice(
    make: Make, the_table: Callable[..., Table]
) -> None:
    make(scores={100: {"FD": 1.0, "IS": 4.0}, 200: {"FD": 2.0, "IS": 3.0}, 300: {"recall": 0.1}})
    ((row,), (best,)) = (the_table(choice=["IS"], best=b).rows for b in (False, True))
    assert (row.iterations, row.cells[0] and row.cells[0].mean) == ([200], 3.0)
    assert (best.iterations, best.cells[0] and best.cells[0].mean) == ([100], 4.0)


def test_what_is_not_shown_may_be_of_any_protocol(
    make: Make, score: Callable[..., dict[str, Any]], the_table: Callable[..., Table]
) -> None:
    make("dcgan", scores={100: {"FD": 1.0, "IS": score(2.0, "aa")}})
    make("sngan", scores={100: {"FD": 2.0, "IS": score(3.0, "bb", n_generated=7)}})
    with pytest.raises(UserError, match="cannot share a column"):
        the_table()
    assert [column.name for column in the_table(choice=["FD"]).columns] == ["FD"]


def test_an_unknown_word_is_refused_with_the_nearest(make: Make, tmp_path: Path) -> None:
    make(scores={100: {"FD-fashion10k-train": 1.0}})
    make("other", dataset="more", scores={100: {"IS": 1.0}})
    folders = [tmp_path / "result"]
    tables = compare(folders, choice=["IS"])
    assert [len(table.columns) for table in tables] == [1, 0]
    assert tables[1].caption == "No run has such scores."
    with pytest.raises(UserError, match="score 'FD-fasion'. Did you mean 'FD-fashion10k-train'"):
        compare(folders, choice=["FD-fasion"])

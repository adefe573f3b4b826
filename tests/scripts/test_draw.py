"""scripts/draw.py: rows of methods, films of grids and of roll-outs, translations, canvases."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import ganlib
from ganlib.common.ada import GROUPS
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.query import open_dataset
from ganlib.runs.tables import open_table, record
from scripts import draw
from scripts.draw import HEIGHT, LAST, LINE, NAME, SAMPLES, STILL

QUIET: dict[str, Any] = {"gpu": -1, "evaluation_interval": 0, "tensorboard": False}
SMALL: dict[str, Any] = QUIET | {
    "width": 0.05,
    "batch_size": 4,
    "max_iter": 6,
    "adam_alpha": 0.05,
    "sample_interval": 0,
    "evaluation_interval": 6,
    "evaluation_images": 100,
    "extractor": "fashion",
}
GROWING: dict[str, Any] = QUIET | {
    "algorithm": "progressive",
    "architecture": "quick",
    "width": 0.1,
    "batch_size": 4,
    "stage_images": 4,
    "last_images": 8,
    "sample_interval": 2,
    "display_interval": 1,
}
PREDICTING: dict[str, Any] = QUIET | {
    "algorithm": "pgn",
    "width": 0.05,
    "batch_size": 4,
    "max_iter": 1,
    "workers": 0,
    "sample_interval": 0,
}
TRANSLATING: dict[str, Any] = QUIET | {
    "algorithm": "srgan",
    "blocks": 1,
    "dataset": "emoji",
    "source": "low-resolution:4",
    "max_iter": 1,
    "width": 0.1,
}
PAST, NEXT = 3, 10


def call(*arguments: object) -> Result:
    return CliRunner().invoke(draw.command, [*map(str, arguments)])


def run(out: Path, **settings: Any) -> Path:
    assert ganlib.train(**settings, out=out).out == out
    return out


# --- methods


@pytest.mark.filterwarnings("ignore:.* too few for the")
def test_a_row_for_each_of_a_table_by_its_best_trial(toy_file: Path, tmp_path: Path) -> None:
    rows = {"dcgan": {}, "lsgan": {"search": {}}, "wgan": {}}
    settings = {**SMALL, "dataset": str(toy_file)}
    table = {"title": "Toys", "score": "FD-fashion100-train", "settings": settings, "trials": 2}
    table |= {"search": {"width": "0.05,0.1"}, "rows": rows}
    (tmp_path / "toys.yaml").write_text(json.dumps(table))
    found = open_table(str(tmp_path / "toys.yaml"))
    with pytest.raises(UserError, match="has no result of 'FD-fashion100-train'"):
        draw.method_rows(found, tmp_path)
    tasks = [*found.tasks("dcgan", 0, 2), *found.tasks("lsgan", 0, 2)]
    for task, score in zip(tasks, (3.0, 1.0, 2.0), strict=True):
        own = task.settings.flat()
        out = run(tmp_path / task.name, algorithm=task.row, **settings | {"width": own["width"]})
        record(found.results, task, out)
        lines = found.results.read_text().splitlines()
        lines[-1] = re.sub(r'("values":)[^"]*\]\]', rf"\1[[6,{score}]]", lines[-1])
        found.results.write_text("".join(f"{line}\n" for line in lines))
    rows_drawn = [np.asarray(row.convert("L")) for row in draw.method_rows(found, tmp_path)]
    for pixels, task in zip(rows_drawn, (tasks[1], tasks[2]), strict=True):
        assert pixels[:, :NAME].min() < 128  # something is written
        wanted = draw.named_row("", ganlib.load(tmp_path / task.name).sample(12, seed=0)).convert(
            "L"
        )
        assert (pixels[:, NAME:] == np.asarray(wanted)[:, NAME:]).all()
        assert pixels.shape[0] == HEIGHT and pixels.shape[1] > NAME + SAMPLES * 20


def test_a_long_name_is_folded_and_leaves_its_room() -> None:
    title = "projected_gan with EfficientNet-Lite0 0.116"
    row = draw.named_row(title, torch.zeros(SAMPLES, 3, 8, 8)).convert("L")
    ink = np.asarray(row)[:, :NAME] < 128
    assert ink.any(1)[: HEIGHT // 2].any() and ink.any(1)[HEIGHT // 2 :].any()
    assert not ink[:, -8:].any()


# --- growing


def test_a_frame_for_each_grid_with_words_above(toy_file: Path, tmp_path: Path) -> None:
    folder = run(tmp_path / "run", dataset=str(toy_file), **GROWING)
    frames = draw.growing_film(folder)
    iterations = [0, 2, 4, 6, 8]
    assert len(frames) == len(iterations) + LAST
    for picture, iteration in zip(frames, iterations, strict=False):
        assert picture.width == draw.GROWING_WIDTH
        words = np.asarray(picture)[:LINE]
        assert words.min() < 128 < words.max()
        with Image.open(folder / f"samples/{iteration:07d}.png") as grid:
            half = np.asarray(grid.convert("L"), float)[: grid.height // 2]
        shown = np.asarray(picture.convert("L"), float)[LINE:]
        assert shown.mean() == pytest.approx(half.mean(), rel=0.02)
    for part in (slice(LINE), slice(LINE, None)):  # the last one stands
        assert len({np.asarray(f)[part].tobytes() for f in frames}) == len(iterations)


def test_a_folder_without_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run with samples"):
        draw.growing_film(tmp_path)


# --- roll-outs


def write_sequences(path: Path, seed: int) -> Path:
    """Pairs of three noisy frames and the ten that came."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(256, (8, PAST + NEXT, 16, 16), generator=random).byte()
    data = DataSet("noise", x[:, PAST:], source=x[:, :PAST], frames=NEXT, source_frames=PAST)
    write_hdf5(path, data)
    return path


def test_each_run_has_a_column_and_what_came_the_last(tmp_path: Path) -> None:
    data, other = (write_sequences(tmp_path / f"{k}.h5", k) for k in range(2))
    first, second = (
        run(tmp_path / f"run{k}", dataset=str(data), seed=k, **PREDICTING) for k in range(2)
    )
    frames = draw.rollout_film([first, second], ["first", "second", "what came"], 2)
    assert len(frames) == PAST + NEXT + 2 * (STILL - 1)
    pictures = [np.asarray(frame.convert("L"))[LINE:] for frame in frames]
    assert {np.asarray(frame)[:LINE].min() < 128 for frame in frames} == {True}
    cells = [np.array_split(picture[:, 4:-4], 3, 1) for picture in pictures]
    past, ahead = cells[STILL], cells[STILL + PAST]
    assert np.array_equal(past[0], past[1]) and np.array_equal(past[1], past[2])
    assert not np.array_equal(ahead[0], ahead[1]) and not np.array_equal(ahead[1], ahead[2])

    out = tmp_path / "film.gif"
    answer = call("rollouts", out, first, "--titles", "a", "--rows", 1)
    assert answer.exit_code == 0, answer.exception
    with Image.open(out) as written:
        assert getattr(written, "n_frames", 1) == PAST + NEXT  # those that stand are one each

    answer = call("rollouts", out, first, second, "--titles", "one")
    assert answer.exit_code == 2 and "--titles are 1, and there are 2 runs" in answer.output
    third = run(tmp_path / "other", dataset=str(other), **PREDICTING)
    with pytest.raises(UserError, match="not of the same sequences"):
        draw.rollout_film([first, third], ["a", "b", "c"], 1)


def test_what_predicts_nothing_is_named(tmp_path: Path, toy_file: Path) -> None:
    settings = {**PREDICTING, "algorithm": "dcgan", "dataset": str(toy_file)}
    with pytest.raises(UserError, match="predicts no frames"):
        draw.rollout(run(tmp_path / "run", **settings))


# --- translations, wardrobe


def test_a_block_for_each_run(tmp_path: Path) -> None:
    runs = [run(tmp_path / f"run{seed}", seed=seed, **TRANSLATING) for seed in (0, 1)]
    out = tmp_path / "p.png"
    answer = call("translations", out, *runs, "--rows", 2, "--across", 3)
    assert answer.exit_code == 0, answer.exception
    with Image.open(out) as picture:
        assert picture.size == (3 * (3 * 66 + 16) - 18, 2 * (28 + 2 * 66 - 2) + 12)


def test_canvases_stand_above_their_maps() -> None:
    picture = np.asarray(draw.wardrobe())
    size, step = draw.CANVAS, draw.CANVAS + 2
    columns = picture[:, 2 + step : 2 + step + size]
    canvas, classes, instances = (columns[2 + k * step :][:size] for k in range(3))
    x = open_dataset("wardrobe", None, "test", size).x[torch.tensor([1])][0]
    assert np.array_equal(canvas, x.permute(1, 2, 0).numpy())
    ground = (classes == 48).all(-1)
    assert ground.any() and np.array_equal(ground, (instances == 48).all(-1))
    assert not np.array_equal(classes, instances)


def test_each_group_has_a_row_of_the_same_images() -> None:
    rows = [np.asarray(row)[:, NAME:] for row in draw.augmentations()]
    assert len(rows) == 2 + len(GROUPS) and len({row.tobytes() for row in rows}) == len(rows)
    first = open_dataset("emoji", None, "test", None).x[0].permute(1, 2, 0)
    assert abs(rows[0][:, :HEIGHT].mean() - first.double().mean()) < 15

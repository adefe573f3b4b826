"""scripts/draw_rollouts.py: runs beside each other, and what came."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner
from PIL import Image

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.formats.hdf5 import write_hdf5
from scripts.draw_rollouts import LINE, STILL, film, main

RUN: dict[str, Any] = {
    "algorithm": "pgn",
    "width": 0.05,
    "batch_size": 4,
    "max_iter": 1,
    "gpu": -1,
    "workers": 0,
    "sample_interval": 0,
    "evaluation_interval": 0,
    "tensorboard": False,
}
PAST, NEXT = 3, 10


def write_sequences(path: Path, seed: int) -> None:
    """Pairs of three noisy frames and the ten that came."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(256, (8, PAST + NEXT, 16, 16), generator=random).byte()
    data = DataSet("noise", x[:, PAST:], source=x[:, :PAST], frames=NEXT, source_frames=PAST)
    write_hdf5(path, data)


def run(path: Path, data: Path, seed: int) -> Path:
    model = ganlib.train(**RUN, dataset=str(data), out=path, seed=seed)
    assert model.out is not None
    return model.out


def test_each_run_has_a_column_and_what_came_the_last(tmp_path: Path) -> None:
    write_sequences(tmp_path / "s.h5", 0)
    first, second = (run(tmp_path / f"run{k}", tmp_path / "s.h5", k) for k in range(2))
    frames = film([first, second], ["first", "second", "what came"], 2)
    assert len(frames) == PAST + NEXT + 2 * (STILL - 1)
    pictures = [np.asarray(frame.convert("L"))[LINE:] for frame in frames]
    assert {np.asarray(frame)[:LINE].min() < 128 for frame in frames} == {True}
    cells = [np.array_split(picture[:, 4:-4], 3, 1) for picture in pictures]
    past, ahead = cells[STILL], cells[STILL + PAST]
    assert np.array_equal(past[0], past[1]) and np.array_equal(past[1], past[2])
    assert not np.array_equal(ahead[0], ahead[1]) and not np.array_equal(ahead[1], ahead[2])

    out = tmp_path / "film.gif"
    answer = CliRunner().invoke(main, [str(out), str(first), "--titles", "a", "--rows", "1"])
    assert answer.exit_code == 0, answer.output
    with Image.open(out) as written:
        assert getattr(written, "n_frames", 1) == PAST + NEXT  # those that stand are one each

    write_sequences(tmp_path / "other.h5", 1)
    other = run(tmp_path / "other", tmp_path / "other.h5", 0)
    for runs, words in (
        ([first, other], "not of the same sequences"),
        ([first, second, "--titles", "one"], "--titles are 1, and there are 2 runs"),
    ):
        answer = CliRunner().invoke(main, [str(out), *map(str, runs)])
        assert answer.exit_code and words in answer.output


def test_what_predicts_nothing_is_named(tmp_path: Path, toy_file: Path) -> None:
    settings = {**RUN, "algorithm": "dcgan", "dataset": str(toy_file)}
    model = ganlib.train(**settings, out=tmp_path / "run")
    answer = CliRunner().invoke(main, [str(tmp_path / "a.gif"), str(model.out)])
    assert answer.exit_code and "predicts no frames" in answer.output

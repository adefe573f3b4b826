"""What a roll-out is scored by: against videos of one's own, and by a method that only says how."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.contract.fixtures import small_updater
from ganlib.evaluation.protocol import BASELINES
from ganlib.training.scores.predictions import frame_names, frame_scores, predicts
from ganlib.training.scores.scorer import Drawing

PAST, LENGTH = 3, 16

pytestmark = pytest.mark.usefixtures("small_methods")


def sliding(frames: int = 1, channels: int = 1, videos: int = 3) -> DataSet:
    """Every pair of noisy pictures that slide by a pixel a frame, of some videos."""
    random = torch.Generator().manual_seed(1)
    first = torch.randint(256, (videos, channels, 16, 16), generator=random).byte()
    x, source = [], []
    for picture in first:
        video = torch.stack([picture.roll(t, 2) for t in range(LENGTH)])
        for t in range(LENGTH - PAST - frames + 1):
            source.append(video[t : t + PAST].flatten(0, 1))
            x.append(video[t + PAST : t + PAST + frames].flatten(0, 1))
    sources = torch.stack(source)
    return DataSet("sliding", torch.stack(x), source=sources, frames=frames, source_frames=PAST)


def scores_of(updater: Any, told: list[Any] | None = None) -> dict[str, Any]:
    def progress(*how: Any) -> None:
        if told is not None:
            told.append(how)

    return frame_scores(updater, Drawing(), progress)


@pytest.mark.parametrize("name", ["pgn", "frames"])
@pytest.mark.parametrize("frames", [1, 3, 10])
def test_scores_by_hand(name: str, frames: int) -> None:
    """Of as many frames as follow a pair, in it or in later ones, by the moving average."""
    data = sliding(frames)
    updater = small_updater(name, data=data, ema_decay=0.5)
    for _ in range(3):
        updater.update()
    told: list[Any] = []
    found = scores_of(updater, told)
    assert list(found) == frame_names(updater)
    assert list(found)[:4] == ["MSE-1", "MSE-3", "MSE-10", "SSIM-1"] and len(found) == 12
    assert told[0] == ("sequences", 0, len(data))
    assert told[-1] == ("sequences", len(data), len(data))
    per_video = LENGTH - PAST - frames + 1
    average: Any = updater.average
    for step in (1, 3, 10):
        errors, copies = [], []
        for i in range(len(data)):
            if i % per_video + PAST + step > LENGTH:
                continue
            y = data.source[i : i + 1]  # type: ignore[index]
            newest = y[0, -1]
            with torch.no_grad():
                x = updater.roll_out(average, y / 127.5 - 1, step)[0, -1]
            truth = newest.roll(step, 1).numpy() / 255
            output = np.rint((x.numpy() + 1) * 127.5) / 255
            errors.append(((output - truth) ** 2).mean())
            copies.append(((newest.numpy() / 255 - truth) ** 2).mean())
        score = found[f"MSE-{step}"]
        assert score.value == pytest.approx(np.mean(errors), rel=1e-4)
        assert score.more[BASELINES] == {"last frame": pytest.approx(np.mean(copies), rel=1e-6)}
        assert score.protocol.n_generated == len(errors)
        assert found[f"sharpness-{step}"].more[BASELINES]["last frame"] > 0.9


def test_frames_that_nobody_knows_are_not_scored() -> None:
    data = sliding(frames=3)
    alone = replace(data, x=data.x[::5], source=data.source[::5])  # type: ignore[index]
    updater = small_updater("pgn", data=alone)
    assert {name.rpartition("-")[2] for name in scores_of(updater)} == {"1", "3"}
    assert "MSE-3" in frame_names(updater) and "MSE-10" not in frame_names(updater)


def test_at_most_so_many_sequences_evenly_out_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data, few = sliding(), 10
    monkeypatch.setattr("ganlib.training.scores.predictions.SEQUENCES", few)
    found = scores_of(small_updater("frames", data=data))["MSE-1"]
    which = [len(data) * k // few for k in range(few)]
    assert which[:4] == [0, 3, 7, 11] and found.protocol.n_generated == few
    last = data.source[torch.tensor(which)][:, -1:].double() / 255  # type: ignore[index]
    copied = ((last - data.x[torch.tensor(which)] / 255) ** 2).mean()
    assert found.more[BASELINES]["last frame"] == pytest.approx(float(copied))
    monkeypatch.setattr("ganlib.training.scores.predictions.SEQUENCES", few + 1)
    more = scores_of(small_updater("frames", data=data))["MSE-1"]
    assert more.protocol.hash != found.protocol.hash


def test_what_predicts_nothing_has_no_such_scores() -> None:
    for name in ("gan", "superres", "unpaired"):
        updater = small_updater(name)
        assert not predicts(updater)
        assert frame_names(updater) == [] and scores_of(updater) == {}

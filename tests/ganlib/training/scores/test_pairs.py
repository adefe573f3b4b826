"""Translations of held-out sources, compared with the images that belong to them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from two_ranks import two_ranks

from ganlib.common.data.spec import DataSet, resize_pixels
from ganlib.common.generator import has_noise
from ganlib.common.sources.unpaired import with_unpaired
from ganlib.evaluation import Score
from ganlib.evaluation.pairs import segmenter
from ganlib.evaluation.pairs.sums import exact
from ganlib.evaluation.protocol import BASELINES
from ganlib.training.extensions.sample_grid import shows_translations, translations
from ganlib.training.scores.pairs import PairScores, has_pairs, several
from ganlib.training.scores.scorer import Drawing

Make = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("small_methods")


def psnr(x: Tensor, y: Tensor) -> float:
    mse = ((x.double() - y.double()) ** 2).mean((1, 2, 3)).numpy()
    return float(np.mean(10 * np.log10(255**2 / mse)))


def scores_of(pairs: PairScores, drawing: Drawing, *progress: Any) -> dict[str, Score]:
    pairs.prepare(*progress)
    for _ in pairs.compared(drawing):
        pass
    return pairs.scores(drawing, *progress)


def test_every_held_out_source_counts_once(make_updater: Make) -> None:
    updater = make_updater("superres", 3, 16)
    data = updater.held_out.data
    pairs = PairScores(updater, data.x)
    scores = scores_of(pairs, Drawing(1000, 7, batch_size=5))
    assert len(data) == 32
    # in the data's own order, without a stream
    made = updater.decode(torch.empty(32, 0), data.source / 127.5 - 1)
    assert scores["PSNR"].value == pytest.approx(psnr(exact(made), data.x), rel=1e-5)
    beside = scores["PSNR"].more[BASELINES]
    assert beside["bicubic"] == pytest.approx(psnr(resize_pixels(data.source, (16, 16)), data.x))
    mean = data.x.double().mean(0, keepdim=True).round().expand(32, -1, -1, -1)
    assert beside["mean image"] == pytest.approx(psnr(mean, data.x))
    assert list(scores) == pairs.names == ["L1", "PSNR", "SSIM", "PSNR-Y"]
    assert scores["L1"].protocol.n_generated == 32


def test_ranks_together_score_what_one_does(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("dropped", 3, 16, statistics="running")
    train = updater.held_out.data.x
    drawing = Drawing(30, batch_size=8)
    alone = scores_of(PairScores(updater, train), drawing)
    halves = [PairScores(updater, train) for _ in range(2)]
    for rank, pairs in enumerate(halves):
        pairs.prepare()
        for _ in pairs.compared(drawing, rank, world=2):
            pass
    others = list(halves[1]._sums.values())

    def all_gather_object(every: list[Any], own: Any) -> None:
        other = others.pop(0)
        every[:] = own, (other.n, other._batches)

    monkeypatch.setattr("torch.distributed.all_gather_object", all_gather_object)
    together = halves[0].scores(drawing, world=2)
    assert {name: score.value for name, score in together.items()} == {
        name: score.value for name, score in alone.items()
    }
    assert together["L1"].more == alone["L1"].more


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Segmenters learn for five steps, and are kept for one test."""
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    real = segmenter.trained
    monkeypatch.setattr(segmenter, "trained", lambda *args: real(*args, steps=5))


def by_hand(found: Tensor, maps: Tensor, classes: tuple[str, ...]) -> dict[str, float]:
    """The IoU of each class by sets of pixels."""
    values = {}
    for k, name in enumerate(classes):
        here, there = (set(np.flatnonzero(x.numpy() == k)) for x in (found, maps))
        if here | there:
            values[name] = len(here & there) / len(here | there)
    return values


@pytest.mark.usefixtures("short")
def test_a_segmenter_is_asked_about_outputs_and_the_images_of_the_same_maps(
    make_updater: Make,
) -> None:
    updater = make_updater("labelmap", 1, 16)
    data = updater.held_out.data
    pairs = PairScores(updater, data.x, lessons=data)
    assert pairs.names[-2:] == ["pixel_accuracy", "mean_iou"] and pairs.segmenter is None
    for _ in range(2):  # the second time, real images are not counted again
        scored = scores_of(pairs, Drawing(9, 3, batch_size=4))
    assert list(scored) == pairs.names
    stream, find = updater.sample_stream(3), pairs.segmenter
    index = stream.held(range(9))
    assert find is not None and index.tolist() != list(range(9))
    maps, output = data.source[index][:, 0], exact(stream.images(range(9)))
    for more, x in (
        (scored["mean_iou"].more, output),
        (scored["mean_iou"].more["real"], data.x[index]),
    ):
        values = {name: row["value"] for name, row in more["by_class"].items()}
        assert values == pytest.approx(by_hand(find(x), maps, data.classes))
        pixels = {name: row["n"] for name, row in more["by_class"].items()}
        assert pixels == {name: int((maps == k).sum()) for k, name in enumerate(data.classes)}
    assert scored["mean_iou"].value == pytest.approx(
        np.mean(list(by_hand(find(output), maps, data.classes).values()))
    )
    right = (find(data.x[index]) == maps).double().mean()
    assert scored["pixel_accuracy"].more == {"real": {"value": pytest.approx(float(right))}}


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_two_ranks_train_one_segmenter_and_find_what_one_does(tmp_path: Path) -> None:
    worker = Path(__file__).with_name("pairs_worker.py")
    found = two_ranks(worker, tmp_path / "meeting")
    assert found["trainings"] == [1, 0]
    assert found["together"] == found["alone"]
    assert found["together"]["mean_iou"]["protocol"]["n_generated"] == 30


def test_diversity_is_of_generators_with_noise(make_updater: Make) -> None:
    updater = make_updater("dropped", 3, 16, statistics="running")
    assert has_noise(updater.sampling_gen) and not has_noise(
        make_updater("superres", 3, 16).sampling_gen
    )
    pairs = PairScores(updater, updater.held_out.data.x)
    told = {}
    scores = scores_of(pairs, Drawing(32, 3), lambda *now: told.update({now[0]: now[1:]}))
    n = len(updater.held_out.data)
    assert told == dict.fromkeys(("reading truths", "mean image", "several outputs"), (n, n))
    x = exact(several(updater.sample_stream(3), 32, 4)).numpy().astype(float)
    wanted = np.mean([np.abs(x[:, i] - x[:, j]).mean() for i in range(4) for j in range(i)])
    assert wanted > 1
    assert scores["diversity"].value == pytest.approx(wanted)
    assert scores["diversity"].protocol.settings["outputs"] == 4
    assert pairs.names == list(scores)


def test_diversity_is_of_the_statistics_that_its_protocol_names(make_updater: Make) -> None:
    updater = make_updater("dropped", 3, 16, statistics="running")
    scores = scores_of(PairScores(updater, updater.held_out.data.x), Drawing(32, 3))
    batch = Drawing(32, 3, statistics="batch", truncation=0.5)
    others = scores_of(PairScores(updater, updater.held_out.data.x), batch)
    x = (
        exact(several(updater.sample_stream(3, 0.5, statistics="batch"), 32, 4))
        .numpy()
        .astype(float)
    )
    wanted = np.mean([np.abs(x[:, i] - x[:, j]).mean() for i in range(4) for j in range(i)])
    assert others["diversity"].value == pytest.approx(wanted)
    assert abs(others["diversity"].value - scores["diversity"].value) > 0.01
    assert others["diversity"].protocol.bn_mode != scores["diversity"].protocol.bn_mode


def test_outputs_for_one_source_differ_and_follow_from_the_seed(make_updater: Make) -> None:
    updater = make_updater("dropped", 3, 16, statistics="running")
    x = several(updater.sample_stream(0), 20, 3)
    assert torch.equal(x, several(updater.sample_stream(0), 20, 3))
    assert not torch.equal(x, several(updater.sample_stream(1), 20, 3))
    assert (x[:, 0] != x[:, 1]).flatten(1).any(1).all()


def test_sets_of_which_none_belong_together_have_no_pairs(make_updater: Make) -> None:
    updater = make_updater("unpaired", 3, 16)
    assert not has_pairs(updater) and not has_pairs(make_updater("gan"))
    data: DataSet = updater.held_out.data
    same = replace(data, source=data.x[:, :1])
    assert same.paired and not data.paired
    assert not with_unpaired(same, replace(same, name="other")).paired
    updater.held_out = updater.held_out.over(same)  # by which an unpaired method may be judged
    assert has_pairs(updater)


@pytest.mark.parametrize(("name", "title"), [("superres", "output"), ("dropped", "outputs")])
def test_the_grid_shows_sources_outputs_and_truths(
    name: str, title: str, make_updater: Make
) -> None:
    updater = make_updater(name, 3, 16)
    columns = translations(updater.sample_stream(5), 6)
    assert list(columns) == ["source", title, "truth"]
    index = updater.sample_stream(5).held(range(6))
    assert torch.equal(columns["truth"], updater.held_out.data.x[index] / 127.5 - 1)
    first = columns[title] if title == "output" else columns[title][:, 0]
    assert first.shape == columns["truth"].shape == columns["source"].shape
    side = updater.spec.source[1]
    squares = columns["source"].unflatten(2, (side, -1)).unflatten(4, (side, -1))
    sources = updater.held_out.data.source[index] / 127.5 - 1
    assert torch.equal(squares[:, :, :, 0, :, 0], sources)


def test_without_truths_none_are_shown_and_maps_are_coloured(make_updater: Make) -> None:
    unpaired = make_updater("unpaired", 3, 16)
    assert list(translations(unpaired.sample_stream(0), 4)) == ["source", "output"]
    columns = translations(make_updater("labelmap", 3, 16).sample_stream(0), 4)
    assert columns["source"].shape == (4, 3, 16, 16)
    assert not shows_translations(make_updater("frames", 3, 16))
    assert not shows_translations(make_updater("gan"))

"""The small methods on the machine's other roads: several ranks, bfloat16, export, evaluation; and
the library's on several ranks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_methods import NAMES
from two_ranks import several_ranks, two_ranks

from ganlib.contract.fixtures import small_updater
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.registry import algorithms
from ganlib.sampling.exports.export import load_export, write_card, write_weights
from ganlib.sampling.model import Model
from ganlib.speed.accelerate import compute_in_bf16, train_in_bf16
from ganlib.training.scores.scorer import origin_of

Make = Callable[..., Any]

TOLD = ["sngan_projection", "pix2pix", "cyclegan"]
"""Of labels and with spectral norms, of pairs, and with pools; the others are in test-all."""
OF_BATCHES = ["dragan", "improved_gan", "minibatch_discrimination"]
"""Whose losses are no means over samples."""
TWO_RANKS = [*NAMES, *TOLD, *OF_BATCHES]
WORKER = Path(__file__).with_name("rank_worker.py")
DRAWN = {"adaptive", "styled"}
"""Whose augmentation or pixel noise is drawn for a share, and which are not compared."""


@pytest.fixture(scope="module")
def of_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What rank_worker.py prints of two updates by two ranks, after which one goes on."""
    meeting = tmp_path_factory.mktemp("ranks") / "meeting"
    return two_ranks(WORKER, meeting, "[[2, 2], [1, 1]]", *TWO_RANKS)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", TWO_RANKS)
def test_two_ranks_and_one_that_goes_on_are_one_process(
    algorithm: str, of_two_ranks: dict[str, Any]
) -> None:
    check(algorithm, of_two_ranks)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_four_ranks_then_two_then_one_are_one_process(tmp_path: Path) -> None:
    """Of every method: stages, image pools, labels, sequences, translators, running sums."""
    names = sorted({*algorithms.names(), *NAMES})
    plan = "[[4, 2], [2, 2], [1, 1]]"
    found = several_ranks(4, WORKER, tmp_path / "meeting", plan, *names)
    for name in names:
        check(name, found)


def check(algorithm: str, results: dict[str, Any]) -> None:
    """To the last bit with one another, to rounding with one process."""
    found = results[algorithm]
    assert not found["ranks differ"]
    assert found.get("from one process", 1) < 1e-10 or algorithm in DRAWN, (algorithm, found)


@pytest.mark.parametrize("algorithm", NAMES)
def test_bfloat16_trains_and_samples_in_float32(algorithm: str) -> None:
    updater = small_updater(algorithm)
    for network in updater.trained.values():
        train_in_bf16(network)
    for network in updater.frozen.networks.values():
        compute_in_bf16(network)
    observation = [updater.update() for _ in range(2)][-1]
    updater.check_finite()
    assert all(value.dtype == torch.float32 for value in observation.values())
    images = next(updater.sample(3, seed=0))
    assert images.dtype == torch.float32 and images.isfinite().all()


@pytest.mark.parametrize("algorithm", NAMES)
def test_an_export_samples_as_the_run_does(algorithm: str, tmp_path: Path) -> None:
    updater = small_updater(algorithm, ema_decay=0.9)
    updater.to(memory_format=torch.channels_last)  # as an export is
    updater.update()
    settings = {"algorithm": algorithm, **updater.config.model_dump(mode="json")}
    model = Model(updater, settings, tmp_path, updater.images)
    weights = tmp_path / "generator.safetensors"
    write_weights(model, weights)
    write_card(model, tmp_path / "model_card.json", weights)
    exported = load_export(tmp_path)
    exported.updater.held_out = updater.held_out
    # its weights lie in another order in memory, and so sums have other last bits
    torch.testing.assert_close(exported.sample(5, seed=1), model.sample(5, seed=1))


@pytest.mark.filterwarnings("ignore:16 images are too few")
@pytest.mark.parametrize("algorithm", NAMES)
def test_samples_are_scored(algorithm: str) -> None:
    updater = small_updater(algorithm)
    updater.update()
    evaluator = Evaluator(make_extractor("fashion", "cpu"), {"train": updater.data.data.x})
    scores = evaluator(updater.sample(16, seed=0), ("fid",), 16, origin_of(updater, 0)).scores
    values = [score.value for score in scores.values()]
    assert values and all(value > 0 for value in values)

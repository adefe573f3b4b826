"""The small methods on the machine's other roads: two ranks, bfloat16, export, evaluation; and the
library's that are told something on two ranks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_methods import NAMES
from two_ranks import two_ranks

from ganlib.contract.fixtures import small_updater
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.registry import algorithms
from ganlib.sampling.exports.export import load_export, write_card, write_weights
from ganlib.sampling.model import Model
from ganlib.speed.accelerate import compute_in_bf16, train_in_bf16
from ganlib.training.scores.scorer import origin_of

Make = Callable[..., Any]

CONDITIONS = ("labels", "images", "unpaired")
TOLD = [n for n in algorithms.names() if algorithms[n].config.condition in CONDITIONS]
ROUNDING = {"cyclegan": 1e-8}
"""A bias before its norms has a gradient of rounding errors alone, by whose size Adam divides."""
TWO_RANKS = [*NAMES, *(name for name in TOLD if name not in NAMES)]


@pytest.fixture(scope="module")
def of_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What rank_worker.py prints."""
    meeting = tmp_path_factory.mktemp("ranks") / "meeting"
    return two_ranks(Path(__file__).with_name("rank_worker.py"), meeting, *TWO_RANKS)


@pytest.mark.parametrize("algorithm", TWO_RANKS)
def test_two_ranks_agree_and_are_one_process(algorithm: str, of_two_ranks: dict[str, Any]) -> None:
    """To the last bit with one another, to rounding with one process."""
    found = of_two_ranks[algorithm]
    assert not found["ranks differ"]
    assert found.get("from one process", 0) < ROUNDING.get(algorithm, 1e-10)


def test_two_ranks_with_labels_are_compared_with_one_process(
    of_two_ranks: dict[str, Any],
) -> None:
    assert {"labelled", "cgan", "cyclegan"} <= {
        n for n in of_two_ranks if "from one process" in of_two_ranks[n]
    }


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

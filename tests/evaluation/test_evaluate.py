import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from two_ranks import two_ranks

from ganlib import evaluation
from ganlib.common.errors import UserError
from ganlib.common.query import open_dataset
from ganlib.evaluation.evaluate import METRICS, Evaluator
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.evaluation.formats import BLOCK, as_uint8, blocks
from ganlib.evaluation.metrics.base import counted
from ganlib.evaluation.metrics.fid import counts
from ganlib.evaluation.statistics.onepass import OnePass


def values(scores: dict[str, evaluation.Score]) -> dict[str, float]:
    return {name: score.value for name, score in scores.items()}


def test_any_batch_size_gives_the_same_numbers(clothes: Tensor) -> None:
    evaluator = Evaluator(
        make_extractor("fashion"), {"train": clothes[:1500], "test": clothes[1500:2000]}
    )
    metrics = ("is", "fid", "prdc", "duplicates")
    whole = evaluator([clothes[2000:3000]], metrics).scores
    for size in (7, 256, 300):
        parts = torch.split(clothes[2000:3000], size)
        assert values(evaluator(parts, metrics).scores) == values(whole)
    floats = (part / 127.5 - 1 for part in torch.split(clothes[2000:3000], 100))
    assert values(evaluator(floats, metrics).scores) == values(whole)


def test_rounding_is_stamped_where_something_was_rounded(plain: Any, noise: Tensor) -> None:
    evaluator = Evaluator(plain, {"train": noise})
    for images, rounding in ((noise, "given"), (noise / 127.5 - 1, "round")):
        for stream in ([images], blocks([images])):
            (score,) = evaluator(stream, ("fid",)).scores.values()
            assert score.protocol.rounding == rounding


def test_floats_may_stay_as_they_are(plain: Any, noise: Tensor) -> None:
    x = (noise / 127.5 - 1 + 0.3 / 127.5).double()  # a third of a level off, some beyond white
    (score,) = Evaluator(plain, {"train": noise}, rounding=False)(
        [x.float()], ("fid",)
    ).scores.values()
    features = ((x.clamp(-1, 1) + 1) / 2).flatten(1) @ plain.weight.double()
    real = noise.double().flatten(1) / 255 @ plain.weight.double()
    a, b = np.cov(features.T), np.cov(real.T)
    root = scipy.linalg.sqrtm(a @ b).real
    gap = (features - real).mean(0).square().sum() + np.trace(a + b - 2 * root)
    assert score.value == pytest.approx(float(gap), rel=1e-3)
    assert score.protocol.rounding == "none"
    (rounded,) = Evaluator(plain, {"train": noise})([x.float()], ("fid",)).scores.values()
    assert rounded.value < 1e-6 and rounded.protocol.hash != score.protocol.hash
    (given,) = Evaluator(plain, {"train": noise}, rounding=False)([noise], ("fid",)).scores.values()
    assert given.protocol.rounding == "given" and given.value < 1e-6


def test_what_a_score_costs_is_known_first(plain: Any, noise: Tensor) -> None:
    evaluator = Evaluator(plain, {"train": noise, "test": noise[:500]})
    assert evaluator.cost(300)[0] == 300 + 1500 + 500
    evaluator.reference("train")
    count, seconds = Evaluator(plain, {"train": noise, "test": noise[:500]}).cost(300)
    assert count == 300 + 500 and seconds > 0

    class Slow(type(plain)):  # type: ignore[misc]
        digest = "1" * 64

        def __call__(self, x: Tensor) -> Any:
            time.sleep(len(x) / 1000)
            return super().__call__(x)

    count, seconds = Evaluator(Slow(), {"train": noise}).cost(300)
    assert seconds >= count / 1000


@pytest.mark.slow
def test_two_ranks_give_the_numbers_of_one(tmp_path: Path) -> None:
    alone, *both = two_ranks(Path(__file__).with_name("worker.py"), tmp_path / "meeting")
    assert len(alone) == 32
    assert alone["asked_accuracy-fashion1400"][0] > 0.85, "labels are not beside their images"
    for found in both:
        assert found.keys() == alone.keys()
        for name, (value, stamp) in found.items():
            assert value == alone[name][0], name
            assert stamp == alone[name][1]


def test_numbers_that_are_reached_name_the_scores() -> None:
    assert counts("train", 50_000) == [50_000, 10_000]
    assert counts("train", 60_000) == [60_000, 50_000, 10_000]
    assert counts("train", 10_000) == [10_000]
    assert counts("test", 50_000) == [10_000, 5_000]
    assert counts("test", 7_000) == [5_000]
    assert counts("elsewhere", 300) == counts("test", 300) == [300]
    assert (counted("FID", 50_000), counted("FD-x2", 1_234)) == ("FID50k", "FD-x2-1234")


def test_several_protocols_come_from_one_pass(plain: Any, noise: Tensor) -> None:
    stream = noise.repeat(7, 1, 1, 1)[:10_100]
    evaluator = Evaluator(plain, {"train": noise, "test": noise[:700]})
    result = evaluator(torch.split(stream, 1000), ("is", "fid")).scores
    assert list(result) == [
        "IS-plain10100",
        "IS-plain10k",
        "FD-plain10100-train",
        "FD-plain10k-train",
        "FD-plain10k-test",
        "FD-plain5k-test",
    ]
    first = evaluator([stream[:5000]], ("fid",)).scores
    five, again = result["FD-plain5k-test"], first["FD-plain5k-test"]
    assert five.value == pytest.approx(again.value, rel=0, abs=1e-10)
    assert five.protocol == again.protocol
    assert five.protocol.n_generated == 5000 and five.protocol.n_reference == 700


def test_all_scores_of_a_set_against_itself(clothes: Tensor) -> None:
    x = clothes[:600]
    metrics = ("is", "fid", "prdc", "duplicates")
    result = values(evaluation.score([x], {"train": x}, metrics, "fashion"))
    assert result.pop("IS-fashion600") > 3
    assert result.pop("FD-fashion600-train") < 1e-6
    assert result.pop("density-fashion600-train") == pytest.approx(1, abs=0.05)
    assert result == {
        "precision-fashion600-train": 1,
        "recall-fashion600-train": 1,
        "coverage-fashion600-train": 1,
        "duplicates-fashion600-train": 1,
        "nearest-median-fashion600-train": 0,
        "nearest-least-fashion600-train": 0,
    }


def test_the_nearest_images_can_be_shown(clothes: Tensor) -> None:
    evaluator = Evaluator(make_extractor("fashion"), {"train": clothes[:400]})
    found = evaluator([clothes[[7, 300, 55]], clothes[1000:1200]], ("duplicates",)).nearest
    assert found is not None
    assert found.which[:3].tolist() == [7, 300, 55]
    assert found.distance.argsort()[:3].sort().values.tolist() == [0, 1, 2]


def test_at_most_n_images_are_taken(plain: Any, noise: Tensor) -> None:
    def endless() -> Any:
        while True:
            yield noise[:200]

    seen: list[int] = []
    result = Evaluator(plain, {"train": noise})(
        endless(), ("fid",), n=300, progress=lambda what, done, total: seen.append(done)
    )
    assert list(result.scores) == ["FD-plain300-train"]
    assert seen[-2:] == [BLOCK, 300]


def test_the_protocol_says_where_images_come_from(plain: Any, noise: Tensor) -> None:
    origin = evaluation.Origin(weights="ema", bn_mode="running", truncation=0.7, seed=5)
    result = Evaluator(plain, {"train": noise})([noise], ("is", "kid"), origin=origin).scores
    protocol = result["KD-plain1500-train"].protocol
    assert (protocol.weights, protocol.truncation, protocol.seed) == ("ema", 0.7, 5)
    assert protocol.settings["subset_size"] == 1000
    assert protocol.extractor_digest == plain.digest
    assert "torch" in protocol.versions
    assert result["IS-plain1500"].protocol.reference is None


def test_evaluation_leaves_random_numbers_alone(plain: Any, noise: Tensor) -> None:
    before = torch.get_rng_state()
    Evaluator(plain, {"train": noise})([noise])
    assert torch.equal(torch.get_rng_state(), before)


def test_few_images_are_a_warning_and_a_mark(clothes: Tensor) -> None:
    evaluator = Evaluator(make_extractor("fashion"), {"train": clothes[:500]})
    with pytest.warns(UserWarning, match="100 images are too few for the 128 features"):
        few = evaluator([clothes[:100]], ("fid",)).scores["FD-fashion100-train"]
    assert few.protocol.rank_deficient
    enough = evaluator([clothes[:200]], ("fid",)).scores["FD-fashion200-train"]
    assert not enough.protocol.rank_deficient


BAD: dict[str, tuple[list[Tensor], str]] = {
    "nothing": ([], "0 images"),
    "one": ([torch.zeros(1, 1, 8, 8)], "1 images"),
    "NaN": ([torch.full((2, 1, 8, 8), torch.nan)], "NaN"),
    "infinite": ([torch.full((2, 1, 8, 8), torch.inf)], "NaN or infinite"),
    "0 to 255": ([torch.full((2, 1, 8, 8), 255.0)], r"reach 255"),
    "integers": ([torch.zeros(2, 1, 8, 8, dtype=torch.int64)], "int64"),
    "two sizes": ([torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 9)], "images are 9x8"),
    "both types": ([torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8).byte()], "float32 and then"),
    "0 to 1": ([torch.zeros(3, 1, 8, 8)], "none has a value below 0"),
    "channels": ([torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8)], "1x8x8 and then 3x8x8"),
    "other size": ([torch.zeros(2, 1, 9, 9)], "reference's are 8x8"),
    "no batch": ([torch.zeros(1, 8, 8)], "N, C, H, W"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_images_end_in_a_sentence(what: str, plain: Any, noise: Tensor) -> None:
    images, words = BAD[what]
    with pytest.raises(UserError, match=words):
        Evaluator(plain, {"train": noise})(images, METRICS)


def test_bad_arguments_end_in_a_sentence(plain: Any, noise: Tensor) -> None:
    with pytest.raises(UserError, match="Did you mean 'fid'"):
        Evaluator(plain, {"train": noise})([noise], ("fidd",))
    with pytest.raises(UserError, match="no real images"):
        Evaluator(plain, {})
    with pytest.raises(UserError, match="reference 'train' has 1 images"):
        Evaluator(plain, {"train": noise[:1]})([noise])


@pytest.mark.parametrize("what", ["floats", "int64", "flat"])
def test_a_reference_that_is_not_uint8_is_refused(what: str, plain: Any, noise: Tensor) -> None:
    wrong = {"floats": noise / 127.5 - 1, "int64": noise.long(), "flat": noise.flatten(1)}[what]
    for reference in (wrong, {"train": noise, "test": wrong}):
        with pytest.raises(UserError, match="must be a uint8 tensor"):
            evaluation.score([noise], reference, ("fid",), plain)


def test_floats_of_another_range_are_asked_for_or_brought_to_ours(
    plain: Any, noise: Tensor
) -> None:
    evaluator = Evaluator(plain, {"train": noise.flip(0)})
    right = evaluator([noise / 127.5 - 1], ("fid",)).scores
    for range_, x in (((0, 1), noise / 255), ((0, 255), noise.float()), ((-1, 1), noise)):
        found = evaluator([x], ("fid",), value_range=range_).scores
        assert values(found) == values(right)
    with pytest.raises(UserError, match=r"value_range=\(0, 1\)"):
        evaluator([noise / 255], ("fid",))
    with pytest.raises(UserError, match="from -1 to 1, and their range is said to be 0,1"):
        evaluator([noise / 127.5 - 1], ("fid",), value_range=(0, 1))
    with pytest.raises(UserError, match="value_range is 1, 0"):
        evaluator([noise / 255], ("fid",), value_range=(1, 0))


def test_a_runs_own_samples_may_be_as_bright_as_they_like(plain: Any, noise: Tensor) -> None:
    bright = [noise / 255]
    evaluator = Evaluator(plain, {"train": noise})
    found = evaluator(bright, ("fid",), origin=evaluation.Origin("ema", "running")).scores
    assert values(found) == values(
        evaluation.score(bright, {"train": noise}, ("fid",), plain, value_range=(-1, 1))
    )


def test_the_root_of_real_images_is_found_once(
    plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    decomposed, eigh = [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda x: (decomposed.append(x), eigh(x))[1])
    evaluator = Evaluator(plain, {"train": noise, "test": noise[:200]})
    first, again = (evaluator([noise[:300]], ("fid",)).scores for _ in range(2))
    assert len(first) == len(decomposed) == 2 and values(first) == values(again)


def test_images_that_are_none_are_told_of_wherever_they_come(plain: Any, noise: Tensor) -> None:
    evaluator, x = Evaluator(plain, {"train": noise}), noise[: 2 * BLOCK] / 255
    for wrong, words in ((torch.nan, "NaN or infinite"), (-9.0, "reach 9")):
        late = x.clone()
        late[-1, 0, 0, 0] = wrong
        with pytest.raises(UserError, match=words):
            evaluator([late], ("fid",), value_range=(-1, 1))


def test_a_gap_in_the_stream_is_found_out(plain: Any, noise: Tensor) -> None:
    done = OnePass(plain, [100], {})
    done.add(noise[:100])
    done.add(noise[:BLOCK])
    with pytest.raises(ValueError, match="every block"):
        done.finish()


def test_blocks_are_of_one_length() -> None:
    x = torch.arange(600).to(torch.uint8).view(600, 1, 1, 1)
    for size in (1, 100, 256, 600):
        found = [block.images for block in blocks(torch.split(x, size))]
        assert [len(b) for b in found] == [256, 256, 88]
        assert torch.equal(torch.cat(found), x)


def test_floats_are_rounded() -> None:
    x = torch.tensor([-1.5, -1, 0, 0.0118, 1, 1.5]).view(1, 1, 1, 6)
    assert as_uint8(x).flatten().tolist() == [0, 0, 128, 129, 255, 255]


@pytest.fixture(scope="module")
def against_clothes(clothes: Tensor) -> Evaluator:
    return Evaluator(make_extractor("fashion"), {"train": clothes[:3000]})


@pytest.mark.parametrize("how", ["noise", "blur", "classes"])
def test_worse_images_are_farther(how: str, against_clothes: Evaluator) -> None:
    data = open_dataset("fashion_mnist", split="test")
    assert isinstance(data.x, Tensor) and data.y is not None
    x, y = data.x[:1500], data.y[:1500]
    grades = {"noise": (0, 4, 20, 80), "blur": (0, 0.5, 1, 2), "classes": (0, 1, 4, 8)}[how]
    distances = []
    for grade in grades:
        worse = DISTORT[how](x, y, grade)
        found = against_clothes([worse], ("fid",)).scores
        distances.append(next(iter(found.values())).value)
    assert distances == sorted(set(distances))
    assert distances[-1] > 100 * distances[0]


def add_noise(x: Tensor, y: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return (x + sigma * noise).round().clamp(0, 255).to(torch.uint8)


def blur(x: Tensor, y: Tensor, sigma: float) -> Tensor:
    from torchvision.transforms.functional import gaussian_blur

    return x if sigma == 0 else gaussian_blur(x, 13, sigma)


def drop_classes(x: Tensor, y: Tensor, classes: float) -> Tensor:
    return x[y >= classes]


DISTORT = {"noise": add_noise, "blur": blur, "classes": drop_classes}

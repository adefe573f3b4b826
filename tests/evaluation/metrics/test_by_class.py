"""Scores by class against plain loops, and what they are stamped with."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator, Origin, Score, differences, score
from ganlib.evaluation.metrics.formulas import precision_recall
from ganlib.evaluation.metrics.intra import classwise
from ganlib.evaluation.statistics import references

CLASSES = ("cat", "dog", "emu")
SHARES = (0.5, 0.3, 0.2)
METRICS = ("intra", "class_pr", "class_accuracy")
Labelled = Callable[..., DataSet]


@pytest.fixture
def labelled() -> Labelled:
    """labelled(n, seed): noise whose brightness goes with its class, uint8 (n, 1, 8, 8)."""

    def make(n: int, seed: int, shares: tuple[float, ...] = SHARES) -> DataSet:
        random = np.random.default_rng(seed)
        y = random.choice(3, n, p=shares)
        x = random.integers(0, 150, (n, 1, 8, 8)) + 40 * y[:, None, None, None]
        return DataSet("", torch.from_numpy(x.astype(np.uint8)), torch.from_numpy(y), None, CLASSES)

    return make


@pytest.fixture
def scored(plain: Any, labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> Any:
    """scored(samples, *metrics): their scores against 900 training and 300 test images; the
    extractor's three logits are of their classes.
    """
    monkeypatch.setattr(type(plain), "n_classes", 3)
    monkeypatch.setattr(type(plain), "classes", CLASSES)
    monkeypatch.setattr(type(plain), "__call__", three_logits(type(plain).__call__))

    def call(samples: DataSet, *metrics: str, **more: Any) -> dict[str, Score]:
        batches = more.pop("batches", in_batches(samples))
        references = more.pop("references", {"train": labelled(900, 1), "test": labelled(300, 2)})
        return Evaluator(plain, references)(batches, metrics or METRICS, **more).scores

    return call


def in_batches(data: DataSet) -> list[tuple[Tensor, Tensor]]:
    assert isinstance(data.x, Tensor) and data.y is not None
    return list(zip(data.x.split(100), data.y.split(100), strict=True))


def scipys_distance(a: Any, b: Any) -> float:
    """Frechet's, of features (N, D) and (M, D)."""
    covariances = [np.cov(features, rowvar=False) for features in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        root = linalg.sqrtm(covariances[0] @ covariances[1])
    gap = np.square(a.mean(0) - b.mean(0)).sum()
    return float(gap + sum(np.trace(c) for c in covariances) - 2 * np.trace(root).real)


def three_logits(before: Any) -> Any:
    return lambda self, x: before(self, x)._replace(logits=before(self, x).logits[:, :3])


def test_intra_is_the_mean_of_scipys_distances(scored: Any, plain: Any, labelled: Labelled) -> None:
    samples, real = labelled(600, 3), labelled(900, 1)
    (found,) = scored(samples, "intra").values()
    expected = {}
    for k, name in enumerate(CLASSES):
        a, b = (plain(d.x[d.y == k]).pool.double().numpy() for d in (samples, real))
        expected[name] = scipys_distance(a, b)
    assert found.name == "intra-FD-plain600-train"
    assert found.value == pytest.approx(np.mean(list(expected.values())), rel=1e-6)
    by_class = found.more["by_class"]
    assert {n: row["value"] for n, row in by_class.items()} == pytest.approx(expected, rel=1e-6)
    assert sum(row["n"] for row in by_class.values()) == 600
    assert sum(row["n_real"] for row in by_class.values()) == 900
    assert 0 < min(expected.values()) and len({round(v, 6) for v in expected.values()}) == 3


def test_as_many_of_each_class_as_asked_for_meet_all_real_images(
    plain: Any, labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which the reference keeps the features of 90 here, as of 65,536 of ImageNet's."""
    monkeypatch.setattr(references, "CACHED_BYTES", 90 * 4 * plain.n_features)
    real, drawn, calls = labelled(900, 1), {k: labelled(300, 5 + k).x for k in range(3)}, []
    evaluator = Evaluator(plain, {"train": real})

    def samples(k: int) -> Any:
        calls.append(k)
        return drawn[k].split(70)  # type: ignore[union-attr]

    origin = Origin("ema", "running", seed=4)
    (found,) = classwise(evaluator, samples, 300, origin, lambda *told: None).values()
    distances = []
    for k in range(3):
        a, b = (plain(x).pool.double().numpy() for x in (drawn[k], real.x[real.y == k]))
        distances.append(scipys_distance(a, b))
    assert calls == [0, 1, 2] and found.name == "intra-FD-plain300-each-train"
    assert found.value == pytest.approx(np.mean(distances), rel=1e-6)
    rows = found.more["by_class"].values()
    assert [row["value"] for row in rows] == pytest.approx(distances, rel=1e-6)
    assert sum(row["n_real"] for row in rows) == 900 and {row["n"] for row in rows} == {300}
    protocol, least = found.protocol, int((real.y == 2).sum())
    assert (protocol.n_generated, protocol.n_reference, protocol.seed) == (900, 900, 4)
    assert protocol.settings.items() >= {"n_per_class": 300, "n_real_per_class": least}.items()
    # the metric sees of the real images those that are kept
    pairs = [(drawn[k], torch.full((300,), k)) for k in range(3)]
    (few,) = evaluator(pairs, ["intra"]).scores.values()
    assert sum(row["n_real"] for row in few.more["by_class"].values()) == 90
    # without rounding the features are those of the floats
    as_they_are = Evaluator(plain, {"train": real}, rounding=False)
    halves = [drawn[k].float() / 127.5 - 1 + 1 / 255 for k in range(3)]
    (off,) = classwise(as_they_are, lambda k: [halves[k]], 300, origin, lambda *_: None).values()
    moved = scipys_distance(
        plain(drawn[0] + 0.5).pool.double().numpy(),
        plain(real.x[real.y == 0]).pool.double().numpy(),
    )
    assert off.more["by_class"]["cat"]["value"] == pytest.approx(moved, rel=1e-4)
    assert off.protocol.rounding == "none" and protocol.rounding == "round"
    # classes go by their names, and those that no sample can be told are refused
    again = Origin(classes=("emu", "cat", "dog"))
    renamed = classwise(evaluator, lambda k: [drawn[(2, 0, 1)[k]]], 300, again, lambda *told: None)
    assert next(iter(renamed.values())).value == pytest.approx(found.value, rel=1e-12)
    with pytest.raises(UserError, match="real images of 'emu', which no sample can be told"):
        classwise(evaluator, samples, 300, Origin(classes=("cat", "dog")), lambda *told: None)
    with pytest.raises(UserError, match="The intra-class distance goes class by class, and"):
        unlabelled = Evaluator(plain, {"train": real.x})
        classwise(unlabelled, samples, 300, Origin(), lambda *told: None)


def test_precision_and_recall_are_those_of_the_subsets(
    scored: Any, plain: Any, labelled: Labelled
) -> None:
    samples, real = labelled(600, 3), labelled(900, 1)
    precision, recall = scored(samples, "class_pr").values()
    assert precision.name == "class-precision-plain600-train"
    assert recall.name == "class-recall-plain600-train"
    pairs = [
        precision_recall(plain(real.x[real.y == k]).pool, plain(samples.x[samples.y == k]).pool, 3)
        for k in range(3)
    ]
    for k, found in enumerate((precision, recall)):
        values = [row["value"] for row in found.more["by_class"].values()]
        assert values == [pair[k] for pair in pairs] and 0 < min(values) < 1
        assert found.value == pytest.approx(sum(values) / 3, rel=1e-12)


def test_accuracy_is_counted_by_hand(scored: Any, plain: Any, labelled: Labelled) -> None:
    samples, test = labelled(600, 3), labelled(300, 2)
    (found,) = scored(samples, "class_accuracy").values()
    assert found.name == "class-accuracy-plain600" and found.protocol.reference is None

    def share(data: DataSet, k: int | None = None) -> float:
        right = count = 0
        for x, y in zip(data.x, data.y, strict=True):  # type: ignore
            if k is None or int(y) == k:
                logits = plain(x[None]).pool[0, :3].tolist()
                right += logits.index(max(logits)) == int(y)
                count += 1
        return right / count

    assert found.value == pytest.approx(share(samples), rel=1e-12) and 0 < found.value < 1
    assert found.more["real"]["value"] == pytest.approx(share(test), rel=1e-12)
    assert (found.more["real"]["n"], found.more["real"]["split"]) == (300, "test")
    for k, name in enumerate(CLASSES):
        for rows, data in ((found.more, samples), (found.more["real"], test)):
            assert rows["by_class"][name]["value"] == pytest.approx(share(data, k), rel=1e-12)
            assert rows["by_class"][name]["n"] == int((data.y == k).sum())


def test_real_images_are_classified_once(plain: Any, scored: Any, labelled: Labelled) -> None:
    train, test, samples = labelled(900, 1), labelled(300, 2), labelled(600, 3)
    evaluator = Evaluator(plain, {"train": train, "test": test})
    pairs = [(samples.x, samples.y)]
    first = evaluator(pairs, ("class_accuracy",)).scores
    seen: list[int] = []
    before = type(plain).__call__
    type(plain).__call__ = lambda self, x: seen.append(len(x)) or before(self, x)  # type: ignore
    try:
        assert evaluator(pairs, ("class_accuracy",)).scores == first
    finally:
        type(plain).__call__ = before
    assert sum(seen) == 600


def test_two_seeds_share_a_protocol_that_says_what_was_asked(
    scored: Any, labelled: Labelled
) -> None:
    a, b = scored(labelled(600, 3)), scored(labelled(600, 4))
    for name, found in a.items():
        assert found.protocol.hash == b[name].protocol.hash and found.value != b[name].value
        settings = found.protocol.settings
        assert (settings["labels"], settings["classes"]) == ("marginal", 3)
        assert len(str(settings["real_labels"])) == 12
    settings = a["intra-FD-plain600-train"].protocol.settings
    assert settings["n_per_class"] == round(600 * (labelled(900, 1).y == 2).float().mean().item())  # type: ignore
    assert settings["n_real_per_class"] == int((labelled(900, 1).y == 2).sum())
    even = scored(labelled(600, 3, (0.2, 0.3, 0.5)))
    for name, found in a.items():
        lines = differences(found.protocol, even[name].protocol)
        assert "labels: marginal against given" in lines


def test_other_labels_of_the_same_real_images_are_another_protocol(
    scored: Any, labelled: Labelled
) -> None:
    samples, train = labelled(600, 3), labelled(900, 1)
    other = DataSet("", train.x, train.y.flip(0), None, CLASSES)  # type: ignore
    a, b = (scored(samples, "intra", references={"train": data}) for data in (train, other))
    (line,) = differences(*(found["intra-FD-plain600-train"].protocol for found in (a, b)))
    assert line.startswith("real_labels: ")


def test_classes_with_too_few_images_are_marked(scored: Any, labelled: Labelled) -> None:
    def keep(data: DataSet, n: int) -> DataSet:
        """n images of the last class at most."""
        rows = torch.cat([torch.nonzero(data.y != 2)[:, 0], torch.nonzero(data.y == 2)[:n, 0]])
        return DataSet("", data.x[rows], data.y[rows], None, CLASSES)  # type: ignore

    name = "intra-FD-plain"
    (found,) = scored(keep(labelled(600, 3), 9), "intra").values()
    assert found.name.startswith(name) and not found.protocol.rank_deficient
    with pytest.warns(UserWarning, match="rarest class has 8 images, too few for the 8 features"):
        (found,) = scored(keep(labelled(600, 3), 8), "intra").values()
    assert found.protocol.rank_deficient
    with pytest.warns(UserWarning, match="'intra' is left out: of the class 'emu' there are 1 sam"):
        assert scored(keep(labelled(600, 3), 1), "intra") == {}
    with pytest.warns(UserWarning, match="'class_pr' is left out: .* 3 samples, and it takes 4"):
        assert scored(keep(labelled(600, 3), 3), "class_pr") == {}
    with pytest.warns(UserWarning, match="of the class 'emu' there are 1 real images"):
        few = {"train": keep(labelled(900, 1), 1)}
        assert scored(labelled(600, 3), "intra", references=few) == {}


def test_classes_that_no_real_image_has_do_not_count(scored: Any, labelled: Labelled) -> None:
    train = labelled(900, 1)
    more = DataSet("", train.x, train.y, None, (*CLASSES, "fox"))
    a, b = (
        scored(labelled(600, 3), "intra", "class_pr", references={"train": data})
        for data in (train, more)
    )
    assert {n: s.value for n, s in a.items()} == {n: s.value for n, s in b.items()}


def test_labels_go_by_the_names_of_their_classes(scored: Any, labelled: Labelled) -> None:
    samples = labelled(600, 3)
    as_they_are = scored(samples)
    table = torch.tensor([2, 0, 1])  # cat, dog, emu as dog, emu, cat number them
    other = DataSet("", samples.x, table[samples.y])
    origin = Origin(classes=("dog", "emu", "cat"))
    assert scored(other, origin=origin) == as_they_are
    assert scored(samples, origin=Origin(classes=CLASSES)) == as_they_are
    assert scored(other) != as_they_are


def test_scores_without_classes_are_as_they_were(scored: Any, labelled: Labelled) -> None:
    """Labels that are as frequent as among the real images, or of images from elsewhere, say
    nothing about a Frechet distance; those that a generator was asked for otherwise do.
    """
    samples, odd = labelled(600, 3), labelled(600, 3, (0.2, 0.3, 0.5))
    generator, train = Origin("ema", "running"), labelled(900, 1)
    real = {"references": {"train": train}}
    for data, origin in ((samples, generator), (samples, None), (odd, None)):
        (with_labels,) = scored(data, "fid", origin=origin, **real).values()
        plainly = {"batches": [data.x], "references": {"train": train.x}}
        (without,) = scored(data, "fid", origin=origin, **plainly).values()
        assert with_labels == without
    (found,) = scored(odd, "fid", origin=generator, **real).values()
    assert found.protocol.settings == {"labels": "given"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"batches": "unlabelled"},
            "needs the labels that .* and these have none: give an .npz",
        ),
        (
            {"batches": "unlabelled", "origin": Origin("raw")},
            "'intra' needs the labels that .*: leave it out, or score a generator that is told",
        ),
        ({"references": "unlabelled"}, r"the real images \('train'\) have no labels: leave it out"),
        (
            {"origin": Origin(classes=("cat", "cow", "elk", "yak"))},
            "images' classes are called cat, cow, elk and 1 more where .* are cat, dog, emu: leave",
        ),
        (
            {"batches": "far"},
            "labels from 3 to 3 where there are 3 classes: leave it",
        ),
        ({"batches": "late"}, "labels from 0 to 7 where there are 3 classes"),
        ({"batches": "below"}, "labels from -1 to -1 where there are 3 classes"),
    ],
)
def test_what_is_missing_is_said(
    change: dict[str, Any], words: str, scored: Any, labelled: Labelled
) -> None:
    samples = labelled(600, 3)
    x, y = samples.x, samples.y
    assert y is not None
    late = y[300:].clone()
    late[-1] = 7
    batches = {
        "unlabelled": [x],
        "far": [(x, torch.full_like(y, 3))],
        "late": [(x[:300], y[:300]), (x[300:], late)],
        "below": [(x, torch.full_like(y, -1))],
    }
    if "batches" in change:
        change = {**change, "batches": batches[change["batches"]]}
    if "references" in change:
        change = {**change, "references": {"train": labelled(900, 1).x}}
    with pytest.raises(UserError, match=words):
        scored(samples, "intra", **change)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ((), "asks the extractor for the data's classes, cat, dog, emu, and 'plain' knows others"),
        (("a", "b", "c", "d"), "and 'plain' knows a, b, c and 1 more: leave it out, or give the"),
    ],
)
def test_only_the_datas_own_classifier_tells_classes(
    classes: tuple[str, ...], words: str, scored: Any, plain: Any, labelled: Labelled,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(type(plain), "classes", classes)
    with pytest.raises(UserError, match=words):
        scored(labelled(600, 3), "class_accuracy")


def test_without_test_images_the_accuracy_stands_alone(scored: Any, labelled: Labelled) -> None:
    (found,) = scored(
        labelled(600, 3), "class_accuracy", references={"train": labelled(900, 1)}
    ).values()
    assert "real" not in found.more and set(found.more["by_class"]) == set(CLASSES)


def test_real_images_with_labels_are_a_pair_too(plain: Any, labelled: Labelled) -> None:
    train, samples = labelled(900, 1), labelled(600, 3)
    pairs = [(samples.x, samples.y)]
    (a,) = score(pairs, {"train": train}, ["intra"], plain).values()  # type: ignore[arg-type]
    (b,) = score(pairs, {"train": (train.x, train.y)}, ["intra"], plain).values()  # type: ignore
    assert a.value == b.value and list(b.more["by_class"]) == ["0", "1", "2"]
    for y in (train.y[:9], train.y.float(), train.y - 1):  # type: ignore[index, union-attr, operator]
        with pytest.raises(UserError, match="of the reference 'train' are .*: give 900 int64"):
            score(pairs, {"train": (train.x, y)}, ["intra"], plain)  # type: ignore[arg-type]


def test_what_is_kept_beside_a_score_survives_json(scored: Any, labelled: Labelled) -> None:
    import json

    for name, found in scored(labelled(600, 3)).items():
        assert Score.from_dict(name, json.loads(json.dumps(found.to_dict()))) == found

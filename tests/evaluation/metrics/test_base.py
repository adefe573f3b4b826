"""Metrics of plugins: what they are given, what becomes of what they give back."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ganlib.evaluation.metrics as package
from ganlib.common.errors import UserError
from ganlib.evaluation import Score
from ganlib.evaluation.evaluate import Evaluator
from ganlib.evaluation.formats import blocks
from ganlib.evaluation.metrics.base import Context, Metric, Value, columns_of, metrics

METHODS = Path(__file__).parents[2] / "methods"

pytestmark = pytest.mark.filterwarnings("ignore:.* too few")


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    """asked_accuracy, and what a test registers, are forgotten after it."""
    entries, places, loaded = dict(metrics.entries), list(package.__path__), set(sys.modules)
    metrics.add_folder(METHODS / "metrics")
    yield
    metrics.entries.clear()
    metrics.entries.update(entries)
    package.__path__[:] = places
    # ganlib's own stay, which other tests hold in their hands
    for name in sys.modules.keys() - loaded:
        if name.startswith(f"{package.__name__}."):
            del sys.modules[name]


def write(folder: Path, **sources: str) -> None:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    metrics.add_folder(folder)


def labels_for(n: int) -> Tensor:
    return torch.randint(5, (n,), generator=torch.Generator().manual_seed(3))


def score(extractor: Any, images: Any, *names: str, **more: Any) -> dict[str, Score]:
    batches = more.pop("batches", [images])
    return Evaluator(extractor, {"train": images})(batches, names, **more).scores


@pytest.mark.parametrize("size", [7, 256, 1500])
def test_labels_stay_beside_their_images(size: int, plain: Any, noise: Tensor) -> None:
    """The share of right ones, by NumPy, for any batch size."""
    y = labels_for(len(noise))
    right = np.argmax(plain(noise).logits.numpy(), 1) == y.numpy()
    batches = list(zip(noise.split(size), y.split(size), strict=True))
    (found,) = score(plain, noise, "asked_accuracy", batches=batches).values()
    assert found.name == "asked_accuracy-plain1500"
    assert found.value == pytest.approx(right.mean(), rel=1e-12)
    assert found.std == pytest.approx(right.std() / np.sqrt(len(right)), rel=1e-9)
    (few,) = score(plain, noise, "asked_accuracy", batches=batches, n=300).values()
    assert few.name == "asked_accuracy-plain300"
    assert few.value == pytest.approx(right[:300].mean(), rel=1e-12)


def test_a_range_of_floats_leaves_labels_alone(plain: Any, noise: Tensor) -> None:
    y = labels_for(len(noise))
    (bytes_,) = score(plain, noise, "asked_accuracy", batches=[(noise, y)]).values()
    floats = [(noise / 255, y)]
    (found,) = score(
        plain, noise, "asked_accuracy", batches=floats, value_range=(0.0, 1.0)
    ).values()
    assert found.value == bytes_.value


def test_blocks_are_cut_with_their_labels() -> None:
    x = torch.arange(600)
    pairs = [(part.view(-1, 1, 1, 1) / 600, part) for part in x.split(100)]
    found = list(blocks(pairs))
    assert [len(block.images) for block in found] == [256, 256, 88]
    for block in found:
        assert block.labels is not None
        assert torch.equal(block.images.flatten(), block.labels / 600)
    parts = [block.labels for rank in range(2) for block in islice(blocks(pairs), rank, None, 2)]
    order = [*range(256), *range(512, 600), *range(256, 512)]
    assert torch.cat([part for part in parts if part is not None]).tolist() == order


def test_the_protocol_names_metric_and_settings(plain: Any, noise: Tensor, tmp_path: Path) -> None:
    source = (METHODS / "metrics" / "asked_accuracy.py").read_text()
    write(tmp_path, other=source, top_2=source.replace('"top": 1', '"top": 2'))
    hashes = set()
    for name in ("asked_accuracy", "other", "top_2"):
        batches = [(noise, labels_for(1500))]
        (found,) = score(plain, noise, name, batches=batches).values()
        assert found.protocol.settings["metric"] == name
        assert found.protocol.n_generated == 1500 and found.protocol.reference is None
        hashes.add(found.protocol.hash)
    assert len(hashes) == 3
    with pytest.raises(UserError, match="Two metrics give a score 'asked_accuracy-plain1500'"):
        score(plain, noise, "other", "top_2", batches=[(noise, labels_for(1500))])


def test_ganlibs_own_scores_do_not_change_beside_others(plain: Any, noise: Tensor) -> None:
    names, x = ("is", "fid", "kid", "prdc", "duplicates"), noise[:300]
    alone = score(plain, x, *names)
    beside = score(plain, x, "asked_accuracy", *names, batches=[(x, labels_for(300))])
    assert list(beside) == [*alone, "asked_accuracy-plain300"]
    assert all(beside[name] == found for name, found in alone.items())


def test_a_metric_is_given_the_real_images(
    plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(context: Context) -> dict[str, Value | float]:
        assert (context.n, context.total) == (100, 1500) and not torch.is_grad_enabled()
        gap = (context.features.mean(0) - context.main.features.mean(0)).norm()
        count = len(context.references)
        return {"gap": Value(float(gap), reference=context.main.name), "count": count}

    monkeypatch.setitem(metrics.entries, "gap", metrics.entries["asked_accuracy"])
    monkeypatch.setattr(type(metrics), "__getitem__", lambda self, name: Metric(compute, n=100))
    found = Evaluator(plain, {"train": noise[:900], "test": noise[900:]})([noise], ("gap",)).scores
    assert list(found) == ["gap-plain100-train", "count-plain100"]
    features = plain(noise).pool.numpy()
    gap = np.linalg.norm(features[:100].mean(0) - features[:900].mean(0))
    assert found["gap-plain100-train"].value == pytest.approx(gap, rel=1e-5)
    assert found["gap-plain100-train"].protocol.n_reference == 900
    assert found["count-plain100"].value == 2


BRIGHTNESS = """
from ganlib.evaluation.metrics.base import Column, Metric, Value

def columns(inputs, n):
    return [Column("brightness", n, inputs.main, "lower")]

def compute(context):
    (column,) = context.columns
    real = context.real.x[context.main.which].double().mean()
    gap = abs(context.images.double().mean() - real)
    return {column: Value(float(gap), settings={"levels": 255})}

METRIC = Metric(compute, needs=("images",), n=200, columns=columns)
"""


def test_a_file_that_is_dropped_in_is_a_metric(plain: Any, noise: Tensor, tmp_path: Path) -> None:
    """It says beforehand what its score is called, and which direction is better."""
    write(tmp_path, brightness=BRIGHTNESS)
    evaluator = Evaluator(plain, {"test": noise[900:]})
    (column,) = columns_of(["brightness"], evaluator.inputs(), 1500)
    (found,) = evaluator([noise], ["brightness"]).scores.values()
    assert found.name == column.title == "brightness200-test" and found.better == "lower"
    wanted = abs(noise[:200].numpy().mean() - noise[900:].numpy().mean())
    assert found.value == pytest.approx(wanted, rel=1e-9)
    assert dict(found.protocol.settings).items() >= {"metric": "brightness", "levels": 255}.items()
    assert (found.protocol.n_generated, found.protocol.n_reference) == (200, 600)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "'asked_accuracy' needs the labels that images were asked for"),
        (torch.zeros(1500), r"come as torch.float32 \(1500,\): give one int64"),
        (torch.zeros(9, dtype=torch.int64), r"1500 images come as torch.int64 \(9,\)"),
        (torch.zeros(1500, 5, dtype=torch.int64), r"\(1500, 5\): give one int64"),
    ],
)
def test_labels_that_are_none(labels: Any, words: str, plain: Any, noise: Tensor) -> None:
    with pytest.raises(UserError, match=words):
        score(plain, noise, "asked_accuracy", batches=[(noise, labels)])


def test_labels_for_some_images_only(plain: Any, noise: Tensor) -> None:
    batches = [(noise[:50], labels_for(50)), noise[50:]]
    with pytest.raises(UserError, match="have labels and some have none"):
        score(plain, noise, "fid", batches=batches)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("METRIC = len", "The metric .*mine.py.* cannot be used: .* which is no Metric"),
        ("METRICS = 1", "no metric 'mine': .*mine.py has no METRIC"),
        ("def (", "no metric 'mine': .*mine.py has no METRIC"),
        (
            "from ganlib.evaluation.metrics.base import Metric\n"
            "METRIC = Metric(lambda context: {'x': context.logits.sum()})",
            r"uses logits without need: Metric\(..., needs=\('logits',\)\)",
        ),
    ],
)
def test_a_wrong_file(source: str, words: str, plain: Any, noise: Tensor, tmp_path: Path) -> None:
    write(tmp_path, mine=source)
    with pytest.raises(UserError, match=words):
        score(plain, noise, "mine")


def test_names(plain: Any, noise: Tensor, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no metric 'asked_acuracy'. Did you mean 'asked_accuracy'"):
        score(plain, noise, "asked_acuracy")
    with pytest.raises(UserError, match="There are: asked_accuracy, authpct, cas, "):
        score(plain, noise, "zzz")
    with pytest.raises(UserError, match="Two metrics are called 'fid': .*Rename one"):
        write(tmp_path, fid="METRIC = None")


def test_logits_need_classes(plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(plain), "n_classes", 0)
    with pytest.raises(UserError, match="needs logits, and the extractor 'plain' has no classes"):
        score(plain, noise, "asked_accuracy", batches=[(noise, labels_for(1500))])

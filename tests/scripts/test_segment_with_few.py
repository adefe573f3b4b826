"""scripts/segment_with_few.py: which real images are read, what is in batches, the same numbers."""

from collections.abc import Callable
from pathlib import Path
from statistics import stdev

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.evaluation.pairs.segmenter import BATCH
from ganlib.pix2pixhd import CLASSES
from ganlib.pix2pixhd import example as blocks
from scripts import segment_with_few
from scripts.segment_with_few import (
    Lengths,
    Pairs,
    Translate,
    arms,
    lesson,
    main,
    rows,
    score,
    table,
    train_gan,
    translated,
)

SMALL = Lengths(real=6, others=10, test=8, size=32, iterations=8, updates=2)


class Watched:
    """Images that tell which of them were read."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape, self.read = x, tuple(x.shape), set[int]()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        self.read |= set(index.tolist())
        return self.x[index]


def watched() -> tuple[DataSet, Watched]:
    made = blocks(3, 32)
    assert isinstance(made.x, Tensor)
    x = Watched(made.x)
    return DataSet("blocks", x, source=made.source, classes=CLASSES, source_kind="ids"), x


def grey(seen: list[DataSet]) -> Callable[[DataSet], Translate]:
    """Learns nothing: every image is 7, and the pairs are remembered."""

    def learn(pairs: DataSet) -> Translate:
        seen.append(pairs)
        return lambda ids: torch.full((len(ids), 3, 32, 32), 7, dtype=torch.uint8)

    return learn


def test_no_other_real_image_is_seen_before_the_last() -> None:
    data, x = watched()
    few, others = rows(SMALL, len(data), 3)
    assert len({*few.tolist(), *others.tolist()}) == SMALL.real + SMALL.others
    seen: list[DataSet] = []
    found = arms(data, SMALL, 3, grey(seen))

    _, (real,) = next(found)
    assert torch.equal(real.x, x.x[few])
    _, (again, made) = next(found)
    assert x.read == set(few.tolist())
    assert again is real
    assert (made.x == 7).all()
    (pairs,) = seen
    assert data.source is not None and pairs.source is not None
    assert torch.equal(pairs.x[torch.arange(6)], real.x)
    assert torch.equal(pairs.source[torch.arange(6)], data.source[few])
    assert torch.equal(made.maps.int(), data.source[others][:, 0])

    _, (more,) = next(found)
    assert torch.equal(more.x, x.x[torch.cat([few, others])])
    assert torch.equal(more.maps.int(), data.source[torch.cat([few, others])][:, 0])


def test_more_than_there_are_is_a_sentence() -> None:
    with pytest.raises(UserError, match="There are 15 training canvases: give a smaller --real"):
        rows(SMALL, 15, 0)


def numbered(n: int, first: int) -> Pairs:
    """Images whose left half is their number and whose right half is 0; maps likewise."""
    left = (torch.arange(first, first + n)[:, None, None] * torch.tensor([1, 0])).to(torch.uint8)
    return Pairs(left[:, None].expand(n, 3, 1, 2).clone(), left.clone())


def test_a_batch_is_half_real_and_half_synthetic() -> None:
    parts = [numbered(5, 1), numbered(200, 20)]
    x, maps = lesson(parts, 5, 0)
    assert x.shape == (5 * BATCH, 3, 1, 2) and x.dtype == maps.dtype == torch.uint8
    assert torch.equal(x[:, 0], maps)  # both were mirrored, or neither
    numbers = maps.amax((1, 2)).unflatten(0, (5, BATCH))
    assert ((numbers < 20).sum(1) == BATCH // 2).all()
    real, made = numbers[numbers < 20], numbers[numbers >= 20]
    assert torch.equal(real.bincount(minlength=6)[1:], torch.full((5,), 8))  # 40 of 5, none more
    assert len(made.unique()) == 40  # of 200 none comes twice
    mirrored = (maps[:, 0, 1] > 0).float().mean()
    assert 0.3 < mirrored < 0.7
    assert torch.equal(parts[0].x, numbered(5, 1).x)  # they are as they were


def test_of_one_part_a_batch_is_of_it() -> None:
    maps = lesson([numbered(BATCH, 1)], 3, 0).maps.amax((1, 2)).unflatten(0, (3, BATCH))
    assert (maps.sort(1).values == torch.arange(1, BATCH + 1)).all()
    assert not torch.equal(maps[0], maps[1])


def test_a_lesson_is_a_function_of_its_seed() -> None:
    parts = [numbered(9, 1), numbered(30, 20)]
    assert torch.equal(lesson(parts, 4, 1).x, lesson(parts, 4, 1).x)
    assert not torch.equal(lesson(parts, 4, 1).x, lesson(parts, 4, 2).x)


def test_scores_follow_from_the_seed() -> None:
    data = blocks(3, 32)
    _, parts = next(arms(data, SMALL, 0, grey([])))
    first = score(parts, data, SMALL, 0)
    torch.rand(5)
    assert score(parts, data, SMALL, 0) == first
    assert score(parts, data, SMALL, 1) != first


def test_a_gan_is_trained_once_and_gives_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, x = watched()
    few, others = rows(SMALL, len(data), 0)
    assert data.source is not None
    pairs = DataSet("few", x[few], source=data.source[few], classes=CLASSES, source_kind="ids")
    model = train_gan(pairs, SMALL, 0, tmp_path)
    assert model.updater.iteration == SMALL.iterations
    made = translated(model, data.source[others], 0)
    assert made.shape == (10, 3, 32, 32) and made.dtype == torch.uint8

    monkeypatch.setattr(ganlib, "train", lambda **settings: pytest.fail("it is there"))
    again = train_gan(pairs, SMALL, 0, tmp_path)
    assert torch.equal(translated(again, data.source[others], 0), made)


def test_the_table_has_means_and_spreads() -> None:
    one = {"real": {"pixel_accuracy": 0.5, "mean_iou": 0.25}}
    two = {"real": {"pixel_accuracy": 0.6, "mean_iou": 0.35}}
    far = f"{stdev([50, 60]):.2f}"
    assert table([one, two]).splitlines()[2] == f"| real | 55.00 +- {far} | 30.00 +- {far} |"
    assert table([one]).splitlines()[2] == "| real | 50.00 | 25.00 |"


def test_a_seed_after_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def compare(lengths: Lengths, seed: int, out: Path) -> dict[str, dict[str, float]]:
        asked.append((lengths, seed, out))
        return {"real": {"mean_iou": seed / 10}}

    monkeypatch.setattr(segment_with_few, "compare", compare)
    words = ["--seeds", "2,4", "--real", "7", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert asked == [(Lengths(real=7), 2, tmp_path), (Lengths(real=7), 4, tmp_path)]
    assert result.output.splitlines()[-1].startswith("| real | 30.00 +- ")

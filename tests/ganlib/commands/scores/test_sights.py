"""What scores see of changed images: marks by hand, small sets, and the bundled record."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganlib
from ganlib.commands.scores import self_test
from ganlib.commands.scores.self_test import RECORDS, SIGHTS, answers
from ganlib.commands.scores.sights import CHANGES, Pool, Sight, noisy, sights
from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Extractor, Features
from ganlib.evaluation.statistics.references import silent

PAGE = Path(ganlib.__file__).parents[1] / "docs" / "evaluation.md"


class Quarters(Extractor):
    """The means of the four quarters of an image, and how rough each is."""

    name, digest, n_features, device = "quarters", "0" * 64, 8, torch.device("cpu")

    def __call__(self, x: Tensor) -> Features:
        means = torch.nn.functional.avg_pool2d(x.float(), 4)
        squares = torch.nn.functional.avg_pool2d(x.float().square(), 4)
        return Features(torch.cat([means, (squares - means.square()).sqrt()], 1).flatten(1))


def labelled(n: int, seed: int) -> DataSet:
    """Of five classes, each brighter than the one before: uint8 (n, 1, 8, 8)."""
    random = generator(seed, "sights")
    y = torch.arange(n) % 5
    x = 30 * y[:, None, None, None] + torch.randint(100, (n, 1, 8, 8), generator=random)
    return DataSet("set", x.to(torch.uint8), y, classes=tuple("abcde"))


def test_a_mark_is_worse_or_better_than_all() -> None:
    changed = {"worse": [5.0, 6.0], "better": [1.0, 0.0], "between": [3.0, 9.0]}
    assert Sight("FD", "lower", [2.0, 4.0], changed).marks == "+-."
    assert Sight("AuthPct", "higher", [2.0, 4.0], changed).marks == "-+."
    assert str(Sight("FD", "lower", [2.0, 4.0], {"blur": [5.0, 6.0]})) == "FD 3.000; blur + 5.500"


def test_changed_sets_are_what_they_are_called() -> None:
    unseen, train = labelled(500, 0), labelled(500, 1)
    assert isinstance(unseen.x, Tensor) and isinstance(train.x, Tensor)
    assert unseen.y is not None and train.y is not None
    pool = Pool(unseen.x, unseen.y, train.x, train.y)
    of = {name: make(pool, 1, 100) for name, make in CHANGES.items()}
    assert all(len(x) == 100 for x in of.values())
    assert torch.equal(of["noise"], noisy(unseen.x[100:200]))
    assert torch.equal(of["half of them twice"], torch.cat(2 * [unseen.x[100:150]]))
    assert torch.equal(of["training images"], train.x[100:200])
    assert of["a class dropped"].float().mean((1, 2, 3)).min() > 60  # none of the darkest
    known = {tuple(x.flatten().tolist()): int(k) for x, k in zip(train.x, train.y, strict=True)}
    uneven = [known[tuple(x.flatten().tolist())] for x in of["training images, classes uneven"]]
    assert uneven.count(4) > 2 * uneven.count(0)
    assert len({tuple(x.flatten().tolist()) for x in of["training images, classes uneven"]}) == 100


@pytest.mark.filterwarnings("ignore")
def test_small_sets_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That needs no thousands of images: what is far off, dropped or copied."""
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path))
    real = {"train": labelled(800, 0), "test": labelled(800, 1)}
    metrics = ("fid", "mind", "vendi", "authpct", "duplicates")
    found = {s.name: s for s in sights(Quarters(), real, silent, metrics, n=100, sets=3)}
    assert list(found)[:4] == [
        "FD-quarters-train",
        "FD-quarters-test",
        "duplicates-quarters-train",
        "MIND-quarters-train",
    ]
    for name in ("FD-quarters-train", "FD-quarters-test", "MIND-quarters-train"):
        assert found[name].mark("blur") == found[name].mark("a class dropped") == "+"
        assert len(found[name].unchanged) == 3 and list(found[name].changed) == list(CHANGES)
    assert found["AuthPct-quarters-train"].mark("training images") == "+"
    assert found["duplicates-quarters-train"].mark("training images") == "+"
    assert found["Vendi-quarters"].mark("half of them twice") in ".+"


def test_a_mark_that_the_record_does_not_know_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the right weights alone, and of the data that they were trained on."""
    monkeypatch.setattr(self_test, "RECORDS", tmp_path)
    seen = [Sight(name, "lower", [2.0], {"blur": [5.0], "noise": [1.0]}) for name in ("FD", "KD")]
    monkeypatch.setattr(self_test, "sights", lambda *_: iter(seen))
    (tmp_path / "fashion.json").write_text(json.dumps({SIGHTS: {"FD": "+-", "KD": "++"}}))
    real = {"train": labelled(20, 0)}

    def answers_of(name: str, dataset: str) -> list[str]:
        monkeypatch.setattr(Quarters, "name", name)
        return [str(x) for x in self_test._sights(dataset, Evaluator(Quarters(), real), silent)]

    assert answers_of("fashion", "fashion_mnist") == [
        "right: FD 2.000; blur + 5.000, noise - 1.000",
        "WRONG: KD 2.000; blur + 5.000, noise - 1.000 (known: ++)",
    ]
    assert answers_of("fashion", "emoji") == answers_of("quarters", "fashion_mnist") == []


def known() -> dict[str, str]:
    found: dict[str, str] = json.loads((RECORDS / "fashion.json").read_text("utf-8"))[SIGHTS]
    return found


def test_the_page_shows_what_the_record_knows() -> None:
    """A row for each score, a mark for each change in their order."""
    table = re.search(r"\| score \| blur.*?\n\n", PAGE.read_text("utf-8"), re.DOTALL)
    assert table is not None
    head, _, *rows = table.group().strip().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")][1:] == list(CHANGES)
    marks = {"seen": "+", "–": ".", "**fooled**": "-"}
    shown = {}
    for row in rows:
        name, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        shown[name.strip("`")] = "".join(marks[cell] for cell in cells)
    assert shown == known()


@pytest.mark.slow
def test_fashion_mnist_is_seen_as_the_record_knows(tmp_path: Path, monkeypatch: Any) -> None:
    """All known answers of the bundled images, as `ganlib evaluate --self-test` gives them."""
    from ganlib.common.io.console import stderr_console
    from ganlib.training.scores.real_images import RealImages
    from ganlib.training.scores.scorer import Criteria

    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path))
    found = list(answers(RealImages("fashion_mnist"), Criteria(), "cpu", stderr_console()))
    assert [str(answer) for answer in found if not answer.right] == []
    assert len(found) == 2 + len(known())

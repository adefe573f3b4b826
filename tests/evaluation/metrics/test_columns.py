"""What metrics say beforehand that they give is what they give."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Extractor, Features
from ganlib.evaluation.metrics import cas
from ganlib.evaluation.metrics.base import LABELLED, METRICS, columns_of


class Few(Extractor):
    """Four numbers of an image, with classes or without; as Inception or as another."""

    digest, n_features, device = "0" * 64, 4, torch.device("cpu")
    classes = ("a", "b", "c", "d")

    def __init__(self, name: str, n_classes: int) -> None:
        self.name, self.n_classes = name, n_classes

    @property
    def score_name(self) -> str:
        return "FID" if self.name == "inception" else super().score_name

    @property
    def suffix(self) -> str:
        return "" if self.name == "inception" else super().suffix

    def __call__(self, x: Tensor) -> Features:
        y = x.float().flatten(1)[:, :4]
        return Features(y, y if self.n_classes else None)


def titles(evaluator: Evaluator, metrics: Sequence[str], n: int) -> list[str]:
    return [column.title for column in columns_of(metrics, evaluator.inputs(), n)]


@pytest.mark.parametrize(("name", "n_classes"), [("inception", 4), ("few", 0)])
@pytest.mark.parametrize("n", [300, 5000, 10_000])
@pytest.mark.parametrize("splits", [("train", "test"), ("train",), ("test",), ("reference",)])
def test_they_are_those_of_an_evaluation(
    name: str, n_classes: int, n: int, splits: tuple[str, ...]
) -> None:
    torch.manual_seed(0)
    x = torch.randint(256, (n, 1, 2, 2), dtype=torch.uint8)
    extractor = Few(name, n_classes)
    evaluator = Evaluator(extractor, dict.fromkeys(splits, x[:100]))
    requested = ["fid_infinity", "mind", "vendi", "authpct", *(["fld"] if len(splits) > 1 else [])]
    for metrics in (("is", "fid"), (*METRICS, *requested) if n == 300 else ("fid",)):
        found = evaluator([x], metrics).scores
        assert titles(evaluator, metrics, n) == list(found)


@pytest.mark.parametrize("name", ["inception", "few"])
@pytest.mark.parametrize(("n", "splits"), [(300, ("train", "test")), (11_000, ("test",))])
def test_they_are_those_of_an_evaluation_by_class(
    name: str, n: int, splits: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cas, "EPOCHS", 1)
    torch.manual_seed(0)
    x, y = torch.randint(256, (n, 1, 2, 2), dtype=torch.uint8), torch.randint(4, (n,))
    extractor, real = Few(name, 4), DataSet("", x[:100], y[:100], None, Few.classes)
    evaluator = Evaluator(extractor, dict.fromkeys(splits, real))
    metrics = (*LABELLED, *(("cas",) if n == 300 else ()))
    found = evaluator([(x, y)], metrics).scores
    assert titles(evaluator, metrics, n) == list(found)

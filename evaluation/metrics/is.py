"""Inception Score: Salimans et al. 2016, section 4, https://arxiv.org/abs/1606.03498"""

import warnings
from collections.abc import Mapping

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value
from ganlib.evaluation.metrics.fid import COUNTS, counts
from ganlib.evaluation.metrics.formulas import inception_score
from ganlib.evaluation.statistics.real import Inputs

SPLITS = 10
N = max(COUNTS["train"])


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric; none in features without classes."""
    name, known = f"IS{inputs.extractor.suffix}", inputs.extractor.n_classes > 0
    return [Column(name, k, better="higher") for k in counts("train", n) if known]


def score(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    found, extractor = dict[Column, Value](), context.inputs.extractor
    if extractor.score_name == "FID" and not extractor.n_classes:
        warnings.warn(
            "The Inception Score is left out: these weights of Inception are without logits.",
            stacklevel=5,
        )
    for column in context.columns:
        splits = min(SPLITS, column.n // 2)
        mean, std = inception_score(context.logits[: column.n], splits)
        found[column] = Value(mean, std, settings={"splits": splits})
    return found


METRIC = Metric(score, needs=("logits",), n=N, columns=columns)

"""The Frechet distance of infinitely many samples: Chong & Forsyth 2020, section 3.2,
https://arxiv.org/abs/1911.07023

The distance of N samples is biased by about b / N, and b is another one for each generator.
"""

from collections.abc import Mapping

import numpy as np
import torch

from ganlib.common.seeds import generator
from ganlib.evaluation.metrics.base import Column, Context, Metric, Value
from ganlib.evaluation.metrics.fid import distance_of, rooted
from ganlib.evaluation.statistics.moments import moments_of
from ganlib.evaluation.statistics.real import Inputs

N = 50_000
SIZES, SEED = 15, 0
SMALLEST = 5000


def sizes(n: int) -> list[int]:
    """The numbers of samples whose distances the line is fitted to, even steps up to n."""
    return [int(k) for k in np.linspace(min(SMALLEST, max(n // 10, 2)), n, SIZES)]


def extrapolated(counts: list[int], distances: list[float]) -> float:
    """a of the least-squares fit of a + b / N to distances of N samples."""
    return float(np.polyfit(1 / np.array(counts), distances, 1)[1])


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric."""
    name = f"{inputs.extractor.score_name}-infinity"
    return [Column(name, n, split, "lower") for split in inputs.real]


def limits(context: Context) -> Mapping[Column, Value]:
    """See Metric: of samples in a random order the first ones, ever more of them."""
    counts = sizes(context.n)
    order = torch.randperm(context.n, generator=generator(SEED, "fid_infinity", context.n))
    features = context.features[order.to(context.features.device)]
    distances: dict[Column, list[float]] = {column: [] for column in context.columns}
    for k in counts:
        moments = moments_of([features[:k]])
        for column, values in distances.items():
            values.append(distance_of(moments, *rooted(context, str(column.reference))))
    settings = {"sizes": SIZES, "from": counts[0], "order_seed": SEED}
    found = {}
    for column, values in distances.items():
        fewest = min(counts[0], context.references[str(column.reference)].n)
        few = fewest <= features.shape[1]
        found[column] = Value(extrapolated(counts, values), settings=settings, rank_deficient=few)
    return found


METRIC = Metric(limits, n=N, columns=columns)

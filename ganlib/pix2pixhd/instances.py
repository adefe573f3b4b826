"""What is said of each instance of a map: means over its pixels, and clusters of such means."""

from typing import NamedTuple

import torch
from torch import Tensor

NUMBERS = 1 << 16
"""Of classes, and of instances, there are fewer."""


class Means(NamedTuple):
    """Of P pixels with C channels in all, of every instance: its mean (P, C) and how many pixels it
    has (P,), in rows that `number` (P,) names for each pixel. Rows beyond those are 0.
    """

    means: Tensor
    counts: Tensor
    number: Tensor


def numbered(ids: Tensor) -> Tensor:
    """Ids (N, 2, H, W) to (N * H * W,): a number from 0 on for each image, class and instance."""
    classes, instances = ids.long().unbind(1)
    image = torch.arange(len(ids), device=ids.device)[:, None, None]
    keys = ((image * NUMBERS + classes) * NUMBERS + instances).flatten()
    keys, order = keys.sort()
    steps = (keys[1:] != keys[:-1]).long().cumsum(0)
    # how many instances there are is never asked: a GPU would have to answer
    return torch.zeros_like(keys).scatter(0, order[1:], steps)


def means_of(h: Tensor, ids: Tensor) -> Means:
    """Of h (N, C, H, W), by the instances of ids (N, 2, H, W)."""
    number = numbered(ids)
    values = h.movedim(1, -1).flatten(0, 2)
    sums = torch.zeros_like(values).index_add(0, number, values)
    counts = torch.zeros_like(values[:, 0]).index_add(0, number, torch.ones_like(values[:, 0]))
    return Means(sums / counts.clamp(min=1)[:, None], counts, number)


def pooled(h: Tensor, ids: Tensor) -> Tensor:
    """Section 3.4: h (N, C, H, W) to the same shape, in every pixel the mean over its instance."""
    n, _, height, width = h.shape
    found = means_of(h, ids)
    rows = found.means.index_select(0, found.number)
    return rows.unflatten(0, (n, height, width)).movedim(-1, 1)


def largest(f: Tensor, ids: Tensor, most: int) -> Tensor:
    """Of pooled features f (N, F, H, W) the `most` largest instances of each image, or as many as
    there are pixels: (N * most, F + 2), the features, the class, and 1 or, where there are not so
    many, 0.
    """
    rows = []
    for one, its in zip(f.split(1), ids.split(1), strict=True):
        found = means_of(torch.cat([one, its[:, :1].to(f.dtype)], 1), its)
        counts, where = found.counts.topk(min(most, len(found.counts)))
        there = (counts > 0).to(f.dtype)[:, None]
        rows.append(torch.cat([found.means.index_select(0, where), there], 1))
    return torch.cat(rows)


def clusters(rows: Tensor, n_classes: int, k: int, rounds: int) -> Tensor:
    """k-means in each class of rows that largest() gave: centres (n_classes, k, F), 0 of a class
    that no row is of.

    The first centre is the row nearest to the class's mean, each further one the row that is
    farthest from those; then `rounds` times every row goes to its nearest centre, and every centre
    to the mean of its rows, if it has some.
    """
    f, classes, there = rows[:, :-2], rows[:, -2].round().long(), rows[:, -1] > 0
    own = there & (classes == torch.arange(n_classes, device=rows.device)[:, None])
    known = own.any(0)
    classes = classes.clamp(0, n_classes - 1)
    centres = _spread(f, classes, own, k)
    for _ in range(rounds):
        nearest = _squares(f, centres, classes).argmin(1)
        place = classes * k + nearest
        sums = f.new_zeros(n_classes * k, f.shape[1]).index_add(0, place, f * known[:, None])
        counts = f.new_zeros(n_classes * k).index_add(0, place, known.to(f.dtype))[:, None]
        means = (sums / counts.clamp(min=1)).unflatten(0, (n_classes, k))
        centres = torch.where((counts > 0).unflatten(0, (n_classes, k)), means, centres)
    return centres * own.any(1)[:, None, None]


def _spread(f: Tensor, classes: Tensor, own: Tensor, k: int) -> Tensor:
    """The first centres (n_classes, k, F) of rows f (S, F); own: (n_classes, S), of which class."""
    weights = own.to(f.dtype)
    mean = weights @ f / weights.sum(1, keepdim=True).clamp(min=1)
    distance = _squares(f, mean[:, None], classes)[:, 0]
    chosen = [f[torch.where(own, distance, torch.inf).argmin(1)]]
    distance = torch.full_like(distance, torch.inf)
    for _ in range(k - 1):
        distance = distance.minimum(_squares(f, chosen[-1][:, None], classes)[:, 0])
        chosen.append(f[torch.where(own, distance, -1.0).argmax(1)])
    return torch.stack(chosen, 1)


def _squares(f: Tensor, centres: Tensor, classes: Tensor) -> Tensor:
    """(S, k): of each row its squared distances from the centres of its class."""
    return (f[:, None] - centres[classes]).square().sum(2)

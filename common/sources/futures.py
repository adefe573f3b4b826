"""The frames that come after the past of a pair, more than the pair itself holds.

Pairs of sequences lie one after the other, each a frame later than the one before: in `moving`, and
in what --source past:N makes, also once it is written to a file. What is next of the pairs after a
pair is its future, as far as the sequence goes.
"""

import torch
from torch import Tensor

from ganlib.common.data.spec import DataSet


def future(data: DataSet, index: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n frames after the past of the pairs `index` (k,), uint8 (k, n, C, H, W); and which pairs
    have so many, bool (k,): of the others, some are black or another sequence's.

    data: pairs whose sources are past frames alone, of the images' size. That a pair goes on
    another is seen by its past, which is the other's a frame later.
    """
    assert data.source is not None
    channels, *_ = data.frame
    x = data.x[index]
    frames = x.reshape(len(x), data.frames, *data.frame)[:, :n]
    result = torch.zeros(len(index), n, *frames.shape[2:], dtype=torch.uint8)
    result[:, : frames.shape[1]] = frames
    whole, past = torch.ones(len(index), dtype=torch.bool), data.source[index]
    for t in range(n - data.frames):
        later = (index + t + 1).clamp(max=len(data) - 1)
        expected = torch.cat([past[:, channels:], result[:, t]], 1)
        past = data.source[later]
        whole &= (past == expected).flatten(1).all(1) & (index + t + 1 < len(data))
        result[:, t + data.frames] = data.x[later][:, -channels:]
    return result, whole

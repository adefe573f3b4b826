"""Minibatch standard deviation: Karras et al. 2018, section 3."""

import torch
from torch import Tensor


def minibatch_deviation(x: Tensor, group: int | None = None, eps: float = 1e-8) -> Tensor:
    """How much the samples of a group differ, as one channel more, (N, C + 1, H, W).

    sqrt(variance + eps) of each value over the group, the mean of it over all values. Of the N / G
    groups of G samples each, sample i belongs to number i mod (N / G). G is the largest divisor of
    N that is no more than `group`; None: the whole batch. With several GPUs, or a batch in several
    passes, N is a share's.
    """
    n, _, height, width = x.shape
    size = _largest_divisor(n, group or n)
    exact = torch.promote_types(x.dtype, torch.float32)
    by_group = x.to(exact).reshape(size, n // size, *x.shape[1:])
    deviation = (by_group.var(0, correction=0) + eps).sqrt().flatten(1).mean(1)
    channel = deviation.to(x.dtype).repeat(size)[:, None, None, None]
    return torch.cat([x, channel.expand(n, 1, height, width)], 1)


def _largest_divisor(n: int, most: int) -> int:
    return next(d for d in range(min(n, most), 0, -1) if n % d == 0)

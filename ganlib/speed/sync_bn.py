"""Layers that look at the batch, as batch normalisation does, over those of all ranks together."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.training.device import ranks


def synchronize(network: nn.Module) -> None:
    """Make every batch normalisation in `network` take its statistics from all ranks, and let every
    layer whose class says of itself `of_the_batch` see the samples of all.

    In double precision n ranks then compute what one process does with the whole batch. torch's own
    SyncBatchNorm needs a GPU and a gain that is a parameter.
    """
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            _derive(layer, _Synchronized)
        elif getattr(layer, "of_the_batch", False):
            _derive(layer, _Whole)


def _derive(layer: nn.Module, base: type[nn.Module]) -> None:
    cls = type(layer)
    layer.__class__ = type(cls.__name__, (base, cls), {})


class _Whole(nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        """What the layer makes of the samples (N, ...) of all ranks, for this one's."""
        if not self.training:
            found: Tensor = super().forward(input)
            return found
        n, k, of = len(input), ranks.rank(), ranks.count()
        own = F.pad(input, (*[0, 0] * (input.dim() - 1), k * n, (of - 1 - k) * n))
        whole: Tensor = super().forward(mean_over_ranks(own) * of)
        return whole[k * n : (k + 1) * n]


class _Synchronized(nn.modules.batchnorm._BatchNorm):
    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) normalised; every rank must have the same N."""
        if not self.training:
            return super().forward(input)
        axes = [0, *range(2, input.dim())]
        shape = [1, -1, *[1] * (input.dim() - 2)]
        x = input.float() if input.dtype == torch.bfloat16 else input
        mean = mean_over_ranks(x.mean(axes))
        centred = x - mean.view(shape)
        var = mean_over_ranks(centred.square().mean(axes))
        self._update_running(mean.detach(), var.detach(), ranks.count() * x.numel() // x.shape[1])
        y = centred * torch.rsqrt(var + self.eps).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, var: Tensor, n: int) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(
            (var * (n / max(n - 1, 1))).to(self.running_var.dtype), self.momentum
        )

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape (N, C, ...)."""


def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of `value` over the ranks, with a graph: its gradient is the mean of theirs, as the
    losses of all ranks depend on it.
    """
    if ranks.count() == 1:
        return value
    from torch.distributed.nn.functional import all_reduce  # which not every build has

    total: Tensor = all_reduce(value)  # type: ignore[no-untyped-call]
    return total / ranks.count()

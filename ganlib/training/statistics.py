"""By which means and variances batch normalisation normalises samples.

"running": those that training has averaged. "standing:N": those of N batches of fresh latents,
averaged afterwards (the standing statistics of BigGAN: Brock et al. 2019). "batch": those of the
samples themselves, in groups as large as a batch of training (pix2pix: Isola et al. 2017,
section 3.3).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)
BatchNorm = nn.modules.batchnorm._BatchNorm


@contextmanager
def of_the_batch(network: nn.Module) -> Iterator[None]:
    """Batch normalisation in evaluation mode by the batch that it is given, which moves nothing."""
    kept = {layer: (layer.running_mean, layer.running_var) for layer in _norms(network)}
    for layer in kept:
        layer.running_mean = layer.running_var = None
    try:
        yield
    finally:
        for layer, (mean, variance) in kept.items():
            layer.running_mean, layer.running_var = mean, variance


@torch.no_grad()
def standing(network: N, run: Callable[[N, int], object], n: int) -> N:
    """A copy of the network whose running statistics are the means over n batches; run(copy, k)
    passes batch k through it, in evaluation mode. The network itself if it has none.

    What torch.optim.swa_utils.update_bn computes, with all other layers as they are in sampling.
    """
    if not _norms(network):
        return network
    copy = deepcopy(network).eval()
    seen: dict[BatchNorm, list[tuple[Tensor, Tensor]]] = {}

    def note(layer: BatchNorm, inputs: tuple[Tensor]) -> None:
        axes = [0, *range(2, inputs[0].dim())]
        seen.setdefault(layer, []).append(torch.var_mean(inputs[0], axes))

    hooks = [layer.register_forward_pre_hook(note) for layer in _norms(copy)]
    with of_the_batch(copy):
        for k in range(n):
            run(copy, k)
    for hook in hooks:
        hook.remove()
    for layer, pairs in seen.items():
        variances, means = map(torch.stack, zip(*pairs, strict=True))
        assert layer.running_mean is not None and layer.running_var is not None
        layer.running_mean.copy_(means.mean(0))
        layer.running_var.copy_(variances.mean(0))
    return copy


def _norms(network: nn.Module) -> list[BatchNorm]:
    """The layers that keep running statistics."""
    layers = [layer for layer in network.modules() if isinstance(layer, BatchNorm)]
    return [layer for layer in layers if layer.running_mean is not None]

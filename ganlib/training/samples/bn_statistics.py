"""By which means and variances batch normalisation normalises samples.

"running": those that training has averaged. "standing:N": those of N batches of fresh latents,
averaged afterwards (the standing statistics of BigGAN: Brock et al. 2019). "batch": those of the
samples themselves, in groups as large as a batch of training, which are of all classes, whichever
samples are asked to be of; of a translator those of each image alone, as in the authors' tests,
whose batches are of one (pix2pix: Isola et al. 2017, section 3.3).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import deepcopy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)
BatchNorm = nn.modules.batchnorm._BatchNorm
Part = tuple[int, Tensor, Tensor]
"""Of a pass: how many values each channel has, their variances and means."""
IMAGE = "image"
"""What the protocol of a score has for "batch" of each image alone."""


@contextmanager
def of_the_batch(network: nn.Module) -> Iterator[None]:
    """Batch normalisation in evaluation mode by the batch that it is given, which moves nothing."""
    running = {layer: (layer.running_mean, layer.running_var) for layer in _norms(network)}
    for layer in running:
        layer.running_mean = layer.running_var = None
    try:
        yield
    finally:
        for layer, (mean, variance) in running.items():
            layer.running_mean, layer.running_var = mean, variance


def of_the_first_half(network: nn.Module) -> AbstractContextManager[None]:
    """Within of_the_batch(): by the first half of the batch alone, which is two of one size."""

    def by_half(layer: BatchNorm, inputs: tuple[Tensor]) -> None:
        axes, half = _axes(inputs[0]), inputs[0][: len(inputs[0]) // 2]
        layer.running_var, layer.running_mean = torch.var_mean(half, axes, correction=0)

    return _hooked(network, lambda layer: layer.register_forward_pre_hook(by_half))


def of_each_image(network: nn.Module) -> AbstractContextManager[None]:
    """Batch normalisation of (N, C, H, W) in evaluation mode as in batches of one, which moves
    nothing: an image does not depend on what else is in its batch.
    """

    def alone(layer: BatchNorm, inputs: tuple[Tensor], _: Tensor) -> Tensor:
        return F.instance_norm(inputs[0], None, None, layer.weight, layer.bias, eps=layer.eps)

    return _hooked(network, lambda layer: layer.register_forward_hook(alone))


@torch.no_grad()
def standing(network: N, run: Callable[[N, int], object], n: int, passes: int = 1) -> N:
    """A copy of the network whose running statistics are the means over n batches; run(copy, k)
    passes batch k through it, in evaluation mode. The network itself if it has none.

    What torch.optim.swa_utils.update_bn computes, with all other layers as they are in sampling.
    passes: of so many k, passes of one size, a batch consists. As where training accumulates
    gradients, each is normalised by its own, behind which the batch's are those of all together.
    """
    if not _norms(network):
        return network
    copy = deepcopy(network).eval()
    parts: dict[BatchNorm, list[Part]] = {layer: [] for layer in _norms(copy)}
    of_batches: dict[BatchNorm, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in parts}

    def note(layer: BatchNorm, inputs: tuple[Tensor]) -> None:
        x = inputs[0]
        parts[layer].append((x.numel() // x.shape[1], *torch.var_mean(x, _axes(x))))

    noted = _hooked(copy, lambda layer: layer.register_forward_pre_hook(note))
    with noted, of_the_batch(copy):
        for k in range(n):
            for part in range(k * passes, (k + 1) * passes):
                run(copy, part)
            for layer, in_parts in parts.items():
                of_batches[layer].append(_together(in_parts))
                in_parts.clear()
    for layer, pairs in of_batches.items():
        variances, means = map(torch.stack, zip(*pairs, strict=True))
        assert layer.running_mean is not None and layer.running_var is not None
        layer.running_mean.copy_(means.mean(0))
        layer.running_var.copy_(variances.mean(0))
    return copy


def _together(parts: Sequence[Part]) -> tuple[Tensor, Tensor]:
    """The variance (unbiased, as PyTorch's) and the mean of parts of one size taken together."""
    p, m = len(parts), parts[0][0]
    most = max(1, p * m - 1)
    variances = torch.stack([variance for _, variance, _ in parts])
    means = torch.stack([mean for _, _, mean in parts])
    within, between = variances.mean(0), means.var(0, correction=0)
    return within * (p * (m - 1) / most) + between * (p * m / most), means.mean(0)


@contextmanager
def _hooked(
    network: nn.Module, register: Callable[[BatchNorm], AbstractContextManager[object]]
) -> Iterator[None]:
    """With a hook on each of its layers."""
    with ExitStack() as hooks:
        for layer in _norms(network):
            hooks.enter_context(register(layer))
        yield


def _axes(x: Tensor) -> list[int]:
    """All but that of the channels."""
    return [0, *range(2, x.dim())]


def _norms(network: nn.Module) -> list[BatchNorm]:
    """The layers that keep running statistics."""
    layers = [layer for layer in network.modules() if isinstance(layer, BatchNorm)]
    return [layer for layer in layers if layer.running_mean is not None]

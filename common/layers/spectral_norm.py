"""Spectral normalisation: SNGAN (Miyato et al. 2018), algorithm 1."""

from functools import wraps
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers.basic import ClassEmbedding, look_up, override

SN_EPS = 1e-12


def spectral_norm(matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The spectral norm of each matrix by one power iteration from u.

    matrix: (..., d_out, d_in); u: (..., d_out), of any length but 0. Returns sigma (...) and the
    new u, which has no graph. u and v are constants: the gradient flows through W in u^T W v.
    Source: sngan_projection source/functions/max_sv.py; epsilon is added to the norm.
    """
    # Products and sums, not matrix products, which autocast would make in half precision.
    fixed = matrix.detach()
    v = _unit((fixed * u[..., :, None]).sum(-2))
    u = _unit((fixed * v[..., None, :]).sum(-1))
    return ((matrix * v[..., None, :]).sum(-1) * u).sum(-1), u


def _unit(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector / (length + SN_EPS)


def spectral_normalize(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The weight (d_out, ...), seen as the matrix (d_out, rest), over its spectral norm; and the
    new u (d_out,). Gradients flow through the weight in the numerator and in the norm.
    """
    sigma, u = spectral_norm(weight.flatten(1), u)
    return weight / sigma, u


class SNLayer(nn.Module):
    """What the spectrally normalised layers share: u, which starts as N(0, 1), not normalised, and
    is kept only in training mode: in evaluation mode the same iteration runs and its result is
    dropped. (chainer-gan-lib common/sn also moves u in evaluation, and does not save it.)
    """

    weight: Tensor
    u: Tensor
    sigma: Tensor | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("u", torch.randn(len(self.weight)))
        self.register_buffer("sigma", None, persistent=False)

    def normalized(self) -> Tensor:
        """The normalised weight; in training mode u moves on, in place."""
        if self.sigma is not None:
            return self.weight / self.sigma
        # torch.compile may compute v again in the backward pass, where self.u is the next one
        # already (pytorch pull request 197039): the gradient would be wrong without a word.
        opaque = self.training and torch.compiler.is_compiling()
        weight, u = spectral_normalize(self.weight, _snapshot(self.u) if opaque else self.u)
        if self.training:
            self.u.copy_(u)
        return weight


class SNConv2d(SNLayer, nn.Conv2d):
    """A convolution whose (d_out, d_in * k * k) matrix has spectral norm 1; the bias is untouched.

    Its arguments are nn.Conv2d's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool in map(type, args):  # nn.Conv2d has another argument in that place
            raise TypeError("SNConv2d takes bias by keyword alone")
        super().__init__(*args, **kwargs)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        return self._conv_forward(input, self.normalized(), self.bias)


class SNLinear(SNLayer, nn.Linear):
    """A linear layer of spectral norm 1; its arguments are nn.Linear's."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, self.normalized(), self.bias)


class SNEmbedding(SNLayer, ClassEmbedding):
    """A vector for each class; the matrix (num_embeddings, embedding_dim) has spectral norm 1."""

    def forward(self, y: Tensor) -> Tensor:
        """int64 (N,) or float (N, num_embeddings) -> (N, embedding_dim)."""
        return look_up(self.normalized(), y)


@torch.library.custom_op("ganlib::snapshot", mutates_args=())
def _snapshot(u: Tensor) -> Tensor:
    """A copy that torch.compile takes for opaque, and so does not make again."""
    return u.clone()


_snapshot.register_fake(torch.empty_like)


# --- All layers of a network at once

FEW = 2
"""So many matrices of one shape are not worth a batch: the two of an MLP take 9 % longer in one."""


def iterate_together(network: nn.Module) -> None:
    """Make a forward pass of `network` in training mode begin with the power iterations of its
    layers, those whose matrices have the same shape as one batch.

    It computes what the layers do by themselves, in fewer and larger operations: 956 and not 1,221
    for the passes of SNGAN's residual discriminator, which counts where starting one takes longer
    than doing it, on a GPU. A compiled loss, where operations are fused anyway, stays as it was.
    """
    forward = type(network).forward

    @wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not self.training or torch.compiler.is_compiling():
            return forward(self, *args, **kwargs)
        groups = _groups(self)
        for layers in groups:
            us = [layer.u for layer in layers]
            matrices = torch.stack([layer.weight.flatten(1) for layer in layers])
            sigmas, u = spectral_norm(matrices, torch.stack(us))
            torch._foreach_copy_(us, list(u.unbind()))
            for layer, sigma in zip(layers, sigmas.unbind(), strict=True):
                layer.sigma = sigma
        try:
            return forward(self, *args, **kwargs)
        finally:
            for layer in chain(*groups):
                layer.sigma = None

    if _groups(network):
        override(network, {"forward": run})


def _groups(network: nn.Module) -> list[list[SNLayer]]:
    """The layers whose matrices have the same shape, where there are more than a few."""
    groups: dict[tuple[int, int], list[SNLayer]] = {}
    for layer in network.modules():
        if isinstance(layer, SNLayer):
            d_out = len(layer.weight)
            groups.setdefault((d_out, layer.weight.numel() // d_out), []).append(layer)
    return [layers for layers in groups.values() if len(layers) > FEW]

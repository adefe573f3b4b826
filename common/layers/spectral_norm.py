"""Spectral normalisation: SNGAN (Miyato et al. 2018), algorithm 1."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ganlib.common.layers import reparametrized
from ganlib.common.layers.basic import ClassEmbedding

SN_EPS = 1e-12


def spectral_normalize(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The weight (d_out, ...), seen as the matrix (d_out, rest), over its spectral norm by one
    power iteration from u (d_out,), of any length but 0; and the new u, which has no graph.

    Gradients flow through the weight in the numerator and in the norm. The layout stays.
    """
    if weight.dim() > 2:
        last = weight.stride(1) == 1  # as channels_last has it: a matrix in this order is no copy
        rows = weight.movedim(1, -1) if last else weight
        matrix, u = spectral_normalize(rows.flatten(1), u)
        normalized = matrix.view(rows.shape)
        return normalized.movedim(-1, 1) if last else normalized, u
    # torch.func and the compiler find gradients of their own, and allow or need no Function
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    normalized, _, u, _ = (_normalize if traced else _ClosedForm.apply)(weight, u)
    return normalized, u


def _normalize(matrix: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W / sigma, sigma, the new u and v, of a matrix W (d_out, d_in) and u (d_out,).

    sigma = u^T W v, of which u and v are constants. Source: sngan_projection
    source/functions/max_sv.py; epsilon is added to the norm.
    """
    kind = matrix.device.type
    rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    with torch.autocast(kind, enabled=False) if rounds else nullcontext():
        v = _unit(matrix.detach().mT.mv(u))
        product = matrix.mv(v)
    u = _unit(product.detach())
    sigma = u.dot(product)
    return matrix / sigma, sigma, u, v


def _unit(vector: Tensor) -> Tensor:
    return vector / (torch.linalg.vector_norm(vector) + SN_EPS)


class _ClosedForm(torch.autograd.Function):
    """_normalize with its gradient in closed form, in half as many operations.

    For gradients G of W / sigma and g of sigma, that of W is (G - <G, W / sigma> u v^T) / sigma +
    g u v^T. This is differentiable again.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        normalized, sigma, u, v = _normalize(matrix, u)
        ctx.save_for_backward(normalized, sigma, u, v)
        ctx.mark_non_differentiable(u, v)
        ctx.set_materialize_grads(False)
        return normalized, sigma, u, v

    @staticmethod
    def backward(ctx: Any, g: Tensor, g_sigma: Tensor | None, *_: None) -> tuple[Tensor, None]:
        normalized, sigma, u, v = ctx.saved_tensors
        slope = g.flatten().dot(normalized.flatten())
        if g_sigma is not None:  # in the gradient of a gradient alone
            slope = slope - g_sigma * sigma
        return torch.addcmul(g, (slope * u)[:, None], v, value=-1) / sigma, None


class SNLayer(reparametrized.Layer):
    """What the spectrally normalised layers share: u, which starts as N(0, 1), not normalised, and
    is kept only in training mode: in evaluation mode the same iteration runs and its result is
    dropped. (chainer-gan-lib common/sn also moves u in evaluation, and does not save it.)
    """

    u: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("u", torch.randn(self.weight.shape[self.axis]))

    def effective_weight(self) -> Tensor:
        """The normalised weight; in training mode u moves on, in place."""
        # torch.compile may compute v again in the backward pass, where self.u is the next one
        # already (pytorch pull request 197039): the gradient would be wrong without a word.
        opaque = self.training and torch.compiler.is_compiling()
        rows = self.weight.movedim(self.axis, 0) if self.axis else self.weight
        rows, u = spectral_normalize(rows, _snapshot(self.u) if opaque else self.u)
        if self.training:
            self.u.copy_(u)
        return rows.movedim(0, self.axis) if self.axis else rows


class SNConv2d(SNLayer, reparametrized.Conv2d):
    """A convolution whose (d_out, d_in * k * k) matrix has spectral norm 1; the bias is untouched.

    Its arguments are nn.Conv2d's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool in map(type, args):  # nn.Conv2d has another argument in that place
            raise TypeError("SNConv2d takes bias by keyword alone")
        super().__init__(*args, **kwargs)


class SNConvTranspose2d(SNLayer, reparametrized.ConvTranspose2d):
    """A transposed convolution whose (d_out, d_in * k * k) matrix has spectral norm 1."""


class SNLinear(SNLayer, reparametrized.Linear):
    """A linear layer of spectral norm 1; its arguments are nn.Linear's."""


class SNEmbedding(SNLayer, ClassEmbedding):
    """A vector for each class; the matrix (num_embeddings, embedding_dim) has spectral norm 1."""


@torch.library.custom_op("ganlib::snapshot", mutates_args=())
def _snapshot(u: Tensor) -> Tensor:
    """A copy that torch.compile takes for opaque, and so does not make again."""
    return u.clone()


_snapshot.register_fake(torch.empty_like)

"""The formulas that several algorithms minimise: logits in, 0-dim tensor out.

Logits are (N, 1) or (N,); real and fake batches may differ in size, each has its own mean.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers.checkpoint import for_second_derivatives
from ganlib.moved import renamed

if not TYPE_CHECKING:  # mypy would find every name here
    __getattr__ = renamed(__name__, aside="stateless")


def loss_dis_softplus(y_real: Tensor, y_fake: Tensor) -> Tensor:
    """-log s(D(x)) - log(1 - s(D(G(z)))), s the sigmoid: Goodfellow et al. 2014, eq. 1."""
    return F.softplus(-y_real).mean() + F.softplus(y_fake).mean()


def loss_gen_softplus(y_fake: Tensor) -> Tensor:
    """-log s(D(G(z))), the non-saturating form: Goodfellow et al. 2014, section 3; DCGAN."""
    return F.softplus(-y_fake).mean()


def loss_gen_minimax(y_fake: Tensor) -> Tensor:
    """log(1 - s(D(G(z)))), which saturates: Goodfellow et al. 2014, eq. 1 and algorithm 1."""
    return -F.softplus(y_fake).mean()


def loss_dis_hinge(
    y_real: Tensor, y_fake: Tensor, real: Tensor | float = 1.0, fake: Tensor | float = 1.0
) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): SNGAN (Miyato et al. 2018), eq. 16; real, fake: the
    margins, where they are not 1.
    """
    return F.relu(real - y_real).mean() + F.relu(fake + y_fake).mean()


class LeCam(nn.Module):
    """A discriminator's loss plus `weight` times E max(0, D(x) - a_fake)^2 + E max(0, a_real -
    D(G(z)))^2, a_real and a_fake moving averages of the logits: LeCam (Tseng et al. 2021,
    https://arxiv.org/abs/2104.03310, with the authors' code's positive parts; their start from 0 is
    divided out). With a weight of 0 it has no state.

    means: of the logits of real and of generated images, and of 1, which the others go with.
    """

    means: Tensor
    DECAY = 0.99

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        if weight:
            self.register_buffer("means", torch.zeros(3))

    def forward(
        self, loss: Callable[..., Tensor], y_real: Tensor, y_fake: Tensor, *margins: Tensor
    ) -> Tensor:
        """loss(y_real, y_fake, *margins) and the regulariser, 0-dim; brings the averages on."""
        value = loss(y_real, y_fake, *margins)
        if not self.weight:
            return value
        with torch.no_grad():
            now = torch.stack([y_real.mean(), y_fake.mean(), torch.ones_like(y_real.mean())])
            self.means.lerp_(now.to(self.means), 1 - self.DECAY)
        real, fake = (self.means[:2] / self.means[2]).to(y_real).unbind()
        far = F.relu(y_real - fake).square().mean() + F.relu(real - y_fake).square().mean()
        return value + self.weight * far


def loss_gen_hinge(y_fake: Tensor) -> Tensor:
    """-D(G(z)): SNGAN (Miyato et al. 2018), eq. 17."""
    return -y_fake.mean()


def loss_dis_wasserstein(y_real: Tensor, y_fake: Tensor) -> Tensor:
    """D(G(z)) - D(x): WGAN (Arjovsky et al. 2017), algorithm 1, with the sign to descend."""
    return y_fake.mean() - y_real.mean()


def loss_gen_wasserstein(y_fake: Tensor) -> Tensor:
    """-D(G(z)): WGAN (Arjovsky et al. 2017), algorithm 1."""
    return -y_fake.mean()


def loss_dis_least_squares(y_real: Tensor, y_fake: Tensor, a: float, b: float) -> Tensor:
    """(D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2: LSGAN (Mao et al. 2016), section 3.2."""
    return ((y_real - b).square().mean() + (y_fake - a).square().mean()) / 2


def loss_gen_least_squares(y_fake: Tensor, c: float) -> Tensor:
    """(D(G(z)) - c)^2 / 2: LSGAN (Mao et al. 2016), section 3.2."""
    return (y_fake - c).square().mean() / 2


def energy_distance(h_real: Tensor, h_fake: Tensor, h_other: Tensor) -> Tensor:
    """|h - h~| + |h - h~'| - |h~ - h~'|: the squared energy distance of h and h~ but for the term
    -|h - h'|, on which no generator depends. Cramer GAN (Bellemare et al. 2017).

    (N, K) each, row i of one with row i of the others; h_fake, h_other: independent fakes.
    """
    cross = row_norm(h_real - h_fake) + row_norm(h_real - h_other)
    return (cross - row_norm(h_fake - h_other)).mean()


def row_norm(h: Tensor) -> Tensor:
    """(N, K) -> Euclidean lengths (N,), of first and second derivative 0 where they are 0."""
    # vector_norm's second derivative at 0, which a penalty on its slope needs, is nan
    square = h.square().sum(1)
    zero = square == 0
    return square.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


def loss_dis_relativistic(y_real: Tensor, y_fake: Tensor) -> Tensor:
    """-log s(D(x_i) - D(G(z_i))), real i against fake i: RpGAN in R3GAN (Huang et al. 2024).

    The one loss here that pairs the samples: y_real and y_fake have the same shape.
    """
    return F.softplus(y_fake - y_real).mean()


def loss_gen_relativistic(y_real: Tensor, y_fake: Tensor) -> Tensor:
    """-log s(D(G(z_i)) - D(x_i)): RpGAN in R3GAN (Huang et al. 2024)."""
    return F.softplus(y_real - y_fake).mean()


def gradient_penalty(
    dis: nn.Module, x: Tensor, y: Tensor | None = None, target: float = 1.0
) -> Tensor:
    """(||grad_x D(x, y)||_2 - target)^2, the norm over C, H, W together, the mean over the batch.

    x: (N, C, H, W), where the slope is taken; y: what `dis` is told. WGAN-GP (Gulrajani et al.
    2017), eq. 3, without epsilon as in chainer-gan-lib wgan_gp/updater.py; vector_norm has
    gradient 0 at 0. No buffer of `dis` moves.
    """
    return slope_penalty(lambda x: stateless(dis, x, y), x, target)


def slope_penalty(height: Callable[[Tensor], Tensor], x: Tensor, target: float = 1.0) -> Tensor:
    """(||grad_x f(x)||_2 - target)^2 as gradient_penalty, of any f: (N, C, H, W) -> (N, ...) whose
    row i depends on x[i] alone. Networks go into f by `stateless`.
    """
    gradient, _ = gradient_of(height, x)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - target).square().mean()


def stateless(dis: nn.Module, x: Tensor, y: Tensor | None = None) -> Tensor:
    """dis(x, y) by copies of its buffers: no running statistics or spectral-norm vectors move."""
    # Made in here, because torch.func.grad refuses to mutate what its function captured.
    buffers = {name: buffer.clone() for name, buffer in dis.named_buffers()}
    return torch.func.functional_call(dis, buffers, (x, y))


def gradient_of(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of f(x).sum() at x, of its shape, and f(x); both have a graph, by x too."""

    def total(x: Tensor) -> tuple[Tensor, Tensor]:
        with differentiated_twice():
            y = f(x)
        return y.sum(), y

    if torch.compiler.is_compiling():  # which cannot trace autograd.grad
        gradient, y = torch.func.grad(total, has_aux=True)(x)
        return gradient, y
    with torch.enable_grad():
        x = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
        height, y = total(x)
        with for_second_derivatives():
            (gradient,) = torch.autograd.grad(height, x, create_graph=True)
    _leave_out_zeros(gradient)
    return gradient, y


_twice: list[None] = []


@contextmanager
def differentiated_twice() -> Iterator[None]:
    """Around what there will be gradients of gradients of."""
    _twice.append(None)
    try:
        yield
    finally:
        _twice.pop()


def is_differentiated_twice() -> bool:
    """Whether the caller is within differentiated_twice()."""
    return bool(_twice)


KINKED = ("ThresholdBackwardBackward0", "LeakyReluBackwardBackward0")
"""Autograd's names for the derivatives of what ReLU and leaky ReLU do to a gradient."""


def _leave_out_zeros(gradient: Tensor) -> None:
    """Let the second derivative of ReLU and leaky ReLU, which is 0, be no gradient: autograd sends
    zeros back through the whole of the pass that `gradient` is of.
    """
    nodes, seen = [gradient.grad_fn], set[Any]()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        nodes += [following for following, _ in node.next_functions]
        if node.name() in KINKED:
            node.register_hook(lambda gradients, _: (gradients[0], None))


def r1_penalty(
    dis: nn.Module,
    x: Tensor,
    y: Tensor | None = None,
    through: Callable[[Tensor], Tensor] = lambda x: x,
) -> tuple[Tensor, Tensor]:
    """||grad_x D(through(x), y)||^2, summed over C, H, W, the mean over the batch; and the logits.

    On real images R1, on fakes R2 (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406), which
    papers weight by gamma / 2. through: what happens to an image before `dis`, an augmentation for
    instance; the slope is that at the image before it. The logits, which have a graph, spare a
    second pass. No buffer of `dis` moves.
    """
    gradient, y_x = gradient_of(lambda x: stateless(dis, through(x), y), x)
    return gradient.square().flatten(1).sum(1).mean(), y_x


def orthogonal_penalty(matrix: Tensor) -> Tensor:
    """|W W^T * (1 - I)|^2, the norm Frobenius': the products of every two different rows of
    W (n, k), squared and added up; rows may be of any length. BigGAN (Brock et al. 2019), eq. 3.
    """
    # The squares of all products are as many for W^T W, which is smaller where rows are more.
    fewer = matrix if len(matrix) <= matrix.shape[1] else matrix.mT
    all_pairs = (fewer @ fewer.mT).square().sum()
    return all_pairs - matrix.square().sum(1).square().sum()

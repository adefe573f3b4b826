"""common/losses.py: formulas against NumPy, the gradient penalty against finite differences."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ganlib.common import losses
from ganlib.common.layers import BatchNorm2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.losses import gradient_penalty, r1_penalty

REAL = np.array([[2.0], [-0.5], [0.25]])
FAKE = np.array([[-3.0], [1.5]])  # another batch size, on purpose


def softplus(t: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(t))


EXPECTED = {
    "loss_dis_softplus": softplus(-REAL).mean() + softplus(FAKE).mean(),
    "loss_gen_softplus": softplus(-FAKE).mean(),
    "loss_gen_minimax": np.log(1 - 1 / (1 + np.exp(-FAKE))).mean(),
    "loss_dis_hinge": (0 + 1.5 + 0.75) / 3 + (0 + 2.5) / 2,
    "loss_gen_hinge": 0.75,
    "loss_dis_wasserstein": -0.75 - 1.75 / 3,
    "loss_gen_wasserstein": 0.75,
    "loss_dis_least_squares": ((9 + 0.25 + 1.5625) / 3 + (6.25 + 4) / 2) / 2,
    "loss_gen_least_squares": (5.5**2 + 1) / 2 / 2,
}
LABELS = {"loss_dis_least_squares": (-0.5, -1.0), "loss_gen_least_squares": (2.5,)}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_values(name: str, shape: tuple[int, ...]) -> None:
    logits = [torch.from_numpy(FAKE).reshape(shape)]
    if "_dis_" in name:
        logits.insert(0, torch.from_numpy(REAL).reshape(shape))
    loss = getattr(losses, name)(*logits, *LABELS.get(name, ()))
    assert loss.shape == ()
    assert loss.item() == pytest.approx(EXPECTED[name], abs=1e-12)


def test_extreme_logits_stay_finite() -> None:
    y = torch.tensor([-1e4, 1e4])
    assert losses.loss_dis_softplus(y, y).item() == pytest.approx(1e4)
    assert losses.loss_gen_softplus(y).item() == pytest.approx(5e3)


# --- The gradient penalty. The critics are smooth, so that finite differences are exact enough.


class Critic(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits if y is None else logits * y[:, None]


def plain() -> Critic:
    convs = nn.Conv2d(1, 2, 3, 2, 1), nn.Tanh(), nn.Conv2d(2, 2, 2)
    return Critic(*convs, nn.Flatten(), nn.Linear(2, 1))


def with_batch_norm() -> Critic:
    conv = nn.Conv2d(1, 2, 3, 2, 1)
    return Critic(conv, BatchNorm2d(2), nn.Softplus(), nn.Flatten(), nn.Linear(8, 1))


def with_spectral_norm() -> Critic:
    return Critic(SNConv2d(1, 2, 3, 2, 1), nn.Softplus(), nn.Flatten(), SNLinear(8, 1))


CRITICS = [plain, with_batch_norm, with_spectral_norm]
SHAPE = (3, 1, 4, 4)


def make(critic: Callable[[], Critic]) -> tuple[Critic, Tensor]:
    """A critic in training mode whose power iterations have converged, and images for it."""
    torch.manual_seed(0)
    dis = critic().double()
    x = torch.randn(SHAPE, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(200):
            dis(x)
    return dis, x


def finite_differences(f: Callable[[], float], at: Tensor, h: float = 1e-5) -> Tensor:
    """df/dat by central differences; f reads `at`, which is moved in place and put back."""
    slope = torch.empty_like(at)
    flat, out = at.detach().view(-1), slope.view(-1)
    for i, value in enumerate(flat.tolist()):
        flat[i] = value + h
        upper = f()
        flat[i] = value - h
        out[i] = (upper - f()) / (2 * h)
        flat[i] = value
    return slope


def by_autograd(dis: nn.Module, x: Tensor, target: float = 1.0) -> Tensor:
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(dis(x).sum(), x, create_graph=True)
    return ((slope.square().sum((1, 2, 3)).sqrt() - target) ** 2).mean()


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize("target", [1.0, 0.25])
def test_penalty_is_that_of_finite_differences(critic: Callable[[], Critic], target: float) -> None:
    dis, x = make(critic)
    state = {name: buffer.clone() for name, buffer in dis.named_buffers()}

    def total() -> float:
        y = torch.func.functional_call(dis, {k: v.clone() for k, v in state.items()}, (x,))
        return float(y.sum().item())

    slope = finite_differences(total, x)
    expected = ((slope.flatten(1).norm(dim=1) - target) ** 2).mean()
    penalty = gradient_penalty(dis, x, target=target)
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-7)


@pytest.mark.parametrize("critic", CRITICS)
def test_gradients_are_those_of_finite_differences(critic: Callable[[], Critic]) -> None:
    # With spectral normalisation this holds because u has converged: there the derivative of
    # u and v, which the layer takes for constants, does not contribute.
    dis, x = make(critic)
    parameters = list(dis.parameters())
    gradients = torch.autograd.grad(gradient_penalty(dis, x), parameters, allow_unused=True)
    for p, gradient in zip(parameters, gradients, strict=True):
        expected = finite_differences(lambda: gradient_penalty(dis, x).item(), p)
        found = torch.zeros_like(p) if gradient is None else gradient
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("critic", CRITICS)
def test_penalty_is_that_of_autograd(critic: Callable[[], Critic]) -> None:
    dis, x = make(critic)
    parameters = list(dis.parameters())
    ours = gradient_penalty(dis, x)
    theirs = by_autograd(dis, x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, parameters, allow_unused=True),
        torch.autograd.grad(theirs, parameters, allow_unused=True),
    )


@pytest.mark.parametrize("curved", [nn.Identity, nn.Tanh])
def test_no_zeros_are_sent_back_through_the_pass(curved: Callable[[], nn.Module]) -> None:
    def critic() -> Critic:
        convs = nn.Conv2d(1, 2, 3, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 2), curved()
        return Critic(*convs, nn.LeakyReLU(), nn.Flatten(), nn.Linear(2, 1))

    dis, x = make(critic)
    ours, theirs = gradient_penalty(dis, x), by_autograd(dis, x)
    parameters = list(dis.parameters())
    with FlopCounterMode(display=False) as counter:
        found = torch.autograd.grad(ours, parameters, materialize_grads=True)
    backward = torch.ops.aten.convolution_backward
    assert (backward in counter.get_flop_counts()["Global"]) == (curved is nn.Tanh)
    by_zeros = torch.autograd.grad(theirs, parameters, materialize_grads=True)
    torch.testing.assert_close(found, by_zeros)


@pytest.mark.parametrize("critic", CRITICS)
def test_penalty_changes_no_buffer(critic: Callable[[], Critic]) -> None:
    torch.manual_seed(0)
    dis = critic()
    before = {name: buffer.clone() for name, buffer in dis.named_buffers()}
    gradient_penalty(dis, torch.randn(SHAPE))
    for name, buffer in dis.named_buffers():
        assert torch.equal(buffer, before[name]), name
    dis(torch.randn(SHAPE))
    assert not before or any(not torch.equal(b, before[n]) for n, b in dis.named_buffers())


def test_penalty_of_a_linear_critic_is_known() -> None:
    dis = Critic(nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        dis.layers[1].weight.copy_(torch.tensor([[0.0, 3.0, 4.0, 0.0]]))
    x = torch.randn(7, 1, 2, 2)
    assert gradient_penalty(dis, x).item() == pytest.approx((5 - 1) ** 2)
    assert gradient_penalty(dis, x, target=0.0).item() == pytest.approx(25)
    y = torch.full((7,), 2.0)
    assert gradient_penalty(dis, x, y).item() == pytest.approx((10 - 1) ** 2)


def test_a_flat_critic_has_a_finite_penalty_and_gradient() -> None:
    dis = Critic(nn.Flatten(), nn.Linear(4, 1))
    nn.init.zeros_(dis.layers[1].weight)
    penalty = gradient_penalty(dis, torch.randn(2, 1, 2, 2))
    (gradient,) = torch.autograd.grad(penalty, dis.layers[1].weight)
    assert penalty.item() == 1
    assert torch.equal(gradient, torch.zeros(1, 4))


def test_the_gradient_reaches_the_images() -> None:
    dis, x = make(plain)
    x.requires_grad_()
    (found,) = torch.autograd.grad(gradient_penalty(dis, x), x)
    expected = finite_differences(lambda: gradient_penalty(dis, x).item(), x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
@pytest.mark.parametrize("critic", [with_batch_norm, with_spectral_norm])
def test_it_compiles_as_one_graph(critic: Callable[[], Critic]) -> None:
    torch._dynamo.reset()
    dis, x = make(critic)
    parameters = list(dis.parameters())
    before = {name: buffer.clone() for name, buffer in dis.named_buffers()}

    def loss(x: Tensor) -> Tensor:
        return gradient_penalty(dis, x)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(
        torch.autograd.grad(compiled, parameters, allow_unused=True),
        torch.autograd.grad(loss(x), parameters, allow_unused=True),
    )
    assert all(torch.equal(buffer, before[name]) for name, buffer in dis.named_buffers())


# --- Lengths


def test_lengths_and_their_derivatives_by_hand() -> None:
    h = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    lengths = losses.row_norm(h)
    assert lengths.tolist() == [5, 0]
    (first,) = torch.autograd.grad(lengths.sum(), h, create_graph=True)
    torch.testing.assert_close(first.tolist(), [[0.6, 0.8], [0.0, 0.0]])
    (second,) = torch.autograd.grad(first[:, 0].sum(), h)
    # d(h0 / |h|) = (h1^2, -h0 h1) / |h|^3
    torch.testing.assert_close(second.tolist(), [[16 / 125, -12 / 125], [0.0, 0.0]])


def test_energy_distance_by_hand() -> None:
    h_real, h_fake = torch.zeros(2, 2), torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    h_other = torch.tensor([[0.0, 4.0], [0.0, 1.0]])
    found = losses.energy_distance(h_real, h_fake, h_other)
    assert found.item() == pytest.approx(((5 + 4 - 3) + (1 + 1 - 0)) / 2)


# --- R1 and R2, and the relativistic loss


def test_the_relativistic_losses_pair_the_samples() -> None:
    real, fake = np.array([[2.0], [-0.5]]), np.array([[-3.0], [1.5]])
    y_real, y_fake = torch.from_numpy(real), torch.from_numpy(fake)
    dis = (softplus(np.array(-5.0)) + softplus(np.array(2.0))) / 2
    gen = (softplus(np.array(5.0)) + softplus(np.array(-2.0))) / 2
    assert losses.loss_dis_relativistic(y_real, y_fake).item() == pytest.approx(dis, abs=1e-12)
    assert losses.loss_gen_relativistic(y_real, y_fake).item() == pytest.approx(gen, abs=1e-12)
    assert losses.loss_dis_relativistic(1e4 * y_real, 1e4 * y_fake).item() == pytest.approx(1e4)


class Quadratic(nn.Module):
    """D(x) = x^T A x, whose slope is (A + A^T) x."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(n, n, dtype=torch.float64))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = x.flatten(1)
        return ((h @ self.a) * h).sum(1)


def test_r1_of_a_quadratic_critic_is_known() -> None:
    torch.manual_seed(0)
    dis, x = Quadratic(4), torch.randn(7, 1, 2, 2, dtype=torch.float64)
    penalty, y_x = r1_penalty(dis, x)
    rows, both = x.reshape(7, 4), (dis.a + dis.a.T).detach()
    assert penalty.item() == pytest.approx((rows @ both).square().sum(1).mean().item())
    assert torch.equal(y_x, dis(x))
    (gradient,) = torch.autograd.grad(penalty, dis.a)
    expected = 4 * (rows.T @ rows @ both + both @ rows.T @ rows) / 7 / 2
    torch.testing.assert_close(gradient, expected)
    halved, _ = r1_penalty(dis, x, through=lambda x: x / 2)  # D(x / 2) = D(x) / 4
    assert halved.item() == pytest.approx(penalty.item() / 16)


def test_r1_of_a_linear_critic_is_known() -> None:
    dis = Critic(nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        dis.layers[1].weight.copy_(torch.tensor([[0.0, 3.0, 4.0, 0.0]]))
    x = torch.randn(7, 1, 2, 2)
    assert r1_penalty(dis, x)[0].item() == pytest.approx(25)
    assert r1_penalty(dis, x, torch.full((7,), 2.0))[0].item() == pytest.approx(100)


@pytest.mark.parametrize("critic", CRITICS)
def test_r1_and_its_gradients_are_those_of_finite_differences(
    critic: Callable[[], Critic],
) -> None:
    dis, x = make(critic)
    parameters = list(dis.parameters())
    state = {name: buffer.clone() for name, buffer in dis.named_buffers()}

    def total() -> float:
        y = torch.func.functional_call(dis, {k: v.clone() for k, v in state.items()}, (x,))
        return float(y.sum().item())

    penalty, _ = r1_penalty(dis, x)
    gradients = torch.autograd.grad(penalty, parameters, allow_unused=True)
    slope = finite_differences(total, x)
    assert penalty.item() == pytest.approx(slope.square().sum((1, 2, 3)).mean().item(), rel=1e-7)
    for p, gradient in zip(parameters, gradients, strict=True):
        expected = finite_differences(lambda: r1_penalty(dis, x)[0].item(), p)
        found = torch.zeros_like(p) if gradient is None else gradient
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)
    assert all(torch.equal(buffer, state[name]) for name, buffer in dis.named_buffers())


@pytest.mark.parametrize("critic", CRITICS)
def test_the_logits_of_the_penalty_have_the_graph_of_a_pass(critic: Callable[[], Critic]) -> None:
    dis, x = make(critic)
    parameters = list(dis.parameters())
    penalty, y_x = r1_penalty(dis, x)
    found = torch.autograd.grad(penalty + y_x.mean(), parameters)
    at = x.clone().requires_grad_()
    y = dis(at)
    (slope,) = torch.autograd.grad(y.sum(), at, create_graph=True)
    wanted = slope.square().sum((1, 2, 3)).mean() + y.mean()
    torch.testing.assert_close(y_x, y)
    torch.testing.assert_close(found, torch.autograd.grad(wanted, parameters))


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5)])
def test_the_orthogonal_penalty_is_its_definition(shape: tuple[int, int]) -> None:
    """And so is its gradient, 4 (W W^T * (1 - I)) W, of which BigGAN-PyTorch adds the half."""
    torch.manual_seed(0)
    w = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    gram = (w @ w.T) * (1 - torch.eye(len(w), dtype=torch.float64))
    definition = gram.square().sum()
    penalty = losses.orthogonal_penalty(w)
    torch.testing.assert_close(penalty, definition)
    (found,), (wanted,) = (torch.autograd.grad(f, w) for f in (penalty, definition))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(found, 4 * gram.detach() @ w.detach())


def test_orthogonal_rows_have_no_penalty() -> None:
    rows = nn.init.orthogonal_(torch.empty(4, 9, dtype=torch.float64))
    lengths = torch.tensor([1.0, 5.0, 0.1, 2.0], dtype=torch.float64)
    assert losses.orthogonal_penalty(lengths[:, None] * rows).item() == pytest.approx(0, abs=1e-9)


def test_lecam_by_hand() -> None:
    """Averages as Adam has them, brought on before they are used; no weight leaves the loss."""
    torch.manual_seed(0)
    lecam, means = losses.LeCam(0.3), [0.0, 0.0]
    for step in range(1, 6):
        y_real, y_fake = (torch.randn(6, 1) + 0.3).requires_grad_(), torch.randn(6, 1)
        plain = losses.loss_dis_hinge(y_real, y_fake)
        found = lecam(losses.loss_dis_hinge, y_real, y_fake)
        for k, y in enumerate((y_real, y_fake)):
            means[k] = 0.99 * means[k] + 0.01 * y.mean().item()
        real, fake = (mean / (1 - 0.99**step) for mean in means)
        far = [max(0, y - fake) ** 2 for y in y_real.flatten().tolist()]
        near = [max(0, real - y) ** 2 for y in y_fake.flatten().tolist()]
        wanted = plain.item() + 0.3 * (sum(far) / 6 + sum(near) / 6)
        assert found.item() == pytest.approx(wanted, rel=1e-5)
        (gradient,) = torch.autograd.grad(found - plain, y_real)
        slopes = [0.3 * 2 / 6 * max(0, y - fake) for y in y_real.flatten().tolist()]
        assert gradient.flatten().tolist() == pytest.approx(slopes, rel=1e-4, abs=1e-6)
        off = losses.LeCam(0)(losses.loss_dis_hinge, y_real, y_fake)
        assert torch.equal(off, plain) and not losses.LeCam(0).state_dict()

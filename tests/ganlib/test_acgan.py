"""AC-GAN: the paper's sizes, and its losses against log-likelihoods by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.registry import algorithms

Make = Callable[..., Any]
ALGORITHM = algorithms["acgan"]
ARCHITECTURES = ["cifar10", "quick", "mlp"]


def build(architecture: str, image: tuple[int, int, int], n_classes: int = 10, width: float = 1.0):
    torch.manual_seed(0)
    config = ALGORITHM.config(architecture=architecture, width=width)
    networks = ALGORITHM.build(config, DataSpec(image, image, n_classes=n_classes))
    assert list(networks) == ["gen", "dis"]
    return networks.values()


# --- Networks


def test_the_papers_sizes() -> None:
    with torch.device("meta"):
        gen, dis = build("cifar10", (3, 32, 32))
        images = gen(gen.make_hidden(2), torch.arange(2))
        assert images.shape == (2, 3, 32, 32)
        assert [tuple(logits.shape) for logits in dis(images)] == [(2, 1), (2, 10)]
    assert (count(gen), count(dis)) == (2_994_051, 1_664_875)
    assert (gen.n_hidden, gen.latent) == (100, "normal")


def test_the_papers_layers() -> None:
    gen, dis = build("cifar10", (3, 32, 32), width=0.05)
    convs = [m for m in dis.modules() if isinstance(m, nn.Conv2d)]
    assert [m.stride[0] for m in convs] == [2, 1, 2, 1, 2, 1]
    assert all(m.kernel_size == (3, 3) for m in convs)
    kinds = [type(m).__name__ for m in dis.features]
    block = ["Conv2d", "BatchNorm2d", "LeakyReLU", "Dropout"]
    assert kinds == ["Conv2d", "LeakyReLU", "Dropout", *5 * block, "Flatten"]
    assert {m.p for m in dis.features if isinstance(m, nn.Dropout)} == {0.5}
    assert {m.negative_slope for m in dis.features if isinstance(m, nn.LeakyReLU)} == {0.2}
    deconvs = [m for m in gen.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [(m.kernel_size[0], m.stride[0]) for m in deconvs] == [(5, 2)] * 3
    norms = [m for m in gen.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) == 2  # none behind the linear layer


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("image", [(1, 32, 32), (3, 48, 40), (2, 16, 16)])
def test_other_images_and_classes(architecture: str, image: tuple[int, int, int]) -> None:
    for width in (0.05, 1e-6):
        gen, dis = build(architecture, image, 7, width)
        x = gen(gen.make_hidden(3), torch.tensor([6, 0, 3]))
        assert x.shape == (3, *image)
        assert [logits.shape[1] for logits in dis(x)] == [1, 7]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_has_a_gradient_and_biases_start_at_zero(architecture: str) -> None:
    gen, dis = build(architecture, (1, 16, 16), 3, 0.1)
    source, classes = dis(gen(gen.make_hidden(6), torch.arange(6) % 3))
    total = source.sum() + classes.square().sum()
    for net in (gen, dis):
        gradients = torch.autograd.grad(total, list(net.parameters()), retain_graph=True)
        assert all(g.isfinite().all() for g in gradients)
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_class_lies_beside_z(architecture: str) -> None:
    gen, _ = build(architecture, (1, 16, 16), 4, 0.05)
    z, y = gen.eval().make_hidden(5), torch.tensor([3, 0, 1, 1, 2])
    parts = nn.functional.one_hot(y, 4).float()
    torch.testing.assert_close(gen(z, y), gen.gen(torch.cat((z, parts), 1)))
    torch.testing.assert_close(gen(z, parts), gen(z, y))
    assert not torch.allclose(gen(z, (y + 1) % 4), gen(z, y))


# --- Losses


@pytest.fixture
def updater(make_updater: Make) -> Any:
    """Without dropout, so that one pass is like the next."""
    updater = make_updater("acgan", dtype=torch.float64, batch_size=6)
    updater.dis.eval()
    nn.init.normal_(updater.dis.last.weight, 0, 0.5)
    return updater


def log_likelihoods(dis: nn.Module, x: Tensor, y: Tensor) -> tuple[np.ndarray, ...]:
    """log P(S = real | x), log P(S = fake | x), log P(C = y | x)."""
    source, classes = (logits.detach().numpy() for logits in dis(x))
    exponents = np.exp(classes)
    likely = exponents[np.arange(len(y)), y.numpy()] / exponents.sum(1)
    real = 1 / (1 + np.exp(-source[:, 0]))
    return np.log(real), np.log(1 - real), np.log(likely)


def test_the_discriminators_losses_are_the_papers_likelihoods(updater: Any) -> None:
    x, fake = torch.rand(2, 6, 1, 32, 32, dtype=torch.float64)
    y, y_fake = torch.tensor([[0, 1, 2, 2, 1, 0], [2, 2, 0, 1, 1, 0]])
    loss_dis, class_dis, s_real = updater.loss_dis(x, y, fake, y_fake)
    real, _, right = log_likelihoods(updater.dis, x, y)
    _, gone, right_of_fake = log_likelihoods(updater.dis, fake, y_fake)
    assert -loss_dis.item() == pytest.approx(real.mean() + gone.mean())  # L_S
    assert -class_dis.item() == pytest.approx(right.mean() + right_of_fake.mean())  # L_C
    assert torch.equal(s_real, updater.dis(x)[0])


def test_the_generators_losses_are_the_papers_likelihoods(updater: Any) -> None:
    z, y = updater.hidden(6), torch.tensor([2, 2, 0, 1, 1, 0])
    loss_gen, class_gen = updater.loss_gen(z, y)
    real, _, right = log_likelihoods(updater.dis, updater.gen(z, y), y)
    assert loss_gen.item() == pytest.approx(-real.mean())
    assert class_gen.item() == pytest.approx(-right.mean())


def test_each_network_descends_its_weighted_sum(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("acgan", lam_dis=3.0, lam_gen=0.25)
    steps: list[dict[str, float]] = []
    step = updater.step

    def watch(**losses: Tensor) -> None:
        steps.append({name: loss.item() for name, loss in losses.items()})
        step(**losses)

    monkeypatch.setattr(updater, "step", watch)
    seen = {name: value.item() for name, value in updater.update().items()}
    assert [list(s) for s in steps] == [["dis"], ["gen"]]
    assert steps[0]["dis"] == pytest.approx(seen["loss_dis"] + 3 * seen["class_dis"])
    assert steps[1]["gen"] == pytest.approx(seen["loss_gen"] + seen["class_gen"] / 4)

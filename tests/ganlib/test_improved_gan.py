"""The semi-supervised GAN: sizes, losses against a softmax of K + 1 classes, and which labels."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parameters import count
from torch import Tensor, nn

import ganlib
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.improved_gan.updater import labelled_subset
from ganlib.registry import algorithms

Make = Callable[..., Any]


def build(architecture: str, image: tuple[int, int, int], n_classes: int = 10, **settings: Any):
    algorithm = algorithms["improved_gan"]
    config = algorithm.config(architecture=architecture, **settings)
    return algorithm.build(config, DataSpec(image, image, n_classes=n_classes)).values()


def test_the_authors_sizes() -> None:
    with torch.device("meta"):
        gen, dis = build("openai", (3, 32, 32))
    assert (count(gen), count(dis)) == (4_933_382, 1_406_804)
    assert (gen.n_hidden, gen.latent) == (100, "uniform")


def test_the_authors_sizes_for_mnist() -> None:
    """Fully connected: weights, biases (a batch normalisation's in G), learned lengths."""
    with torch.device("meta"):
        gen, dis = build("mnist", (1, 28, 28))
    assert count(gen) == (100 + 1) * 500 + (500 + 1) * 500 + (500 + 2) * 784
    sizes = [784, 1000, 500, 250, 250, 250]
    hidden = sum((a + 1) * b for a, b in pairwise(sizes))
    assert count(dis) == hidden + (250 + 2) * 10
    assert (gen.n_hidden, gen.latent) == (100, "uniform")


@pytest.mark.parametrize("architecture", ["openai", "mnist", "quick", "mlp"])
@pytest.mark.parametrize("image", [(1, 32, 32), (3, 48, 48), (2, 16, 16)])
def test_other_images_and_classes(architecture: str, image: tuple[int, int, int]) -> None:
    gen, dis = build(architecture, image, n_classes=7, width=0.05)
    x = gen(gen.make_hidden(3))
    assert x.shape == (3, *image)
    assert dis(x).shape == (3, 7)
    assert dis.features(x).shape == (3, dis.l4.in_features)


def test_points() -> None:
    gen, dis = build("mlp", (2, 1, 1), n_classes=8)
    assert dis(gen(gen.make_hidden(3))).shape == (3, 8)


def test_the_generator_has_the_authors_batch_normalisation() -> None:
    gen, _ = build("openai", (3, 32, 32), width=0.05)
    norms = [m for m in gen.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(norms) == 3
    assert all(m.eps == 1e-6 and [n for n, _ in m.named_parameters()] == ["bias"] for m in norms)


@pytest.mark.parametrize("architecture", ["openai", "mnist"])
def test_its_first_batch_normalisation_undoes_the_range_of_z(architecture: str) -> None:
    """U(0, 1) there, U(-1, 1) here: the same images, but for epsilon."""
    gen, _ = build(architecture, (3, 32, 32), width=0.05)
    gen.double()
    z = gen.make_hidden(50)
    torch.testing.assert_close(gen((z + 1) / 2), gen(z), rtol=1e-3, atol=1e-4)


def test_the_mnist_discriminator_by_hand() -> None:
    """In evaluation mode: pixels in [0, 1], weight-normalised layers with ReLU, no noise."""
    _, dis = build("mnist", (1, 4, 4), width=0.02)
    dis.double().eval()
    x = torch.rand(5, 1, 4, 4, dtype=torch.float64) * 2 - 1
    h = (x.flatten(1).numpy() + 1) / 2
    layers = [part[1] for part in dis.layers] + [dis.l4]
    for layer in layers:
        theta = layer.weight.detach().numpy()
        length = np.sqrt((theta**2).sum(1, keepdims=True))
        w = theta / length * layer.gain.detach().numpy()[:, None]
        h = h @ w.T + layer.bias.detach().numpy()
        h = h if layer is dis.l4 else np.maximum(h, 0)
    np.testing.assert_allclose(dis(x).detach().numpy(), h, rtol=1e-4, atol=1e-5)


def test_the_mnist_discriminators_noise() -> None:
    """0.3 on the pixels, 0.5 on each hidden layer, the last too, but not on what G matches."""
    _, dis = build("mnist", (1, 4, 4), width=0.02)
    sigmas = [part[0].sigma for part in dis.layers] + [dis.noise.sigma]
    assert sigmas == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5]
    dis.layers.eval()
    x = torch.rand(5, 1, 4, 4)
    assert torch.equal(dis.features(x), dis.features(x)) and not torch.equal(dis(x), dis(x))


def test_the_mnist_generators_pixels_do_not_start_from_data(make_updater: Make) -> None:
    """Those of its authors have rows of length 1, and D's layers gains that data have set."""
    updater = make_updater("improved_gan", architecture="mnist")
    last = updater.gen.layers[-1]
    assert torch.equal(last.gain, torch.ones_like(last.gain)) and not last.bias.any()
    assert all((part[1].gain != 1).any() for part in updater.dis.layers)
    x = updater.fake(updater.hidden(4))
    assert x.shape[2:] == (28, 28) and x.abs().max() <= 1


# --- Losses


@pytest.fixture
def updater(make_updater: Make) -> Any:
    """Without dropout, so that one pass is like the next."""
    updater = make_updater("improved_gan", dtype=torch.float64, batch_size=6)
    updater.dis.eval()
    return updater


def test_the_losses_are_a_softmax_of_one_class_more(updater: Any) -> None:
    """The fake class is number K, and its logit is 0."""
    x, n = torch.rand(3, 6, 1, 32, 32, dtype=torch.float64), updater.spec.n_classes
    y = torch.tensor([0, 1, 2, 2, 1, 0])

    def logits(x: torch.Tensor) -> torch.Tensor:
        return torch.cat((updater.dis(x), torch.zeros(6, 1, dtype=torch.float64)), 1)

    fake = torch.full((6,), n)
    p_lab, p_unl = (torch.softmax(logits(x[i]), 1) for i in (0, 1))
    given_real = p_lab[:, :n] / (1 - p_lab[:, n:])  # section 5: p(y | x, y < K + 1)
    lab = F.nll_loss(given_real.log(), y)
    unl = -(1 - p_unl[:, n]).log().mean() + F.cross_entropy(logits(x[2]), fake)
    loss_lab, loss_unl = updater.loss_dis(x[0], y, x[1], x[2])
    torch.testing.assert_close(loss_lab, lab)
    torch.testing.assert_close(loss_unl, unl / 2)


def matched(updater: Any, x: Tensor, z: Tensor) -> Tensor:
    loss: Tensor = updater.loss_gen(updater.mean_features(x), updater.mean_features(updater.gen(z)))
    return loss


def test_feature_matching_by_hand(updater: Any) -> None:
    x, z = torch.rand(6, 1, 32, 32, dtype=torch.float64), updater.hidden(6)
    loss = matched(updater, x, z)
    real = updater.dis.features(x).detach().numpy()
    fake = updater.dis.features(updater.gen(z)).detach().numpy()
    expected = np.mean(np.abs(real.mean(0) - fake.mean(0)))
    assert loss.item() == pytest.approx(expected)


def test_squared_feature_matching_by_hand(make_updater: Make) -> None:
    updater = make_updater(
        "improved_gan", dtype=torch.float64, architecture="mnist", distance="squared"
    )
    updater.dis.eval()
    z = updater.hidden(6)
    x = torch.rand(6, 1, 28, 28, dtype=torch.float64)
    real = updater.dis.features(x).detach().numpy()
    fake = updater.dis.features(updater.gen(z)).detach().numpy()
    expected = np.mean((real.mean(0) - fake.mean(0)) ** 2)
    assert matched(updater, x, z).item() == pytest.approx(expected)


def test_matched_features_leave_nothing_to_learn(updater: Any) -> None:
    z = updater.hidden(6)
    assert matched(updater, updater.fake(z), z).item() == pytest.approx(0, abs=1e-12)


# --- Labels


def uneven(n: int = 60) -> DataSet:
    """Classes a, b, c of 10, 20 and 30 images; the image's value is its number."""
    y = torch.tensor([0] * 10 + [1] * 20 + [2] * 30)
    x = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 16, 16)
    return DataSet("uneven", x, y, classes=("a", "b", "c"))


@pytest.mark.parametrize(
    ("n_labels", "counts"),
    [(3, [1, 1, 1]), (12, [4, 4, 4]), (14, [5, 5, 4]), (36, [10, 12, 12]), (1000, [10, 20, 30])],
)
def test_labels_are_even_by_class(n_labels: int, counts: list[int]) -> None:
    data = uneven()
    few = labelled_subset(data, n_labels, seed=0)
    assert few.y is not None and data.y is not None
    assert few.y.bincount().tolist() == counts
    numbers = few.x[:, 0, 0, 0].long()
    assert len(set(numbers.tolist())) == len(numbers)
    assert torch.equal(data.y[numbers], few.y)


def test_the_seed_chooses_them() -> None:
    a, b, c = (labelled_subset(uneven(), 12, seed).x for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_what_cannot_be_labelled() -> None:
    with pytest.raises(UserError, match=r"n_labels is 2, but 'uneven' has 3 classes"):
        labelled_subset(uneven(), 2, seed=0)
    with pytest.raises(UserError, match="needs labels"):
        labelled_subset(DataSet("plain", uneven().x), 12, seed=0)


def seen(updater: Any, n: int) -> list[set[int]]:
    """Which labelled images each of n batches holds, by the images' values."""
    stream = updater.stream("labelled")
    parts = []
    for _ in range(n):
        x, y = next(stream)
        values = ((x[:, 0, 8, 8] + 1) * 127.5).round().long()
        assert torch.equal(uneven().y[values], y)
        parts.append(set(values.tolist()))
    return parts


def test_the_labelled_images_stay_the_same_over_a_resume(make_updater: Make) -> None:
    settings = {"data": uneven(), "n_labels": 9, "batch_size": 6}
    straight, first, second = (make_updater("improved_gan", **settings) for _ in range(3))
    for updater in (straight, first):
        updater.update()
    second.load_state(first.state())
    chosen = set(labelled_subset(uneven(), 9, seed=0).x[:, 0, 0, 0].tolist())
    a, b = seen(straight, 3), seen(second, 3)
    assert a == b
    assert set().union(*a) == chosen


def test_unlabelled_batches_and_samples_have_no_labels(make_updater: Make) -> None:
    updater = make_updater("improved_gan")
    updater.update()
    assert next(updater.data).y is None and next(updater.stream("gen")).y is None
    assert updater.latents([0, 1], seed=0)[1] is None
    assert updater.images == 8  # the one unlabelled batch of 4, and that of this test


def test_a_data_set_without_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.h5"
    write_hdf5(path, DataSet("plain", torch.zeros(8, 1, 16, 16, dtype=torch.uint8)))
    with pytest.raises(UserError, match="This algorithm needs labels"):
        ganlib.train(algorithm="improved_gan", dataset=str(path), out=tmp_path / "out", gpu=-1)


# --- The test error


class Constant(nn.Module):
    """Says class 1 with noise in training mode, class 1 always in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = torch.tensor([0.0, 1.0, 0.0]).expand(len(x), 3)
        return logits + 9 * torch.randn(len(x), 3) if self.training else logits


def test_the_test_error_is_a_percentage(make_updater: Make) -> None:
    updater = make_updater("improved_gan")
    updater.dis = Constant()
    assert updater.scores(uneven()) == {"test_error": pytest.approx(100 * 40 / 60)}
    assert updater.dis.training
    assert updater.scores(DataSet("plain", uneven().x)) == {}


def test_it_judges_the_images_that_training_sees(make_updater: Make) -> None:
    """Cut to batches and back, padded as in training, the labels of D itself are all right."""
    updater = make_updater("improved_gan", data=(data := uneven()))
    next(updater.data)
    updater.dis.eval()
    loader = updater.data.fork("all")
    loader.batch_size, loader.condition = 60, "labels"
    batch = next(loader)
    wrong = (updater.dis(batch.x).argmax(1) != batch.y).float().mean().item()
    assert updater.scores(data)["test_error"] == pytest.approx(100 * wrong)


def test_the_rate_falls_over_the_last_third(make_updater: Make) -> None:
    updater = make_updater("improved_gan", max_iter=1200)
    rates = [updater.schedule(i)["lr"] for i in (0, 400, 800, 1000, 1199, 1200, 1300)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 3 / 1200, 0, 0])
    linear = make_updater("improved_gan", max_iter=1200, lr_decay="linear")
    assert linear.schedule(600)["lr"] == 0.5


def test_points_train(make_updater: Make) -> None:
    x = torch.randint(256, (64, 2, 1, 1), dtype=torch.uint8)
    data = DataSet("points", x, torch.arange(64) % 2, classes=("a", "b"))
    updater = make_updater("improved_gan", data=data, architecture="mlp", n_labels=4)
    assert all(torch.isfinite(value) for value in updater.update().values())


def test_the_noise_on_images_is_what_was_asked_for(make_updater: Callable[..., Any]) -> None:
    x = torch.full((4, 1, 32, 32), -1.0)
    for noise in ("dropout", "gaussian"):
        seen = make_updater("improved_gan", noise=noise).dis.convs[0](x)
        if noise == "dropout":
            assert set(seen.unique().tolist()) == {-1.25, 0.0}
            assert abs(float((seen == 0).float().mean()) - 0.2) < 0.03
        else:
            assert abs(float(seen.mean()) + 1) < 0.02 and abs(float(seen.std()) - 0.3) < 0.02

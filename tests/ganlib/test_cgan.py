"""The conditional GAN: its networks, and one update against formulas by hand."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from parameters import count
from torch import Tensor, nn

import ganlib
from ganlib.cgan.net import build
from ganlib.cgan.updater import Config
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5

Make = Callable[..., Any]
Array = NDArray[Any]


def networks(architecture: str, image: tuple[int, int, int], width: float = 1.0) -> Any:
    torch.manual_seed(0)
    config = Config(architecture=architecture, width=width)
    return build(config, DataSpec(image, image, n_classes=10)).values()


def test_the_papers_networks() -> None:
    with torch.device("meta"):
        gen, dis = networks("mnist", (1, 28, 28))
        y = torch.zeros(2, dtype=torch.int64)
        x = gen(gen.make_hidden(2), y)
        assert (gen.n_hidden, gen.latent) == (100, "uniform")
        assert x.shape == (2, 1, 28, 28) and dis(x, y).shape == (2, 1)
    assert (count(gen), count(dis)) == (2_413_984, 1_224_351)


def test_weights_start_as_those_of_the_first_gan() -> None:
    for net, bound in zip(networks("mnist", (1, 28, 28), 0.2), (0.05, 0.005), strict=True):
        layers = [m for m in net.modules() if isinstance(m, nn.Linear)]
        assert len(layers) == 4
        assert not any(m.bias.any() for m in layers)
        largest = torch.cat([m.weight.detach().flatten() for m in layers]).abs().max().item()
        assert 0.98 * bound < largest <= bound


def weights(*modules: nn.Module) -> list[Array]:
    """Of all linear layers in order."""
    layers = [m for module in modules for m in module.modules() if isinstance(m, nn.Linear)]
    return [m.weight.detach().numpy().T for m in layers]


@pytest.mark.parametrize("mixed", [False, True])
def test_the_generator_by_hand(mixed: bool) -> None:
    gen, _ = networks("mnist", (1, 8, 8), width=0.1)
    with torch.no_grad():
        for p in gen.parameters():
            p.mul_(4)
    z = gen.eval().make_hidden(5)
    assert z.abs().max() <= 1 and z.min() < 0
    y = torch.tensor([3, 1, 4, 1, 9])
    told = np.eye(10)[y.numpy()]
    if mixed:
        told = (told + np.eye(10)[[0, 0, 0, 0, 2]]) / 2
    w_z, w_y, w1, w2 = weights(gen.from_z, gen.from_y, gen.joint)
    of_z = np.maximum((z.numpy() + 1) / 2 @ w_z, 0)  # z in the unit hypercube
    h = np.maximum(np.concatenate([of_z, np.maximum(told @ w_y, 0)], 1) @ w1, 0)
    expected = 2 / (1 + np.exp(-h @ w2)) - 1
    found = gen(z, torch.tensor(told) if mixed else y).detach()
    np.testing.assert_allclose(found.flatten(1).numpy(), expected, atol=1e-5)
    assert found.std() > 0.05


def test_the_discriminator_by_hand() -> None:
    _, dis = networks("mnist", (1, 8, 8), width=0.1)
    with torch.no_grad():
        for p in dis.parameters():
            p.normal_()
    x, y = torch.rand(5, 1, 8, 8) * 2 - 1, torch.tensor([3, 1, 4, 1, 9])
    w_x, w_y, w1, w2 = weights(dis.from_x, dis.from_y, dis.joint)
    layers = [m for m in dis.modules() if isinstance(m, nn.Linear)]
    b_x, b_y, b1, b2 = (m.bias.detach().numpy() for m in layers)
    pixels = (x.flatten(1).numpy() + 1) / 2
    of_x = (pixels @ w_x + b_x).reshape(5, 24, 5).max(2)
    of_y = (np.eye(10)[y.numpy()] @ w_y + b_y).reshape(5, 5, 5).max(2)
    h = (np.concatenate([of_x, of_y], 1) @ w1 + b1).reshape(5, 24, 4).max(2)
    np.testing.assert_allclose(dis.eval()(x, y).detach().numpy(), h @ w2 + b2, rtol=1e-4)


def test_dropout_is_of_hidden_units_alone(make_updater: Make) -> None:
    """Neither pixels nor z nor the class are left out; samples leave out nothing."""
    updater = make_updater("cgan", width=1.0, dropout_gen=0.25)
    seen: dict[str, Tensor] = {}
    for name, module in updater.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda _, x, name=name: seen.update({name: x[0]}))
    y = torch.arange(50) % 3
    z = updater.gen.make_hidden(50)
    x = updater.gen(z, y)
    updater.dis(x + 1e-3, y)
    assert all(seen[name].count_nonzero() == 50 for name in seen if "from_y" in name)
    for name in ("gen.from_z.0", "dis.from_x.linear"):
        assert seen[name].all()
    # of what a layer of maxout gives nothing is 0 by itself, of ReLU half is
    for name, part in (("dis.joint.1.linear", 0.5), ("dis.joint.3", 0.5)):
        assert (seen[name] == 0).float().mean().item() == pytest.approx(part, abs=0.02)
    kept = {
        name: (seen[name] == 0).float().mean().item() for name in ("gen.joint.1", "gen.joint.4")
    }
    updater.eval()
    updater.gen(z, y)
    for name, zeros in kept.items():
        plain = (seen[name] == 0).float().mean().item()
        assert zeros == pytest.approx(plain + 0.25 * (1 - plain), abs=0.02)


def test_an_update_is_simultaneous_and_its_fakes_are_of_the_batchs_classes(
    make_updater: Make,
) -> None:
    """Both networks move by gradients at the old weights, of formulas written out here."""
    settings = {"dtype": torch.float64, "lr": 0.5, "batch_size": 8}
    updater, twin = (make_updater("cgan", **settings) for _ in range(2))
    x_real, y = next(twin.data)
    torch.manual_seed(5)
    z = twin.hidden(8)
    p_real = torch.sigmoid(twin.dis(x_real, y))
    p_fake = torch.sigmoid(twin.dis(twin.gen(z, y), y))  # one mask for both losses
    loss_dis = -0.5 * (p_real.log().mean() + (1 - p_fake).log().mean())
    loss_gen = -p_fake.log().mean()
    gen, dis = list(twin.gen.parameters()), list(twin.dis.parameters())
    steps = [
        *torch.autograd.grad(loss_gen, gen, retain_graph=True),
        *torch.autograd.grad(loss_dis, dis),
    ]
    expected = [p - 0.5 * g for p, g in zip([*gen, *dis], steps, strict=True)]
    torch.manual_seed(5)
    found = updater.update_core()
    assert found["loss_dis"].item() == pytest.approx(loss_dis.item(), rel=1e-12)
    assert found["loss_gen"].item() == pytest.approx(loss_gen.item(), rel=1e-12)
    now = [*updater.gen.parameters(), *updater.dis.parameters()]
    torch.testing.assert_close(now, expected)


def test_the_learning_rate_falls_as_in_the_paper(make_updater: Make) -> None:
    updater = make_updater("cgan")
    for k in (0, 1, 1000, 100_000):
        assert updater.schedule(k)["lr"] == pytest.approx(math.exp(-k * math.log(1.00004)))
    assert updater.schedule(1_000_000)["lr"] * updater.config.lr == pytest.approx(1e-6)
    assert (updater.phase(0), updater.phase(10**6)) == (0.5, 0.7)
    updater.update()
    (group,) = updater.optimizer["dis"].param_groups
    assert group["momentum"] == 0.5


def test_images_keep_their_size_but_for_convolutions() -> None:
    assert Config().image_size(28, 30) == (28, 30)
    assert Config(architecture="mlp").image_size(1, 1) == (1, 1)
    assert Config(architecture="quick").image_size(28, 30) == (32, 32)


@pytest.mark.parametrize(("architecture", "side"), [("quick", 32), ("mlp", 1), ("mlp", 8)])
def test_small_networks_see_the_class_beside_z_and_in_channels(
    architecture: str, side: int
) -> None:
    gen, dis = networks(architecture, (2, side, side), 0.25)
    y = torch.tensor([3, 1, 9])
    for network in (gen, dis):
        network.eval()
    z = gen.make_hidden(3)
    assert z.shape == (3, 4 if side == 1 else 128)
    told = torch.eye(10)[y]
    x = gen(z, y)
    assert torch.equal(x, gen.gen(torch.cat([z, told], 1)))
    channels = torch.stack([torch.full((side, side), v) for v in told.flatten()])
    seen = torch.cat([x, channels.unflatten(0, (3, 10))], 1)
    assert torch.equal(dis(x, y), dis.dis(seen))
    torch.testing.assert_close(dis(x, told), dis(x, y))


def test_without_labels_a_sentence_says_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_hdf5(Path("plain.h5"), DataSet("plain", torch.zeros(8, 3, 16, 16, dtype=torch.uint8)))
    with pytest.raises(UserError) as told:
        ganlib.train(algorithm="cgan", dataset="plain.h5", gpu=-1, evaluation_interval=0)
    assert str(told.value).startswith(
        "This algorithm needs labels and the data set 'plain' has none, only 8 images of 3x16x16: "
        "give images in a subfolder for each class, an .h5 file with labels or"
    )
    assert not Path("result").exists()

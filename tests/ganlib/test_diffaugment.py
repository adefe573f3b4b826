"""--diffaugment for every algorithm that has a discriminator of images."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from ganlib.common import augment
from ganlib.common.data import DataSet, DataSpec
from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig
from ganlib.registry import Algorithm, algorithms
from ganlib.runs.settings import resolve
from ganlib.training.updater import Updater

Make = Callable[..., Any]
ALL = "color,translation,cutout"


def test_the_setting_names_the_policies_that_there_are() -> None:
    (names,) = {
        get_args(t) for t in get_args(AlgorithmConfig.model_fields["diffaugment"].annotation)[:1]
    }
    assert names == tuple(augment.POLICIES)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ()),
        ("color", ("color",)),
        ("translation, cutout", ("translation", "cutout")),
        (["color,cutout"], ("color", "cutout")),  # from the command line
        (["color", "cutout"], ("color", "cutout")),  # from a YAML file or a snapshot
    ],
)
def test_the_setting_is_read(given: Any, expected: tuple[str, ...]) -> None:
    settings = resolve({"algorithm": "sngan", "diffaugment": given})
    assert settings.algorithm.diffaugment == expected
    assert settings.trajectory()["diffaugment"] == list(expected)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("colour", "diffaugment cannot be 'colour'. Did you mean 'color'"),
        ("color,xyz", "diffaugment cannot be 'xyz'. There are: color, cutout, translation"),
        (3, "diffaugment is 3, but"),
    ],
)
def test_a_wrong_setting_is_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        resolve({"algorithm": "sngan", "diffaugment": given})


@pytest.mark.parametrize("algorithm", ["dcgan", "wgan_gp", "sngan", "r3gan"])
@pytest.mark.parametrize("shape", [(1, 28), (3, 32)])
def test_two_updates_are_finite(algorithm: str, shape: tuple[int, int], make_updater: Make) -> None:
    plain = make_updater(algorithm, *shape)
    updater = make_updater(algorithm, *shape, diffaugment=ALL)
    assert list(updater.state_dict()) == list(plain.state_dict())
    assert all(torch.equal(t, plain.state_dict()[n]) for n, t in updater.state_dict().items())
    for _ in range(2):
        observation, other = updater.update(), plain.update()
    assert all(torch.isfinite(value) for value in observation.values())
    updater.check_finite()
    assert any(not torch.equal(value, other[name]) for name, value in observation.items())


@pytest.mark.parametrize("algorithm", ["dcgan", "wgan_gp", "sngan"])
def test_resume_is_bitwise(algorithm: str, make_updater: Make) -> None:
    settings = {"diffaugment": ALL, "ema_decay": 0.9}
    straight, second = make_updater(algorithm, **settings), make_updater(algorithm, **settings)
    for _ in range(2):
        straight.update()
    second.load_state(deepcopy(straight.state()))
    for _ in range(2):
        straight.update()
        second.update()
    a, b = straight.state_dict(), second.state_dict()
    assert list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_every_discriminator_augments_an_image_once(
    algorithm: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training mode alone, also on the way to its features; the images arrive as they are."""
    if "dis" not in make_updater(algorithm)._modules:
        with pytest.raises(UserError, match="no discriminator"):
            make_updater(algorithm, diffaugment="color")
        return
    alone = {"lam_feat": 0} if algorithm == "pix2pixhd" else {}
    updater = make_updater(algorithm, diffaugment="color", **alone)
    seen: list[Tensor] = []

    def counted(original: Any) -> Any:
        def count(x: Tensor, *more: Any) -> Any:
            seen.append(x)
            return original(x, *more)

        return count

    for _ in range(2):  # a first one may do without the discriminator
        updater.update()
    for name in ("augment", "augment_pair"):
        monkeypatch.setattr(augment, name, counted(getattr(augment, name)))
    updater.update_core()
    assert seen and all(x.dim() == 4 for x in seen)
    x = torch.rand(4, *updater.spec.image)
    for way in ("__call__", "features"):
        if hasattr(updater.dis, way) and updater.config.condition is None:
            seen.clear()
            getattr(updater.dis, way)(x)
            assert len(seen) == 1 and torch.equal(seen[0], x)
            updater.dis.eval()
            getattr(updater.dis, way)(x)
            assert len(seen) == 1
            updater.dis.train()


def test_sampling_sees_nothing_of_it(make_updater: Make) -> None:
    plain, augmented = make_updater("sngan"), make_updater("sngan", diffaugment=ALL)
    assert torch.equal(next(plain.sample(3, seed=0)), next(augmented.sample(3, seed=0)))


def test_points_cannot_be_augmented(make_updater: Make) -> None:
    points = DataSet("points", torch.zeros(8, 2, 1, 1, dtype=torch.uint8))
    with pytest.raises(UserError, match="points"):
        make_updater("r3gan", data=points, architecture="mlp", diffaugment="color")


def test_without_a_discriminator_there_is_nothing_to_augment() -> None:
    def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
        return {"gen": nn.Linear(1, 1)}

    made = Algorithm(config=AlgorithmConfig, build=build, updater=Updater)
    spec = DataSpec((1, 8, 8), (1, 8, 8))
    assert list(made.networks(AlgorithmConfig(), spec)) == ["gen"]
    with pytest.raises(UserError, match="no discriminator"):
        made.networks(AlgorithmConfig(diffaugment=("color",)), spec)


@pytest.mark.parametrize(("condition", "alike"), [("images", True), ("labels", False)])
def test_a_discriminator_of_pairs_sees_both_moved_alike(condition: Any, alike: bool) -> None:
    class Told(AlgorithmConfig):
        pass

    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Identity()

        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return self.features(x), y

    Told.condition = condition
    made = Algorithm(config=Told, build=lambda config, spec: {"dis": Pairs()}, updater=Updater)
    networks = made.networks(Told(diffaugment=("translation",)), DataSpec((1, 16, 16), (1, 16, 16)))
    x = torch.rand(32, 1, 16, 16)
    seen, beside = networks["dis"](x, x)
    assert not torch.equal(seen, x) and torch.equal(seen, beside) == alike


def test_an_assembled_updater_has_it() -> None:
    config = algorithms["sngan"].config(diffaugment=("color",), width=0.1)
    spec = DataSpec((1, 32, 32), (1, 32, 32))
    updater = algorithms["sngan"].assemble(config, None, spec, torch.device("cpu"))
    dis: Any = updater.dis
    x = torch.rand(2, 1, 32, 32)
    torch.manual_seed(0)
    first = dis.eval()(x)
    assert torch.equal(dis(x), first) and not torch.equal(dis.train()(x), first)


@pytest.mark.slow  # most of a minute, for the compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
def test_a_loss_compiles(make_updater: Make) -> None:
    torch._dynamo.reset()
    updater = make_updater("sngan", architecture="mlp", diffaugment=ALL)
    x, fake = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    compiled = torch.compile(updater.loss_dis, fullgraph=True)
    (first, _), (second, _) = compiled(x, fake), compiled(x, fake)
    assert first.isfinite() and first != second
    gradients = torch.autograd.grad(first, list(updater.dis.parameters()))
    assert all(g.isfinite().all() for g in gradients)

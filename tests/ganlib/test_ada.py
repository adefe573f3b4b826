"""--ada for methods that have a discriminator of images."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from ganlib.common import ada
from ganlib.common.augment import probability_of
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve

Make = Callable[..., Any]
ALL = ",".join(ada.GROUPS)


def test_the_setting_names_the_groups_that_there_are() -> None:
    kind = AlgorithmConfig.model_fields["ada"].annotation
    assert get_args(get_args(kind)[0]) == ada.GROUPS
    assert list(dict.fromkeys(o.group for o in ada.OPERATIONS.values())) == list(ada.GROUPS)
    settings = resolve({"algorithm": "sngan", "ada": "blit,geometry"})
    assert settings.trajectory()["ada"] == ["blit", "geometry"]


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("sngan", {"ada_target": 0.01, "ada_images": 40}),
        ("wgan_gp", {"ada_p": 0.9, "n_dis": 1}),
        ("r3gan", {"aug_p": 0.9}),
        ("pix2pixhd", {"lam_feat": 0}),
    ],
)
def test_resume_is_bitwise(algorithm: str, settings: dict[str, Any], make_updater: Make) -> None:
    """Also where the discriminator's slope is penalised, and where it sees a map beside x."""
    settings = {"ada": ALL, **settings}
    straight, second = make_updater(algorithm, **settings), make_updater(algorithm, **settings)
    for _ in range(4):
        values = straight.update()
    assert all(value.isfinite() for value in values.values())
    p = probability_of(straight.dis).clone()
    assert p == values.get("ada_p", settings.get("ada_p", p)) and p > 0
    second.load_state(deepcopy(straight.state()))
    for _ in range(2):
        straight.update()
        second.update()
    a, b = straight.state_dict(), second.state_dict()
    assert list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)
    assert torch.equal(probability_of(straight.dis), probability_of(second.dis))
    kept = [name for name in a if "ada_" in name]
    assert len(kept) == 2 * ("ada_target" in settings)


@pytest.mark.slow  # diffaugment goes the same way, and its test is quick
def test_every_discriminator_sees_an_image_augmented_once(
    algorithm: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is shown sources beside x sees both alike."""
    if "dis" not in make_updater(algorithm)._modules:
        with pytest.raises(UserError, match="no discriminator that ada could serve"):
            make_updater(algorithm, ada="color")
        return
    updater, seen = make_updater(algorithm, ada="color"), []

    def count(x: Tensor, y: Tensor | None, *more: Any) -> Any:
        seen.append((x, y))
        return x, y

    monkeypatch.setattr(ada, "augment_ada", count)
    updater.update()
    updater.update()
    assert seen and all(x.dim() == 4 for x, _ in seen)
    beside = [y for _, y in seen if y is not None]
    assert not beside or (len(beside) == len(seen) and updater.config.condition == "images")


def test_r3gan_has_its_own_schedule_for_it(make_updater: Make) -> None:
    updater = make_updater("r3gan", ada="color", aug_p=0.2, aug_p_final=0.8, decay_images=8)
    assert updater.pipe == ()
    found = []
    for _ in range(3):
        updater.update()
        found.append(probability_of(updater.dis).item())
    assert found == pytest.approx([0.2, 0.5, 0.8])
    assert torch.equal(updater.augment(x := torch.rand(4, 1, 28, 28), updater.draws(4), 1.0), x)


def test_a_fixed_probability_is_of_diffaugment_nothing(make_updater: Make) -> None:
    plain, other = (make_updater("sngan", diffaugment="color", ada_p=p) for p in (0.2, 0.9))
    for _ in range(2):
        first, second = plain.update(), other.update()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("name", ["fastgan", "projected_gan"])
def test_a_default_diffaugment_gives_way(name: str) -> None:
    config = algorithms[name].config
    assert config().diffaugment and not config(ada="color").diffaugment
    assert config(ada="color", diffaugment="cutout").diffaugment == ("cutout",)  # to be refused


def test_what_is_refused(make_updater: Make) -> None:
    with pytest.raises(UserError, match="leave one of them out"):
        make_updater("sngan", ada="color", diffaugment="color")
    with pytest.raises(UserError, match="ada cannot be 'colour'. Did you mean 'color'"):
        resolve({"algorithm": "sngan", "ada": "colour"})
    with pytest.raises(UserError, match="ada_p is 1.5, but"):
        resolve({"algorithm": "sngan", "ada_p": 1.5})
    points = DataSet("points", torch.zeros(8, 2, 1, 1, dtype=torch.uint8))
    with pytest.raises(UserError, match="ada is for images, and these data are points"):
        make_updater("r3gan", data=points, architecture="mlp", ada="color")


@pytest.mark.slow  # the compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
def test_a_loss_compiles(make_updater: Make) -> None:
    torch._dynamo.reset()
    updater = make_updater("sngan", architecture="mlp", ada=ALL, ada_p=0.9, lecam=0.3)
    x, fake = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    compiled = torch.compile(updater.loss_dis, fullgraph=True)
    (first, _), (second, _) = compiled(x, fake), compiled(x, fake)
    assert first.isfinite() and first != second
    gradients = torch.autograd.grad(first, list(updater.dis.parameters()))
    assert all(g.isfinite().all() for g in gradients)

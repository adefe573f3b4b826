"""A z of several parts: noise, a category, a number; and what samples and walks make of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from scipy.stats import chisquare, kstest, norm, uniform
from torch import Tensor

import ganlib
from ganlib import Generator, Part
from ganlib.common.errors import UserError
from ganlib.common.pictures import class_grid
from ganlib.common.seeds import generator
from ganlib.sampling.exports.export import model_card
from ganlib.sampling.interpolation import between_classes, between_samples, slerp

Make = Callable[..., Path]
Run = Callable[..., Result]
PARTS = [
    Part("noise", 3),
    Part("shape", 4, "category"),
    Part("slant", 2, "uniform"),
    Part("hue", 2, "category"),
]


class Several(Generator):
    def __init__(self) -> None:
        super().__init__(parts=PARTS)
        self.scale = torch.nn.Parameter(torch.ones(()))


@pytest.fixture
def model(small_snapshot: Make) -> ganlib.Model:
    return ganlib.load(small_snapshot("coded"))


def one_hot(*numbers: int, of: int = 10) -> Tensor:
    return torch.tensor([[float(k == number) for k in range(of)] for number in numbers])


def test_each_part_is_drawn_as_its_kind_says() -> None:
    gen = Several()
    z = gen.make_hidden(4000, generator("parts"))
    assert gen.n_hidden == 11 and z.shape == (4000, 11)
    parts = {name: h.numpy() for name, h in gen.split(z).items()}
    assert list(parts) == ["noise", "shape", "slant", "hue"]
    assert kstest(parts["noise"].ravel(), norm.cdf).pvalue > 0.01
    assert kstest(parts["slant"].ravel(), uniform(-1, 2).cdf).pvalue > 0.01
    for name, size in (("shape", 4), ("hue", 2)):
        assert set(np.unique(parts[name])) == {0, 1} and (parts[name].sum(1) == 1).all()
        assert parts[name].shape[1] == size and chisquare(parts[name].sum(0)).pvalue > 0.01
    together = np.einsum("ni,nj->ij", parts["shape"], parts["hue"])
    assert chisquare(together.ravel()).pvalue > 0.01


def test_a_category_is_chosen_in_its_part_alone() -> None:
    gen = Several()
    z = gen.make_hidden(6, generator("chosen"))
    names = [f"shape {k}" for k in range(4)] + ["hue 0", "hue 1"]
    assert gen.categories == tuple(names)
    chosen = gen.choose(z, torch.arange(6))
    for k in range(6):
        expected = z[k].clone()
        first, size, number = (3, 4, k) if k < 4 else (9, 2, k - 4)
        expected[first : first + size] = torch.eye(size)[number]
        assert torch.equal(chosen[k], expected)
    mixed = torch.tensor([[0.25, 0.75, 0, 0, 0, 0], [0, 0, 0, 1, 0.5, 0.5]])
    found = gen.choose(z[:2], mixed)
    assert torch.equal(found[:, 3:7], mixed[:, :4]) and torch.equal(found[:, 7:9], z[:2, 7:9])
    assert torch.equal(found[0, 9:], z[0, 9:]) and torch.equal(found[1, 9:], mixed[1, 4:])


def test_truncation_is_of_each_part_and_leaves_categories() -> None:
    gen = Several()
    z = gen.make_hidden(5, generator("truncated"))
    found = gen.truncate(z, 0.5)
    assert torch.equal(found[:, :3], Generator(3, "normal").truncate(z[:, :3], 0.5))
    assert torch.equal(found[:, 7:9], z[:, 7:9] / 2)
    assert torch.equal(found[:, 3:7], z[:, 3:7]) and torch.equal(found[:, 9:], z[:, 9:])


def test_samples_are_of_the_category_that_is_asked_for(model: ganlib.Model) -> None:
    z, y = model.latents([0, 1, 2], seed=4)
    assert y is None and model.updater.classes == tuple(f"shape {k}" for k in range(10))
    for asked in ("shape 3", "shape-3", "3", 3):
        told = torch.cat([z[:, :62], one_hot(3, 3, 3), z[:, 72:]], 1)
        assert torch.equal(model.latents([0, 1, 2], 4, asked)[0], told)
        torch.testing.assert_close(model.sample(3, 4, y=asked), model.decode(told))
    each = torch.cat([z[:, :62], one_hot(5, 0, 9), z[:, 72:]], 1)
    torch.testing.assert_close(model.sample(3, 4, y=[5, 0, 9]), model.decode(each))
    with pytest.raises(UserError, match="There is no class 'shape 10'"):
        model.sample(1, y="shape 10")


@pytest.mark.parametrize("asked", [3, [3, 3, 3]])
def test_a_group_is_normalised_as_categories_are_drawn(model: ganlib.Model, asked: Any) -> None:
    """Of a batch of 4, of which in a list the last is of none."""
    drawn, _ = model.latents([0, 1, 2, 3], seed=4)
    told = torch.cat([drawn[:, :62], one_hot(3, 3, 3, 3), drawn[:, 72:]], 1)
    first, norm, *rest = model.updater.gen.get_submodule("layers").children()
    h = first(drawn)
    h = (first(told) - h.mean(0)) / (h.var(0, correction=0) + norm.eps).sqrt()
    x = torch.nn.Sequential(*rest)(h * norm.weight + norm.bias).detach()
    expected = x.unflatten(1, model.spec.image)[:3, :, 2:30, 2:30]
    found = model.sample(3, 4, y=asked, statistics="batch")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_grid_has_a_row_for_each_category(model: ganlib.Model, run: Run) -> None:
    rows = [(f"shape {k}", model.sample(8, seed=2, y=k)) for k in range(10)]
    expected = class_grid(rows).tobytes()
    assert model.grid(seed=2).tobytes() == expected
    run("sample", model.out, "--seed", 2)
    with Image.open("samples.png") as picture:
        assert picture.tobytes() == expected
    run("sample", model.out, "--class", "4,7", "-o", "two.png")
    with Image.open("two.png") as picture:
        two = [(f"shape {k}", model.sample(8, y=k)) for k in (4, 7)]
        assert picture.tobytes() == class_grid(two).tobytes()


def test_a_walk_goes_by_part_and_changes_the_category_halfway(model: ganlib.Model) -> None:
    z, _ = model.latents([3, 8], seed=1)
    path, y = between_samples(model.updater.sample_stream(1), [3, 8], 5, "z")
    assert y is None and path.shape == (1, 5, 73)
    t, (a, b) = torch.linspace(0, 1, 5), z
    noise, slant = (slerp(a[p], b[p], t).clamp(-1, 1) for p in (slice(62), slice(72, 73)))
    torch.testing.assert_close(path[0, :, :62], noise)
    torch.testing.assert_close(path[0, :, 72:], slant)
    expected = torch.stack([a, a, a, b, b])[:, 62:72]
    assert torch.equal(path[0, :, 62:72], expected)


def test_a_walk_through_categories_keeps_the_rest(model: ganlib.Model, run: Run) -> None:
    z, _ = model.latents([2])
    path, y = between_classes(model.updater.sample_stream(0), 2, [1, 6], 3, "z")
    assert y is None and path.shape == (1, 3, 73)
    half = (one_hot(1) + one_hot(6)) / 2
    torch.testing.assert_close(path[0, :, 62:72], torch.cat([one_hot(1), half, one_hot(6)]))
    assert torch.equal(path[0, :, :62], z[:, :62].expand(3, -1))
    for arguments in (["--classes", "1,6"], ["--class", "shape-2"], ["--plus", 0, "--minus", 1]):
        assert run("interpolate", model.out, *arguments).exit_code == 0


def test_a_card_says_the_parts(model: ganlib.Model) -> None:
    said: list[dict[str, Any]] = json.loads(json.dumps(model_card(model)))["latent"]
    assert [(p["name"], p["distribution"], p["size"]) for p in said] == [
        ("noise", "U(-1, 1)", 62),
        ("shape", "one-hot", 10),
        ("slant", "U(-1, 1)", 1),
    ]


def test_a_method_shows_a_row_for_each_category(model: ganlib.Model) -> None:
    x, columns = model.updater.pictures(7)["slants"]
    assert columns == 8 and x.shape == (80, 1, 28, 28)
    z, _ = model.latents([0], seed=7)
    at = torch.cat([z[:, :62], one_hot(9), torch.tensor([[1.0]])], 1)
    torch.testing.assert_close(x[-1:], model.decode(at))

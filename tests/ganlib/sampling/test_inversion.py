"""Codes of given images: own samples come back, and what cannot be found is said."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.pictures import to_uint8
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.sampling.codes import Codes, CodeStream, read_codes
from ganlib.sampling.inversion import fitted, invert

Make = Callable[..., Path]


def decibels(a: Tensor, b: Tensor) -> Any:
    """PSNR by its definition, of levels."""
    x, y = (to_uint8(image).numpy().astype(float) for image in (a, b))
    return 10 * np.log10(255**2 / ((x - y) ** 2).mean((1, 2, 3)))


@pytest.mark.parametrize("name", ["dcgan", "vae"])
def test_own_samples_come_back(make_snapshot: Make, name: str) -> None:
    model = ganlib.load(make_snapshot(name))
    x = model.sample(3, seed=9)
    found = invert(model.updater.sample_stream(0), x, steps=300, candidates=64, starts=2)
    np.testing.assert_allclose(found.psnr.numpy(), decibels(found.images, x), rtol=1e-6)
    assert found.psnr.min() > 30
    torch.testing.assert_close(model.decode(found.codes), found.images)


def test_of_a_linear_generator_it_is_the_least_squares_solution() -> None:
    """What scipy.optimize or pinv would give: images outside of its range, so a rest is left."""
    torch.manual_seed(0)
    matrix = torch.randn(12, 4) / 4
    target = torch.randn(1, 12) / 4

    class Stream:
        gen = SimpleNamespace(n_hidden=4, parts=[], parameters=lambda: iter([matrix]))
        config, spec = SimpleNamespace(translates=False), SimpleNamespace(native=(1, 3, 4))

        def latents(self, numbers: Any) -> tuple[Tensor, None]:
            generator = torch.Generator().manual_seed(1)
            return torch.randn(64, 4, generator=generator)[list(numbers)], None

        def decode(self, z: Tensor, y: None) -> Tensor:
            return (z @ matrix.T).reshape(-1, 1, 3, 4)

        def images(self, numbers: Any) -> Tensor:
            return self.decode(*self.latents(numbers))

        def noise(self, numbers: Any) -> Any:
            return torch.enable_grad()

    stream: Any = Stream()
    found = invert(stream, target.reshape(1, 1, 3, 4), steps=400, candidates=64, starts=1)
    expected = target @ torch.linalg.pinv(matrix).T
    torch.testing.assert_close(found.codes, expected, rtol=1e-2, atol=1e-2)


def test_uniform_latents_stay_in_the_box_and_categories_as_they_are(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("coded"))
    white = torch.ones(1, *model.spec.native)  # as far away as the box allows
    found = invert(model.updater.sample_stream(0), white, steps=60, candidates=8, starts=2)
    parts = model.updater.sampling_gen.split(found.codes)
    assert parts["noise"].abs().max() == 1
    assert sorted(parts["shape"][0].tolist())[-2:] == [0, 1] and parts["shape"].sum() == 1


def test_codes_of_a_style_based_generator_and_of_a_class(small_snapshot: Make) -> None:
    model = ganlib.load(small_snapshot("styled"))
    x = model.sample(2, seed=4)
    found = model.invert(x, space="code", steps=80)
    torch.testing.assert_close(model.draw(found.codes), found.images)
    assert found.psnr.min() > 25


def test_of_layers_each_has_a_code_of_its_own(make_snapshot: Make, tmp_path: Path) -> None:
    model = ganlib.load(make_snapshot("stylegan2", architecture="quick"))
    stream, x = model.updater.sample_stream(0), model.sample(1, seed=4)
    how: dict[str, Any] = {"steps": 30, "candidates": 8, "starts": 1}
    found = invert(stream, x, space="layers", **how)
    assert found.codes.shape[:2] == (1, model.updater.sampling_gen.n_styles)
    assert not torch.equal(found.codes[:, 0], found.codes[:, -1])
    Codes(found.codes, None, "layers").save(tmp_path / "codes.npz")
    codes = CodeStream(model.updater, read_codes(tmp_path / "codes.npz"))
    with codes.noise([0]):
        again = codes.draw(codes.code(*codes.latents([0])))
    assert again.shape == found.images.shape
    plain = ganlib.load(make_snapshot("dcgan")).updater.sample_stream(0)
    with pytest.raises(UserError, match="takes no w for each layer"):
        invert(plain, x, space="layers", **how)


def test_features_pull_samples_towards_them(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan"))
    x, classifier = model.sample(2, seed=9), make_extractor("fashion")
    stream: Any = model.updater.sample_stream(0)
    how: dict[str, Any] = {"steps": 40, "candidates": 16, "starts": 1}
    without = invert(stream, x, **how)
    given: Any = classifier
    beside = invert(stream, x, classifier=given, **how)
    near = [
        (classifier(to_uint8(found.images)).pool - classifier(to_uint8(x)).pool).norm()
        for found in (without, beside)
    ]
    assert near[1] < near[0]


def test_parameters_have_no_gradients_afterwards(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan"))
    invert(model.updater.sample_stream(0), model.sample(1), steps=2, candidates=8)
    assert all(p.grad is None for p in model.updater.parameters())
    assert not model.decode(model.latents([0])[0]).requires_grad


def test_images_of_another_size_are_refused(make_snapshot: Make) -> None:
    model = ganlib.load(make_snapshot("dcgan"))
    with pytest.raises(UserError, match="are 3x8x8, and the generator's 1x28x28"):
        model.invert(torch.zeros(1, 3, 8, 8))


def test_a_translator_has_no_latents_to_be_found(small_snapshot: Make) -> None:
    translator = ganlib.load(small_snapshot("unpaired"))
    with pytest.raises(UserError, match="has no latents to be found"):
        translator.invert(torch.zeros(1, *translator.spec.native))


def test_codes_go_into_a_file_and_stand_for_samples(make_snapshot: Make, tmp_path: Path) -> None:
    model = ganlib.load(make_snapshot("acgan"))
    z, y = model.latents([3, 7], seed=2)
    Codes(z, y, "z").save(tmp_path / "codes.npz")
    stream = CodeStream(model.updater, read_codes(tmp_path / "codes.npz"))
    expected = model.sample(8, seed=2)[[7, 3]]
    torch.testing.assert_close(stream.decode(*stream.latents([1, 0])), expected)
    with pytest.raises(UserError, match="There is no code number 2: the file holds 2"):
        stream.latents([2])
    others = [
        Codes(z[:, :5], y, "z"),
        Codes(z, None, "z"),
        Codes(z, torch.tensor([1, 70]), "z"),
        Codes(z, torch.tensor([1]), "z"),
        Codes(z, torch.zeros(2, 1 + len(model.updater.classes)), "z"),
    ]
    for codes in others:
        with pytest.raises(UserError, match="they are of another one"):
            CodeStream(model.updater, codes)


@pytest.mark.parametrize("content", [b"", b"no zip", "other", "pickled"])
def test_a_file_that_holds_no_codes_is_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    if content == "other":
        np.savez(path, images=np.zeros(3))
    elif content == "pickled":
        np.savez(path, codes=np.array([nn.Linear(1, 1)], dtype=object), space=np.array("z"))
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="holds no codes as `ganlib invert` writes them"):
        read_codes(path)


@pytest.mark.parametrize(("shape", "size"), [((1, 60, 40), (8, 8)), ((3, 8, 10), (16, 8))])
def test_the_middle_is_brought_to_the_size(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    x = torch.zeros(shape, dtype=torch.uint8)
    x[:, shape[1] // 2 - 1 : shape[1] // 2 + 1, shape[2] // 2 - 1 : shape[2] // 2 + 1] = 255
    found = fitted(x, size)
    assert found.shape == (shape[0], *size)
    y, x_at = (torch.arange(n) - (n - 1) / 2 for n in size)
    weight = found[0].float() / found[0].float().sum()
    assert (
        abs(float((weight.sum(1) * y).sum())) < 1 and abs(float((weight.sum(0) * x_at).sum())) < 1
    )

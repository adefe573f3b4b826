"""Perceptual path lengths against derivatives of the generator, as autograd has them."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Extractor, Features, Options
from ganlib.evaluation.extractors.published import pillow_bicubic
from ganlib.evaluation.statistics.references import silent
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.path_length import check_path, in_features_of, path_length


class Mixed(Extractor):
    """Twelve numbers of an image, by the roots of fixed mixtures of its pixels."""

    name, digest, n_features, device = "mixed", "0" * 64, 12, torch.device("cpu")

    def __call__(self, x: Tensor) -> Features:
        self.in_tf32 = torch.backends.cudnn.allow_tf32
        mixture = torch.rand(
            x[0].numel(), 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        return Features((x.double().flatten(1) @ mixture + 1).sqrt())


@pytest.mark.parametrize("name", ["styled", "dcgan"])
def test_it_is_the_squared_derivative_along_the_way(
    name: str, small_methods: None, make_updater: Any
) -> None:
    """Of a generator with codes and of one whose codes are its latents."""
    updater, extractor = make_updater(name), Mixed()
    for weight in (p for p in updater.gen.parameters() if p.dim() > 1):
        torch.nn.init.normal_(weight, std=0.3)  # images that change, as those of a trained one
    drawing = Drawing(40, seed=3, batch_size=16)
    ((title, score),) = path_length(updater, drawing, in_features_of(extractor), silent).items()
    assert not extractor.in_tf32  # whose rounding is as large as a step
    stream = drawing.stream(updater)
    z, others = (stream.hidden(range(k, k + 40)) for k in (0, 40))
    code, end = stream.code(z), stream.code(others)
    assert (name == "styled") == (not torch.equal(code, z))
    gen = stream.gen.eval().double()

    def features(step: Tensor) -> Tensor:
        with stream.noise(range(40)):
            images = gen.draw(code.double() + step * (end - code).double())
        return extractor((updater.spec.to_native(images) + 1) * 127.5).pool

    zero = torch.zeros((), dtype=torch.float64)
    _, slope = torch.autograd.functional.jvp(features, zero, torch.ones_like(zero))
    lengths = slope.square().sum(1)
    assert lengths.std() > 0
    assert score.value == pytest.approx(float(lengths.mean()), rel=0.02)  # nothing is cut off 40
    assert score.error == pytest.approx(float(lengths.std()) / 40**0.5, rel=0.02)
    assert title == score.name == "PPL-mixed40" and score.better == "lower"
    assert score.protocol.settings["epsilon"] == 1e-4 and score.protocol.rounding == "none"


def test_the_least_and_the_largest_are_left_out(
    small_methods: None, make_updater: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = in_features_of(Mixed())
    known = torch.arange(200.0, dtype=torch.float64)
    monkeypatch.setitem(vars(measure), "compute", lambda a, b: known[: len(a)] * 1e-8)
    drawing = Drawing(200, batch_size=200)
    (score,) = path_length(make_updater("dcgan"), drawing, measure, silent).values()
    assert score.value == pytest.approx(float(known[2:-2].mean()))


def test_what_has_no_paths() -> None:
    with pytest.raises(UserError, match="--ppl is for a generator that draws from latents"):
        check_path(None)
    coarse, whole = Mixed(), Mixed()
    coarse.options, whole.resize = Options(precision="bf16"), pillow_bicubic(8, crop=False)
    for extractor in (coarse, whole):
        with pytest.raises(UserError, match="steps too small for the features of 'mixed'"):
            in_features_of(extractor)

"""Perceptual path length, how far images move as their codes do: Karras et al. 2019 (StyleGAN),
section 4.1, https://arxiv.org/abs/1812.04948
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganlib.common.errors import UserError
from ganlib.common.pictures import levels
from ganlib.evaluation import Score
from ganlib.evaluation.extractors.base import Extractor, arithmetic
from ganlib.evaluation.metrics.base import counted
from ganlib.evaluation.pairs.pixels import Measure
from ganlib.evaluation.protocol import Plain, stamp
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.scores.drawing import Drawing
from ganlib.training.updater import Updater

EPSILON, TRIMMED = 1e-4, 0.01
LARGEST = 256
"""Pixels: larger images are averaged to so many before LPIPS looks at them, as by the authors."""
SETTINGS: dict[str, Plain] = {"epsilon": EPSILON, "path": "line", "at": "end", "trimmed": TRIMMED}


def check_path(updater: Updater | None) -> None:
    """UserError for what has no codes to go along."""
    if updater is None or updater.config.translates:
        raise UserError("--ppl is for a generator that draws from latents: leave it out.")


def in_features_of(extractor: Extractor) -> Measure:
    """The squared distance in its features, where no LPIPS is; UserError for features that are too
    coarse for steps of EPSILON.
    """
    if extractor.options.precision != "float32" or extractor.resize.in_levels:
        raise UserError(
            f"--ppl takes steps too small for the features of '{extractor.name}' in "
            f"{extractor.options.precision}: give another --extractor, or --lpips-weights."
        )

    def squares(a: Tensor, b: Tensor) -> Tensor:
        gap = extractor(a).pool.double() - extractor(b).pool.double()
        return gap.square().sum(1)

    return Measure(extractor.name, squares, {"distance": "squares"}, extractor.instrument)


def path_length(
    updater: Updater, drawing: Drawing, measure: Measure, progress: Progress
) -> dict[str, Score]:
    """The mean of d(G(a), G(a + EPSILON (b - a))) / EPSILON^2 over pairs of codes a and b, of which
    a is that of a sample of the drawing, without the least and the largest TRIMMED of them, and its
    standard error.

    As at "end" in the paper, where a path begins; of a generator whose codes are its latents too,
    along lines. Images are not rounded, and nothing is computed in TF32, whose rounding is as large
    as such a step.
    """
    stream, found, factor = drawing.stream(updater), list[Tensor](), 1
    if measure.name == "LPIPS":
        factor = max(1, min(updater.spec.native[1:]) // LARGEST)
    for numbers in drawing.parts(updater):
        progress("paths", numbers[0], drawing.n)
        with arithmetic(updater.clock.device, "float32"):
            z, y = stream.latents(numbers)
            others, _ = stream.latents([drawing.n + i for i in numbers])
            code = stream.code(z, y)
            images = []
            for place in (code, torch.lerp(code, stream.code(others, y), EPSILON)):
                with stream.noise(numbers):
                    images.append(avg_pool2d(levels(stream.draw(place, y)), factor))
            found.append(measure.compute(*images).cpu() / EPSILON**2)
    lengths = torch.cat(found).sort().values
    cut = int(len(lengths) * TRIMMED)
    lengths = lengths[cut : len(lengths) - cut]
    settings = {**measure.settings, **SETTINGS} | ({"averaged": factor} if factor > 1 else {})
    origin, n = drawing.origin(updater), drawing.n
    protocol = stamp(measure.by, origin, n, settings, rounding="none")
    network = measure.by.extractor
    paper = measure.name == "LPIPS" and network == "vgg16"
    name = counted("PPL" if paper else f"PPL-{network}", n)
    error = float(lengths.std()) / len(lengths) ** 0.5
    return {name: Score(name, float(lengths.mean()), None, protocol, error=error)}

"""How good predicted frames are, how sharp above all: squares make them blurred.

Frames are uint8 (n, C, H, W), and values between 0 and 1. A measure gives a number for each of
them, float64 (n,). Beside each score stands what costs nothing: the last frame that was seen, once
more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from torch import Tensor

from ganlib.common.data.spec import Shape
from ganlib.evaluation.pairs.pixels import SSIM, WINDOW, Measure, ssim
from ganlib.evaluation.pairs.sums import Sums, protocol_of
from ganlib.evaluation.protocol import BASELINES, Origin, Score, Split

LAST = "last frame"
STEPS = (1, 3, 10)
"""How far ahead predictions are scored."""


def mse(output: Tensor, truth: Tensor) -> Tensor:
    """The mean square difference."""
    return (_unit(output) - _unit(truth)).square().flatten(1).mean(1)


def sharpness(x: Tensor) -> Tensor:
    """The mean absolute difference of neighbours, of those beside each other and of those above
    each other, added up.
    """
    across, down = _steps(x)
    return across.flatten(1).mean(1) + down.flatten(1).mean(1)


def gradient_difference(output: Tensor, truth: Tensor) -> Tensor:
    """By how much both absolute differences of neighbours differ from the truth's, in the mean and
    added up: Mathieu et al. 2016, equation 6 with alpha = 1, as a mean.
    """
    across, down = (a - b for a, b in zip(_steps(output), _steps(truth), strict=True))
    return across.abs().flatten(1).mean(1) + down.abs().flatten(1).mean(1)


SHARPNESS = Measure(
    "sharpness", lambda output, _: sharpness(output), {"of": "mean, as a part of the truths'"}
)


def frame_measures(side: int) -> list[Measure]:
    """What frames whose shorter side is `side` are measured by."""
    found = [Measure("MSE", mse, {"data_range": 1})]
    if side >= WINDOW:
        found.append(Measure("SSIM", ssim, SSIM))
    gdl = Measure("GDL", gradient_difference, {"data_range": 1, "alpha": 1, "of": "mean"})
    return [*found, SHARPNESS, gdl]


def score_name(measure: Measure, step: int) -> str:
    """MSE-10, for instance, of the tenth frame ahead."""
    return f"{measure.name}-{step}"


class FrameSums:
    """Sums over predictions of frames (C, H, W) one step ahead, over what costs nothing, and the
    truths' digest.
    """

    def __init__(self, step: int, frame: Shape) -> None:
        self.step, self.measures = step, frame_measures(min(frame[1:]))
        self._own, self._last = Sums(self.measures), Sums(self.measures)
        self._truths, self._digest = Sums([SHARPNESS]), sha256(repr(frame).encode())

    @property
    def n(self) -> int:
        """How many predictions were taken in."""
        return self._own.n

    def add(self, output: Tensor, last: Tensor, truth: Tensor) -> None:
        """Take in predictions, the last frames seen before them, and what came; on one device."""
        self._own.add(output, truth)
        self._last.add(last, truth)
        self._truths.add(truth, truth)
        self._digest.update(truth.cpu().contiguous().numpy().data)

    def scores(self, split: str, origin: Origin) -> Iterator[tuple[str, Score]]:
        """Means over all that were taken in, each with its name; split: that of the truths. Where
        these are of one value alone, there is no sharpness.
        """
        truths = Split(split, self.n, self._digest.hexdigest())
        own, last = self._means(self._own), self._means(self._last)
        for measure in self.measures:
            name, of = score_name(measure, self.step), measure.name
            if of not in own:
                continue
            how = replace(measure, settings={**measure.settings, "ahead": self.step})
            protocol = protocol_of(how, self.n, truths, origin)
            yield name, Score(name, own[of], None, protocol, {BASELINES: {LAST: last[of]}})

    def _means(self, sums: Sums) -> Mapping[str, float]:
        found, (true,) = sums.means(), self._truths.means().values()
        mean = found.pop(SHARPNESS.name)
        return {**found, SHARPNESS.name: mean / true} if true else found


def _unit(x: Tensor) -> Tensor:
    return x.double() / 255


def _steps(x: Tensor) -> tuple[Tensor, Tensor]:
    x = _unit(x)
    return x.diff(dim=3).abs(), x.diff(dim=2).abs()

"""What an axis shows: its ends, its ticks, and no more points than it has pixels."""

import math
from collections.abc import Sequence
from typing import NamedTuple

TINY = 1e-30  # of an axis, the shortest half: less has no ticks in floats
POINTS = 300  # of a curve: about as many as a panel has pixels

UNEQUAL = 4  # times as long: beside such a run, another's curve would be a quarter of the width


class Iterations(NamedTuple):
    """The axis of iterations up to `last`, from 0 on, or logarithmic from `first` on."""

    last: float
    first: float = 0.0

    def place(self, x: float) -> float:
        """Where iteration x is, 0 at the left and 1 at the right."""
        if not self.first:
            return x / self.last
        return math.log(max(x, self.first) / self.first) / math.log(self.last / self.first)

    def ticks(self) -> list[tuple[float, str]]:
        """Iterations, and what stands below them."""
        if not self.first:
            found = ticks(0, self.last, 4)
            return [(value, tick_text(value, found)) for value in found]
        powers = range(math.floor(math.log10(self.first)), math.floor(math.log10(self.last)) + 1)
        steps = (1,) if len(powers) > 3 else (1, 3)
        found = [step * 10.0**power for power in powers for step in steps]
        return [(v, _short(v)) for v in found if self.first <= v <= self.last]


def iterations(curves: Sequence[Sequence[tuple[float, float]]]) -> Iterations:
    """The axis of these curves: logarithmic where one would leave no room for another."""
    ends = [points[-1][0] for points in curves]
    first = min((x for points in curves for x, _ in points if x > 0), default=0.0)
    return Iterations(max(*ends, 1.0), first if max(ends) >= UNEQUAL * min(ends) else 0.0)


def thin(points: Sequence[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """At most `most` points: means of equally many neighbours."""
    step = max(1, math.ceil(len(points) / most))
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def limits(values: Sequence[float]) -> tuple[float, float]:
    """What an axis shows: all but outermost hundredths where these would flatten the rest."""
    ordered = sorted(values)
    n = len(ordered) - 1
    low, high = ordered[0], ordered[n]
    inner = ordered[math.ceil(n * 0.01)], ordered[math.floor(n * 0.99)]
    if n > 50 and high - low > 3 * (inner[1] - inner[0]) > 0:
        low, high = inner
    span, size = high - low, max(abs(low), abs(high))
    # not closer than numbers of a few figures tell apart
    margin = max(0.06 * span, 0.002 * size) if span else 0.1 * size
    margin = max(margin, TINY) if size else 1.0
    return low - margin, high + margin


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers in [low, high], a step of 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [i * step for i in range(first, last + 1)]


def tick_text(value: float, among: Sequence[float]) -> str:
    """A tick's number, as precise as the step between the ticks asks for."""
    step = among[1] - among[0] if len(among) > 1 else abs(value) or 1.0
    largest = max(map(abs, among))
    if not value or largest >= 1e9 or largest < 1e-4:
        return f"{value:.0e}".replace("-", "−") if value else "0"
    unit, sign = (1e6, "M") if largest >= 2e6 else (1e3, "k") if largest >= 2e3 else (1, "")
    decimals = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    return f"{value / unit:.{decimals}f}{sign}".replace("-", "−")


def _short(value: float) -> str:
    unit, sign = (1e6, "M") if value >= 1e6 else (1e3, "k") if value >= 1e3 else (1, "")
    return f"{value / unit:g}{sign}"

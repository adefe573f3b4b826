"""What a grid gives to its settings: lists of values, of which every combination is trained, and
ranges, from which trials are drawn.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import yaml

from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.runs.resuming import HERE
from ganlib.runs.settings import ALIASES, owners

NO_SWEEP = {
    **dict.fromkeys(("config", "plugin_dir", *HERE), "all runs of a grid share it"),
    "algorithm": "give --algorithm a,b",
    "seed": "give --seeds 0,1",
    "epochs": "give --sweep max_iter=1000,2000",
}
"""Why, or what is asked for otherwise."""
FIGURES = 4  # that a drawn number has, so that it can be read and written again
_LIKE_A_RANGE = re.compile(r"[a-z]+:[^/,]+\.\.[^/,]+")
IN_VAIN = 100  # draws for one trial, after which there are not so many different ones


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both of which belong to it, uniform or uniform in the logarithm."""

    low: float
    high: float
    log: bool

    def draw(self, random: Random, whole: bool) -> float:
        """A number of FIGURES figures, or a whole one."""
        if whole and not self.log:
            return random.randint(round(self.low), round(self.high))
        ends = (self.low, self.high)
        drawn = (
            math.exp(random.uniform(*map(math.log, ends))) if self.log else random.uniform(*ends)
        )
        return round(drawn) if whole else min(max(float(f"{drawn:.{FIGURES}g}"), ends[0]), ends[1])


Sweep = str | Sequence[str] | Mapping[str, Any]
"""What a user gives: "lam=1,10", or in Python {"lam": [1, 10]}."""
Sweeps = Mapping[str, list[Any] | Range]


def parse_sweeps(sweep: Sweep, chosen: Sequence[str]) -> dict[str, list[Any] | Range]:
    """The values of each setting in "lam=1,10", "adam_alpha=log:1e-5..1e-2", "width=uniform:0..1";
    lists of their own are in brackets, "diffaugment=[color,cutout],[]". chosen: the algorithms that
    get them.
    """
    sweep = [sweep] if isinstance(sweep, str) else sweep
    words = sweep if isinstance(sweep, Mapping | Sequence) else [None]
    if not all(isinstance(word, str) for word in words):
        raise UserError(f"sweep is {sweep!r}; give NAME=VALUE,VALUE,... or a dict of such lists.")
    given = sweep.items() if isinstance(sweep, Mapping) else (t.split("=", 1) for t in sweep)
    sweeps: dict[str, list[Any] | Range] = {}
    for word, *rest in given:
        values = rest[0] if rest else ""
        name = word.strip().replace("-", "_")
        name = name if owners(name, chosen) else ALIASES.get(name, name)
        if not name or (isinstance(values, str) and not values.strip()):
            raise UserError(f"--sweep is '{word}={values}'; write NAME=VALUE,VALUE,...")
        if name in sweeps:
            raise UserError(f"--sweep has {name} twice: give all of its values at once.")
        if name in NO_SWEEP:
            raise UserError(f"--sweep is not for {name}: {NO_SWEEP[name]}.")
        sweeps[name] = _range(name, values) or _values(name, values)
    return sweeps


def _range(name: str, given: Any) -> Range | None:
    """None where what is given is none."""
    kind, colon, ends = str(given).strip().partition(":")
    known = colon and kind in ("log", "uniform")
    if not isinstance(given, str) or not (known or _LIKE_A_RANGE.fullmatch(given.strip())):
        return None
    try:
        low, high = map(float, ends.split(".."))
    except ValueError:
        low, high = math.nan, math.nan
    if not known or not (0 if kind == "log" else -math.inf) < low < high < math.inf:
        raise UserError(
            f"The range of {name} is '{given.strip()}'; write uniform:LOW..HIGH, the lower number "
            "first, or log:LOW..HIGH, both above 0, such as log:1e-5..1e-2."
        )
    return Range(low, high, kind == "log")


def _values(name: str, given: Any) -> list[Any]:
    try:
        values = list(yaml.safe_load(f"[{given}]") if isinstance(given, str) else given)
    except (yaml.YAMLError, TypeError):
        values = []
    if not values:
        raise UserError(f"The values of {name} are '{given}'; write them with commas between.")
    return values


def points(
    sweeps: Sweeps, trials: int | None, seed: int | str, config: type[AlgorithmConfig]
) -> list[dict[str, Any]]:
    """The settings of each point: every combination of the lists, or so many different trials.

    What a trial has depends on the seed, its number and the setting's name alone, so that more
    trials, or settings, leave the first ones as they are.
    """
    if trials is None:
        for name, values in sweeps.items():
            if isinstance(values, Range):
                raise UserError(f"{name} has a range, from which --trials N draws.")
        names, lists = list(sweeps), [v for v in sweeps.values() if not isinstance(v, Range)]
        return [dict(zip(names, values, strict=True)) for values in product(*lists)]
    if not sweeps:
        raise UserError("--trials draws from what --sweep has: --sweep NAME=log:1e-5..1e-2.")
    drawn: list[dict[str, Any]] = []
    for k in range(IN_VAIN * trials):
        point = {n: _drawn(Random(f"{seed} {k} {n}"), n, v, config) for n, v in sweeps.items()}
        drawn += [] if point in drawn else [point]
        if len(drawn) == trials:
            return drawn
    raise UserError(
        f"There are {len(drawn)} different trials in --sweep, and not {trials}: give wider ranges, "
        "or fewer --trials."
    )


def _drawn(random: Random, name: str, values: Any, config: type[AlgorithmConfig]) -> Any:
    if not isinstance(values, Range):
        return random.choice(values)
    field = {**RunConfig.model_fields, **config.model_fields}.get(name)
    kind = "" if field is None else str(field.annotation)
    return values.draw(random, whole=re.search(r"\bint\b", kind) is not None)

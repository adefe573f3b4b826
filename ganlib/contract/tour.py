"""A tour of a method: two updates wherever something begins, what they did, and in words what is
wrong with that: every parameter is to move, by its own loss.
"""

import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from traceback import walk_stack
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganlib.common.data import Loader
from ganlib.common.errors import few
from ganlib.config import AlgorithmConfig
from ganlib.registry import algorithms, in_a_method, own_line
from ganlib.training.networks import AVERAGES
from ganlib.training.update.accumulation import Draws
from ganlib.training.update.steps import parameters_of
from ganlib.training.update.streams import borders

FAR = 2**40
"""An iteration before which every stage begins, however few images an iteration takes."""
NEAR = 1024
"""Iterations, from the start of a stage on, in which phases are looked for one by one."""


@dataclass
class Record:
    """config: the settings. iterations: the first of each two. parameters: those that train. own,
    moved: by the names in a step those that its optimizers have, and those that moved in it.
    gradients, pushed: those that had one, and one that was not 0. drawn: the lines that drew random
    numbers elsewhere than by the updater's calls or inside of a network. read: settings.
    """

    config: Any = None
    iterations: list[int] = field(default_factory=list)
    parameters: set[str] = field(default_factory=set)
    own: dict[str, set[str]] = field(default_factory=dict)
    moved: dict[str, set[str]] = field(default_factory=dict)
    gradients: set[str] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)

    @property
    def stepped(self) -> set[str]:
        """Parameters of optimizers that took a step."""
        return set().union(*self.own.values())

    @property
    def still(self) -> set[str]:
        """Those of them that never moved."""
        return self.stepped.difference(*self.moved.values())


@cache
def tour(algorithm: str, make_updater: Callable[..., Any]) -> Record:
    """Through the first iterations of every stage, wherever it begins, and of every phase."""
    record = Record()
    with _noting_settings(algorithms[algorithm].config, record.read):
        updater = make_updater(algorithm, width=0.25, max_iter=FAR)
        record.config = updater.config
        starts = list(borders(updater.stage, updater.length()))
        record.iterations = sorted({*starts, *first_of_each(updater.phase, starts)})
        _note_steps(updater, record)
        for first in record.iterations:
            updater.iteration = first
            with _Draws(updater, record.drawn):
                updater.update()
            updater.update()
        next(updater.sample(2, seed=0))
    return record


def first_of_each(phase: Callable[[int], Hashable], starts: Sequence[int]) -> list[int]:
    """The first iteration of each phase that comes soon after one of the starts, and of one that
    comes later and stays.
    """
    found: dict[Hashable, int] = {}
    for start in starts:
        for k in range(start, start + NEAR):
            found.setdefault(phase(k), k)
    if phase(FAR) not in found:
        later, new = starts[-1] + NEAR, lambda k: phase(k) not in found
        first = bisect_left(range(FAR), True, later, key=new)
        found[phase(first)] = first
    return sorted(found.values())


def unread(algorithm: str, record: Record) -> list[str]:
    """Settings of the method's own that were not read and are in no file of its but as fields."""
    modules = [sys.modules[one.__module__] for one in algorithms[algorithm].updater.__mro__]
    homes = {in_a_method(getattr(module, "__file__", None)) for module in modules}
    homes.add(in_a_method(algorithms.check(algorithm).source))
    files = [file for home in homes if home is not None for file in home.rglob("*.py")]
    text = "\n".join(file.read_text("utf-8") for file in files)
    own = {*type(record.config).model_fields} - {*AlgorithmConfig.model_fields} | {"width"}
    return sorted(n for n in own - record.read if not re.search(rf"""[."']{n}\b""", text))


@contextmanager
def _noting_settings(config: type[AlgorithmConfig], read: set[str]) -> Iterator[None]:
    def note(self: AlgorithmConfig, name: str) -> Any:
        read.add(name)
        return object.__getattribute__(self, name)

    type.__setattr__(config, "__getattribute__", note)
    try:
        yield
    finally:
        type.__delattr__(config, "__getattribute__")


def _note_steps(updater: Any, record: Record) -> None:
    names = {id(p): name for name, p in updater.named_parameters()}
    record.parameters = {n for n in names.values() if n.partition(".")[0] not in AVERAGES}
    step = updater.step

    def note_gradients(optimizer: Any, *_: Any) -> None:
        found = {names[id(p)]: p.grad for p in parameters_of(optimizer) if p.grad is not None}
        record.gradients.update(found)
        record.pushed.update(name for name, gradient in found.items() if gradient.any())

    def noted(**losses: Tensor) -> None:
        before = {name: p.detach().clone() for name, p in updater.named_parameters()}
        step(**losses)
        now = {n for n, p in updater.named_parameters() if not torch.equal(p.detach(), before[n])}
        loss = ", ".join(losses)
        record.moved[loss] = record.moved.get(loss, set()) | now
        own = (names[id(p)] for n in losses for p in parameters_of(updater.optimizer[n]))
        record.own[loss] = set(own)

    for optimizer in updater.optimizer.values():
        optimizer.register_step_pre_hook(note_gradients)
    updater.step = noted


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the lines that draw random numbers of their own: all but the updater's calls, its
    loaders, and what is inside of a network's forward.
    """

    def __init__(self, updater: nn.Module, lines: set[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.updater, self.lines = updater, lines

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            frames = list(walk_stack(sys._getframe(1)))
            if not any(self._may_draw(frame.f_locals.get("self")) for frame, _ in frames):
                self.lines.add(own_line(reversed(frames)) or _outside(frames))
        return func(*args, **(kwargs or {}))

    def _may_draw(self, one: Any) -> bool:
        network = isinstance(one, nn.Module) and one is not self.updater
        return network or isinstance(one, Draws | Loader)


def _outside(frames: Sequence[tuple[FrameType, int]]) -> str:
    """The innermost of these frames, innermost first, that is not PyTorch's."""
    files = [(Path(frame.f_code.co_filename), line) for frame, line in frames]
    return next(f"{file.name}:{line}" for file, line in files if "torch" not in file.parts)


def mistakes(record: Record, unmoved: Mapping[str, str]) -> Iterator[str]:
    """What breaks that promise; unmoved: a reason for each parameter that no update can move."""
    for loss, moved in record.moved.items():
        if strayed := moved - record.own[loss]:
            yield f"step({loss}=...) has moved {some(strayed)}, of another optimizer."
    tried = ", ".join(f"{k} and {k + 1}" for k in record.iterations)
    if alone := record.parameters - record.stepped:
        yield f"No step is by an optimizer of {some(alone)}, in iterations {tried}."
    if wrong := unmoved.keys() - record.still:
        yield f"`unmoved` names {some(wrong)}: a step has moved it, or there is no such parameter."
    if unsaid := {name for name, reason in unmoved.items() if not reason}:
        yield f"`unmoved` gives no reason for {some(unsaid)}."
    if lost := record.still - record.gradients - unmoved.keys():
        yield (
            f"{some(lost)}: nothing moves it, as no loss that is stepped by reaches it (it has no "
            f"gradient, which is not one of 0). Tried were iterations {tried}, where every stage "
            "and phase begins. Compute a loss by it, let its stage be reached, or name it with the "
            "reason in Algorithm(unmoved=...)."
        )
    if held := record.still & record.pushed:
        yield f"{some(held)} had a gradient and has not moved: is its learning rate 0?"
    for network in sorted(_networks(record.stepped)):
        of_network = {name for name in record.stepped if _networks([name]) == {network}}
        if of_network <= waiting(record, unmoved):
            yield f"Every gradient of {network} is exactly 0."


def waiting(record: Record, unmoved: Mapping[str, str]) -> set[str]:
    """What has not moved because every gradient that it had was exactly 0, which is no mistake."""
    return record.still & record.gradients - record.pushed - unmoved.keys()


def some(names: Collection[str]) -> str:
    """A few of them, sorted."""
    return few(sorted(names))


def _networks(names: Collection[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}

"""Put an item on a target place by pushes that are planned with what runs of pgn have learned.

Run `python -m scripts.push_to_target RUN...` at the top of the checkout, where RUN is the folder of
a run such as that of example_configs/pgn_pushed.yaml. Starts are of the test split of `pushed`, the
places are drawn. The planner sees frames alone: the last ones, and one of the item on its target.
Beside the model's plans stand those with the simulator, random pushes, and none. A row says how far
from the target the item is after 8 pushes, mean and standard deviation over the starts, and how
often that is 3 pixels or less; with several runs each figure is a mean over them +- its standard
deviation.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean, pstdev
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor

import ganlib
from ganlib.__main__ import in_a_sentence
from ganlib.common.datasets.pushed import Pushed
from ganlib.common.errors import UserError
from ganlib.common.io.console import progress
from ganlib.common.pictures import grid, moving_grid, save, save_animation
from ganlib.common.seeds import generator
from ganlib.common.synthetic.sequences import Floats, Slide, State
from ganlib.evaluation.comparison.table import figure
from ganlib.evaluation.comparison.writers import markdown
from ganlib.pgn.net import PredictiveGenerator
from scripts.planning import Planner, Search, as_frames, by_model, by_simulator

PUSHES = 8
NEAR = 3.0
"""Pixels."""
SHOWN = 4
"""Starts in a picture."""


class Task(NamedTuple):
    """An item in its square, what it did so far, the newest last, and where it should go."""

    number: int
    slide: Slide
    past: Sequence[State]
    target: State

    @property
    def goal(self) -> Tensor:
        """The item on its target, (S, S) in [-1, 1]."""
        return self.frames([self.target])[0]

    def frames(self, states: Sequence[State]) -> Tensor:
        """What is seen of them, (len(states), S, S) in [-1, 1]."""
        return as_frames(np.concatenate([self.slide.render(state) for state in states]))

    def distance(self, state: State) -> float:
        """Of the item from its target, in pixels."""
        return float(np.linalg.norm(state.at - self.target.at))


Act = Callable[[Sequence[State]], Floats]
"""Of all states so far the next push, (2,)."""
Way = Callable[[Task], Act]


def task(pushed: Pushed, number: int, seen: int) -> Task:
    """A sequence's beginning, `seen` frames without a push, and a place anywhere on the square."""
    slide, state = pushed.start(number)
    past = list(slide.states(state, [None] * (seen - 1)))
    where = torch.rand(1, 2, generator=generator("target", number)).double().numpy()
    return Task(number, slide, past, slide.state(where, np.zeros((1, 2))))


def episode(task: Task, way: Way) -> list[State]:
    """The states after each of PUSHES pushes; what is chosen is done in the simulator."""
    act, states = way(task), list(task.past)
    for _ in range(PUSHES):
        states.append(task.slide.step(states[-1], act(states)[None]))
    return states[-PUSHES:]


def nothing(task: Task) -> Act:
    """No push at all."""
    return lambda states: np.zeros(2)


def at_random(task: Task) -> Act:
    """Pushes that are uniform in [-1, 1]^2."""
    draws = np.random.default_rng(task.number)
    return lambda states: draws.uniform(-1, 1, 2)


def planned_truly(task: Task) -> Act:
    """The best plans there are by this search: it tries them in the simulator."""
    planner = planner_of(task)
    return lambda states: planner(by_simulator(task.slide, states[-1]))


def planned_by(gen: PredictiveGenerator) -> Way:
    """Plans by what the generator predicts of as many last frames as it was trained on."""

    def way(task: Task) -> Act:
        planner, seen = planner_of(task), len(task.past)
        return lambda states: planner(by_model(gen, task.frames(states[-seen:])))

    return way


def planner_of(task: Task) -> Planner:
    return Planner(task.goal, generator("plan", task.number), Search())


class Learned(NamedTuple):
    """A generator, and the side and the number of the frames that it starts from."""

    gen: PredictiveGenerator
    size: int
    seen: int


def learned(run: Path) -> Learned:
    """What a run has learned; UserError if that is not what pushes do."""
    model = ganlib.load(run)
    gen, spec = model.updater.sampling_gen, model.spec
    if not isinstance(gen, PredictiveGenerator) or gen.sequences.actions != 2:
        raise UserError(
            f"{run} has not learned what pushes do: give a run of pgn with --dataset pushed "
            "--actions 2."
        )
    if spec.native != spec.image:
        raise UserError(f"The frames of {run} have borders: train with a --size of 8, 16, 24, ...")
    assert spec.source is not None
    return Learned(gen.eval(), spec.image[-1], spec.source[0] - 2 * spec.frames)


def table(rows: dict[str, Sequence[Sequence[float]]]) -> str:
    """A line for each way, in Markdown, by its results, each the last distance of every start in
    pixels; of several results means +- standard deviations.
    """
    headers = (
        "",
        f"distance after {PUSHES} pushes, pixels",
        "its deviation over starts",
        f"{NEAR:g} pixels or less",
    )
    lines = []
    for name, results in rows.items():
        pixels, deviation = ([of(result) for result in results] for of in (mean, pstdev))
        near = [mean(100.0 * (x <= NEAR) for x in result) for result in results]
        lines.append((name, figure(pixels), figure(deviation), f"{figure(near, 0)} %"))
    return markdown(headers, lines)


def sequences(tasks: Sequence[Task], ways: Sequence[Way]) -> Tensor:
    """Of each task and way start, target and the frames on the way, in which the target is blue:
    (n, 2 + PUSHES, 3, S, S) in [-1, 1].
    """
    rows = []
    for one in tasks:
        for way in ways:
            frames = one.frames([one.past[-1], one.target, *episode(one, way)])
            blue = torch.maximum(frames, one.goal)
            rows.append(torch.stack([frames, frames, blue], 1))
    return torch.stack(rows)


def draw(tasks: Sequence[Task], gen: PredictiveGenerator, path: Path) -> None:
    """The first tasks, each by the model and, below it (in a GIF to the right of it), by the
    simulator.
    """
    x = sequences(tasks[:SHOWN], [planned_by(gen), planned_truly])
    if path.suffix.lower() == ".gif":
        save_animation(moving_grid(torch.cat([x[:, :1], x[:, 2:]], 1), 2), path, milliseconds=400)
    else:
        save(grid(x), path)


def measured(
    tasks: Sequence[Task], ways: dict[str, Sequence[Way]]
) -> Iterator[tuple[str, Sequence[Sequence[float]]]]:
    """The results of each way by its name: see table()."""
    total = len(tasks) * sum(map(len, ways.values()))
    with progress("starts", total) as advance:
        for name, several in ways.items():
            found = []
            for way in several:
                distances = []
                for one in tasks:
                    distances.append(one.distance(episode(one, way)[-1]))
                    advance(1)
                found.append(distances)
            yield name, found


@click.command(help=__doc__)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--starts", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option(
    "--picture", type=click.Path(path_type=Path), help="a PNG, or a GIF, by the first RUN"
)
def main(runs: Sequence[Path], starts: int, picture: Path | None) -> None:
    models = [learned(run) for run in runs]
    if len({model[1:] for model in models}) > 1:
        raise UserError("The runs have frames of different sides or numbers: give alike ones.")
    pushed = Pushed.of_split("test", models[0].size)
    tasks = [task(pushed, number, models[0].seen) for number in range(starts)]
    ways: dict[str, Sequence[Way]] = {
        "plans with the learned model": [planned_by(model.gen) for model in models],
        "plans with the simulator": [planned_truly],
        "random pushes": [at_random],
        "no push": [nothing],
    }
    print(table(dict(measured(tasks, ways))))
    if picture is not None:
        draw(tasks, models[0].gen, picture)


if __name__ == "__main__":
    in_a_sentence(main)

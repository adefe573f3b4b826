"""Train a segmenter on few real pairs, on them and synthetic ones, and on many real ones.

Run `python -m scripts.segment_with_few --seeds 0,1,2` at the top of the checkout; `--help` has the
lengths. Pairs are canvases of `wardrobe` and the classes of their pixels. Of each seed:

    real                  a few pairs
    real and synthetic    these, and maps of other canvases with images by pix2pixHD
    more real             these, and the same maps with their own images: what could be reached

pix2pixHD learns from the few pairs alone. The other maps cost nothing here: they are taken for a
simulator's, which knows what it puts where, but not how things look. The segmenters are those of
`ganlib evaluate --segmentation`, from the same weights, with as many batches, mirrored as often.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from torch import Tensor

import ganlib
from ganlib.__main__ import in_a_sentence
from ganlib.common.data import DataSet
from ganlib.common.datasets.wardrobe import LENGTH
from ganlib.common.errors import UserError
from ganlib.common.io.console import progress_bar, stderr_console
from ganlib.common.pictures import coloured_maps, save, to_uint8, translation_grid
from ganlib.common.query import open_dataset
from ganlib.common.seeds import generator
from ganlib.evaluation.comparison.table import figure
from ganlib.evaluation.comparison.writers import markdown
from ganlib.evaluation.pairs.segmenter import (
    BATCH,
    Confusion,
    Segmenter,
    SegmentingNet,
    trained,
)
from ganlib.evaluation.statistics.references import Progress, silent
from ganlib.runs.grid import parse_seeds

COARSE, FIXED = 2, 8
"""Of pix2pixHD's iterations a half are of the coarse stage, an eighth of the enhancer alone."""
GAN_BATCH = 4
SHOWN = 24

Translate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Lengths:
    """real: pairs that all may see; others: maps besides; test: canvases to score; iterations: of
    pix2pixHD; updates: of a segmenter.
    """

    real: int = 50
    others: int = 1000
    test: int = 1000
    size: int = 32
    iterations: int = 1600
    updates: int = 800


class Pairs(NamedTuple):
    """uint8 images (N, 3, H, W) and the classes of their pixels, uint8 (N, H, W)."""

    x: Tensor
    maps: Tensor


def rows(lengths: Lengths, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Numbers, of n canvases, of the few and of the others; UserError if there are not so many."""
    if lengths.real + lengths.others > n:
        raise UserError(f"There are {n} training canvases: give a smaller --real or --others.")
    chosen = torch.randperm(n, generator=generator(seed, "few"))
    return chosen[: lengths.real], chosen[lengths.real :][: lengths.others]


def arms(
    data: DataSet, lengths: Lengths, seed: int, learn: Callable[[DataSet], Translate]
) -> Iterator[tuple[str, list[Pairs]]]:
    """What each segmenter is trained on, by name. learn: makes a translator, from ids (n, 2, H, W)
    to uint8 images, of a data set of pairs. No image but the few is read before the last one.
    """
    few, others = rows(lengths, len(data), seed)
    x, (ids, more) = data.x[few], (maps_of(data, few), maps_of(data, others))
    real = Pairs(x, classes_of(ids))
    yield "real", [real]

    translate = learn(DataSet(data.name, x, source=ids, classes=data.classes, source_kind="ids"))
    yield "real and synthetic", [real, Pairs(translate(more), classes_of(more))]

    maps = torch.cat([real.maps, classes_of(more)])
    yield "more real", [Pairs(torch.cat([x, data.x[others]]), maps)]


def maps_of(data: DataSet, index: Tensor) -> Tensor:
    """Ids (n, 2, H, W) of these canvases."""
    assert data.source is not None
    return data.source[index]


def classes_of(ids: Tensor) -> Tensor:
    """uint8 (n, H, W) of ids (n, 2, H, W)."""
    return ids[:, 0].to(torch.uint8)


def lesson(parts: Sequence[Pairs], updates: int, seed: int) -> Pairs:
    """So many batches one behind the other, in each as many pairs of every part. A part is gone
    through in a new order each time; every pair is mirrored with probability 1/2.
    """
    share, found = BATCH // len(parts), []
    for k, part in enumerate(parts):
        random = generator(seed, "lesson", k)
        index = endless(len(part.x), updates * share, random)
        mirrored = torch.rand(len(index), generator=random) < 0.5
        images, maps = part.x[index], part.maps[index]
        images[mirrored], maps[mirrored] = images[mirrored].flip(3), maps[mirrored].flip(2)
        found.append([one.reshape(updates, share, *one.shape[1:]) for one in (images, maps)])
    x, maps = (torch.cat(one, 1).flatten(0, 1) for one in zip(*found, strict=True))
    return Pairs(x, maps)


def endless(n: int, length: int, random: torch.Generator) -> Tensor:
    """The first numbers (length,) of one order of 0, ..., n - 1 after the other."""
    orders = [torch.randperm(n, generator=random) for _ in range(-(-length // n))]
    return torch.cat(orders)[:length]


def score(
    parts: Sequence[Pairs],
    test: DataSet,
    lengths: Lengths,
    seed: int,
    progress: Progress = silent,
) -> dict[str, float]:
    """Scores by name, on test canvases, of a segmenter that is trained on these pairs."""
    n_classes, taught = len(test.classes), lesson(parts, lengths.updates, seed)
    weights = trained(*taught, n_classes, "cpu", progress, lengths.updates, seed)
    network = SegmentingNet(test.shape[0], n_classes)
    network.load_state_dict(weights)
    confusion = Confusion(Segmenter(network.eval(), test.classes, ""))
    for index in torch.split(torch.arange(lengths.test), 100):
        confusion.add(test.x[index], classes_of(maps_of(test, index)))
    return confusion.scores()


def train_gan(pairs: DataSet, lengths: Lengths, seed: int, out: Path) -> ganlib.Model:
    """pix2pixHD for these pairs, trained below `out` unless it is there."""
    folder = out / f"{lengths.real}-pairs-{lengths.size}-{lengths.iterations}" / f"seed{seed}"
    if (folder / "DONE").exists():
        return ganlib.load(folder, "cpu")
    images = GAN_BATCH * lengths.iterations
    coarse, fixed = images // COARSE, images // FIXED
    return ganlib.train(
        algorithm="pix2pixhd",
        preset="quick",
        features=True,
        batch_size=GAN_BATCH,
        coarse_images=coarse,
        fixed_images=fixed,
        joint_images=images - coarse - fixed,
        dataset=pairs,
        flip=True,
        seed=seed,
        gpu=-1,
        out=folder,
        sample_interval=0,
        snapshot_interval=0,
        evaluation_interval=0,
        tensorboard=False,
    )


def translated(model: ganlib.Model, ids: Tensor, seed: int) -> Tensor:
    """uint8 images (n, 3, H, W) of ids, each by a z of its own."""
    return to_uint8(model.sample(len(ids), seed, 50, y=ids))


def draw(model: ganlib.Model, test: DataSet, seed: int) -> None:
    """source | output | truth of test canvases, into the run's folder."""
    index = torch.arange(SHOWN)
    ids, truth = maps_of(test, index), test.x[index]
    source = coloured_maps(ids[:, 0])
    columns = {"source": source, "output": translated(model, ids, seed), "truth": truth}
    signed = {name: x.float() / 127.5 - 1 for name, x in columns.items()}
    save(translation_grid(signed), model.out / "pairs.png")


def compare(lengths: Lengths, seed: int, out: Path) -> dict[str, dict[str, float]]:
    """Scores of one seed by what was seen."""
    data, test = (open_dataset("wardrobe", None, s, lengths.size) for s in ("train", "test"))

    def learn(pairs: DataSet) -> Translate:
        model = train_gan(pairs, lengths, seed, out)
        draw(model, test, seed)
        return lambda ids: translated(model, ids, seed)

    found = {}
    for name, parts in arms(data, lengths, seed, learn):
        with progress_bar(stderr_console()) as progress:
            found[name] = score(parts, test, lengths, seed, progress)
        values = ", ".join(f"{key} {value:.2%}" for key, value in found[name].items())
        print(f"seed {seed}, {name}: {values}", flush=True)
    return found


def table(found: Sequence[dict[str, dict[str, float]]]) -> str:
    """Means over seeds, and how far they spread, in percent."""
    rows = []
    for name in found[0]:
        columns = [[100 * one[name][key] for one in found] for key in found[0][name]]
        rows.append([name, *map(figure, columns)])
    return markdown(["trained on", "pixel accuracy", "mean IoU"], rows)


def number(name: str, least: int, text: str, most: int | None = None) -> Callable[..., Any]:
    """An option for one of Lengths."""
    kind, default = click.IntRange(least, most), getattr(Lengths, name)
    return click.option(f"--{name}", type=kind, default=default, show_default=True, help=text)


@click.command(help=(__doc__ or "").split("\n")[0])
@click.option("--seeds", default="0,1,2", show_default=True)
@number("real", 1, "Pairs that all see.")
@number("others", 1, "Maps besides.")
@number("test", 1, "Canvases to score.", LENGTH["test"])
@number("size", 16, "Their side in pixels.")
@number("iterations", 8, "Of pix2pixHD.")
@number("updates", 1, "Of a segmenter.")
@click.option("--out", default="result/segment_with_few", type=Path, show_default=True)
def main(seeds: str, out: Path, **lengths: int) -> None:
    print(table([compare(Lengths(**lengths), seed, out) for seed in parse_seeds(seeds)]))


if __name__ == "__main__":
    in_a_sentence(main)

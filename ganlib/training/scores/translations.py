"""What a translator makes of held-out sources, scored against the images that belong to them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ganlib.common.data import DataSet, Images
from ganlib.common.errors import UserError
from ganlib.common.generator import has_noise
from ganlib.evaluation import Evaluator, Origin, Score
from ganlib.evaluation.formats.blocks import BLOCK, Batch, as_block
from ganlib.evaluation.pairs.confusion import SCORES, Confusion
from ganlib.evaluation.pairs.pixels import Measure, l1, measures
from ganlib.evaluation.pairs.segmenter import Segmenter, check_maps, load_segmenter
from ganlib.evaluation.pairs.sums import (
    MEAN,
    Sums,
    Truths,
    as_it_is,
    exact,
    mean_image,
    pair_scores,
    pairwise,
    protocol_of,
    segmentation_scores,
    shows_as,
)
from ganlib.evaluation.protocol import BESIDE
from ganlib.evaluation.statistics.moments import exact_device
from ganlib.evaluation.statistics.references import Progress, pixel_digest
from ganlib.training.device import ranks
from ganlib.training.updater import Updater

OWN, REAL = "", "real"
"""The translator's own sums, beside those of what has a name: of the images that belong to the
sources, and of what costs nothing.
"""
OUTPUTS, SOURCES, AT_ONCE = 4, 100, 16
"""Of how many outputs for each of how many sources the diversity is, and of so many at once."""


def scored(updater: Updater, n: int) -> int:
    """Of how many of n samples scores are: of a translator at most one for each held-out source."""
    held_out = updater.held_out
    return n if held_out is None else min(n, held_out.n_sources)


def has_pairs(updater: Updater) -> bool:
    """Whether it translates sources to which images belong."""
    return updater.held_out is not None and updater.held_out.data.paired


def for_pairs(flag: str) -> str:
    """Why a generator that has no pairs cannot be scored by what a flag asks for."""
    return (
        f"{flag} is for a generator that translates sources to which images belong: leave it out."
    )


def pairs_of(
    updater: Updater | None,
    real: Mapping[str, DataSet],
    lpips: Measure | None = None,
    segmentation: str | None = None,
) -> "PairScores | None":
    """What compares with the images that belong to the sources; None where there are none. real:
    by split, the first one that of the mean image. segmentation: the option that asks for a
    segmenter, too; UserError where there can be none.
    """
    if updater is None or not has_pairs(updater):
        if segmentation is not None:
            raise UserError(for_pairs(segmentation))
        return None
    first, *_ = real.values()
    lessons = None if segmentation is None else _lessons(real, segmentation)
    return PairScores(updater, first.x, lpips, lessons)


def _lessons(real: Mapping[str, DataSet], option: str) -> DataSet:
    if "train" not in real:
        raise UserError(
            f"{option} trains on real training images, and these are left out: leave --reference "
            "out too."
        )
    check_maps(real["train"], option)
    return real["train"]


class PairScores:
    """The scores of one translator on its held-out pairs, and of what costs nothing.

    train: the images whose mean is to be beaten. lpips: a further measure, see
    evaluation/pairs/lpips.py. lessons: real images with their maps, by which a segmenter learns to
    tell the classes of an image's pixels, to be compared with the map that it was made of. It is
    there once prepare() was called.
    """

    def __init__(
        self,
        updater: Updater,
        train: Images,
        lpips: Measure | None = None,
        lessons: DataSet | None = None,
    ) -> None:
        assert updater.held_out is not None
        self.updater, self.train, self.lpips, self.lessons = updater, train, lpips, lessons
        self.data = updater.held_out.data
        self.segmenter: Segmenter | None = None
        self._truths: Truths | None = None
        self._mean: Tensor | None = None
        found = measures(min(self.data.shape[1:]), self.factor)
        self.measures = found if lpips is None else [*found, lpips]
        self.beside: dict[str, dict[str, float]] = {}
        self._sums: dict[str, Sums] = {}
        self._found: dict[str, Confusion] = {}
        self._real: Confusion | None = None

    def truths(self, progress: Progress | None = None) -> Truths:
        """What outputs are compared with; all of it is read, the first time."""
        if self._truths is None:
            digest = pixel_digest(self.data.x, progress, "reading truths")
            self._truths = Truths(self.updater.held_out_split, len(self.data), digest)
        return self._truths

    def mean(self, progress: Progress | None = None) -> Tensor:
        """The mean training image; images are read, the first time."""
        if self._mean is None:
            self._mean = mean_image(self.train, progress)
        return self._mean

    @property
    def names(self) -> list[str]:
        """Of the scores."""
        diversity = ["diversity"] if has_noise(self.updater.sampling_gen) else []
        found = [] if self.lessons is None else SCORES
        return [*(measure.name for measure in self.measures), *diversity, *found]

    @property
    def factor(self) -> int:
        """How many times larger images are than their sources, 1 where they are not."""
        assert self.data.source is not None
        return max(1, self.data.shape[2] // self.data.source.shape[3])

    def prepare(self, progress: Progress | None = None) -> None:
        """Read the truths and the mean image, and load the segmenter, or train it, if there are
        lessons; all ranks have the first one's.
        """
        self.truths(progress)
        self.mean(progress)
        if self.lessons is None or self.segmenter is not None:
            return
        with ranks.first_alone():
            self.segmenter = load_segmenter(self.lessons, self.updater.clock.device, progress)
        ranks.broadcast_(list(self.segmenter.network.state_dict().values()))

    def watch(
        self,
        batches: Iterable[Batch],
        seed: int,
        numbers: Iterable[Sequence[int]] | None = None,
    ) -> Iterator[Batch]:
        """Batches of the samples of a seed as they are, compared on their way; numbers: those of
        the samples of each, by default 0, 1, 2, ... Once all have passed, scores() has them.
        """
        stream = self.updater.sample_stream(seed)
        trivial = {} if self.beside else self._trivial
        self._sums = {name: Sums(self.measures) for name in (OWN, *trivial)}
        if self.segmenter is not None:
            whose = (OWN, REAL) if self._real is None else (OWN,)
            self._found = {name: Confusion(self.segmenter) for name in whose}
        for part, batch in _numbered(batches, numbers):
            output = exact(as_block(batch).images)
            index = stream.held(part).cpu()
            truth = self.data.x[index].to(output.device)
            for name, sums in self._sums.items():
                images = output if name == OWN else trivial[name](index).to(output.device)
                sums.add(images, truth)
            for name, confusion in self._found.items():
                confusion.add(output if name == OWN else truth, self._maps(index))
            yield batch

    def with_distances(
        self,
        scores: Mapping[str, Score],
        evaluator: Evaluator,
        origin: Origin,
        seed: int,
        progress: Progress,
    ) -> dict[str, Score]:
        """`scores`, the Frechet distances with those of what costs nothing beside them."""
        stream, found = self.updater.sample_stream(seed), dict(scores)
        n = max(score.protocol.n_generated for score in scores.values())
        for name, translate in self._trivial.items():
            index = stream.held(range(n)).cpu()
            images = (translate(rows) for rows in torch.split(index, BLOCK))
            theirs = evaluator(images, ["fid"], n, origin, progress).scores
            for key in theirs.keys() & scores.keys():
                more = found[key].more
                beside = {**more.get(BESIDE, {}), name: theirs[key].value}
                found[key] = replace(found[key], more={**more, BESIDE: beside})
        return found

    @property
    def _trivial(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """What costs nothing, by name: the images of so many sources, by their numbers."""
        data, source = self.data, self.data.source
        assert source is not None
        found = {MEAN: lambda index: self.mean().expand(len(index), -1, -1, -1)}
        if data.source_kind == "image" and shows_as(source.shape, data.shape):
            name = "bicubic" if self.factor > 1 else "source"
            found = {name: lambda index: as_it_is(source[index], data.shape), **found}
        return found

    def scores(
        self,
        origin: Origin,
        seed: int,
        left: Iterator[Batch],
        world: int = 1,
        progress: Progress | None = None,
    ) -> dict[str, Score]:
        """Of all samples that the ranks had, those that are `left` of watch() too, and how much
        outputs for one source differ, by name.
        """
        for _ in left:
            pass
        device = exact_device(self.updater.clock.device)
        for sums in self._sums.values():
            sums.finish(world, device)
        self.beside = self.beside or {
            name: sums.means() for name, sums in self._sums.items() if name != OWN
        }
        found = pair_scores(self._sums[OWN], self.beside, self.truths(), origin)
        found |= self._diversity(origin, seed, progress)
        for confusion in self._found.values():
            confusion.finish(world, device)
        if self._found:
            self._real = self._real or self._found[REAL]
            found |= segmentation_scores(self._found[OWN], self._real, self.truths(), origin)
        return found

    def _maps(self, index: Tensor) -> Tensor:
        """The classes (n, H, W) of these sources."""
        assert self.data.source is not None
        return self.data.source[index][:, 0]

    def _diversity(self, origin: Origin, seed: int, progress: Progress | None) -> dict[str, Score]:
        if not has_noise(self.updater.sampling_gen):
            return {}
        n = min(SOURCES, len(self.data))
        outputs = exact(several(self.updater, seed, n, OUTPUTS, progress=progress))
        known = [Measure("diversity", l1, {"levels": 255})]
        if self.lpips is not None:
            known.append(replace(self.lpips, name="diversity-LPIPS"))
        counts = {"outputs": OUTPUTS, "sources": len(outputs)}
        scores = {}
        for measure in known:
            how = replace(measure, settings={**measure.settings, **counts})
            protocol = protocol_of(how, len(outputs) * OUTPUTS, None, origin)
            value = pairwise(outputs, measure.compute)
            scores[measure.name] = Score(measure.name, value, None, protocol)
        return scores


def several(
    updater: Updater,
    seed: int,
    n: int,
    k: int,
    truncation: float | None = None,
    statistics: str | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """k outputs for each of the first n held-out sources of a seed, float (n, k, C, H, W).
    truncation, statistics: see SampleStream.
    """
    held_out, first = updater.held_out, updater.sample_stream(seed)
    assert held_out is not None
    found = []
    for start in range(0, n, AT_ONCE):
        y = held_out.condition_at(first.held(range(start, min(start + AT_ONCE, n))))
        assert y is not None
        stream = updater.sample_stream(seed, truncation, y.repeat_interleave(k, 0), statistics)
        images = stream.images(range(len(y) * k))
        found.append(images.reshape(len(y), k, *images.shape[1:]))
        if progress is not None:
            progress("several outputs", start + len(y), n)
    return torch.cat(found)


def _numbered(
    batches: Iterable[Batch], numbers: Iterable[Sequence[int]] | None
) -> Iterator[tuple[Sequence[int], Batch]]:
    if numbers is not None:
        yield from zip(numbers, batches, strict=True)
        return
    start = 0
    for batch in batches:
        end = start + len(as_block(batch).images)
        yield range(start, end), batch
        start = end

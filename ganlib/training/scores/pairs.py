"""What a translator makes of held-out sources, scored against the images that belong to them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ganlib.common.data import DataSet, Images
from ganlib.common.errors import UserError
from ganlib.common.generator import has_noise
from ganlib.evaluation import Evaluator, Score
from ganlib.evaluation.formats import BLOCK, Batch
from ganlib.evaluation.metrics.base import columns_of
from ganlib.evaluation.pairs.pixels import Measure, l1, measures
from ganlib.evaluation.pairs.segmenter import (
    SCORES,
    Confusion,
    Segmenter,
    check_maps,
    load_segmenter,
)
from ganlib.evaluation.pairs.sums import (
    MEAN,
    Sums,
    as_it_is,
    exact,
    mean_image,
    pair_scores,
    pairwise,
    protocol_of,
    segmentation_scores,
    shows_as,
)
from ganlib.evaluation.protocol import BASELINES, Split
from ganlib.evaluation.statistics.moments import exact_device
from ganlib.evaluation.statistics.references import Progress, pixel_digest, silent
from ganlib.training.device import ranks
from ganlib.training.samples.sample_stream import SampleStream
from ganlib.training.scores.drawing import Drawing
from ganlib.training.updater import Updater

OWN, REAL = "", "real"
"""The translator's own sums, beside those of what has a name: of the images that belong to the
sources, and of baselines.
"""
OUTPUTS, SOURCES, AT_ONCE = 4, 100, 16
"""Of how many outputs for each of how many sources the diversity is, and of so many at once."""


def has_pairs(updater: Updater | None) -> bool:
    """Whether it translates sources to which images belong."""
    held_out = None if updater is None else updater.held_out
    return held_out is not None and held_out.data.paired


def check_pairs(updater: Updater | None, option: str) -> None:
    """UserError where an option asks for what only a generator with pairs can be scored by."""
    if not has_pairs(updater):
        raise UserError(
            f"{option} is for a generator that translates sources to which images belong: leave it "
            "out."
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
    if segmentation is not None:
        check_pairs(updater, segmentation)
        if "train" not in real:
            raise UserError(
                f"{segmentation} trains on real training images, and these are left out: leave "
                "--reference out too."
            )
        check_maps(real["train"], segmentation)
    if updater is None or not has_pairs(updater):
        return None
    first, *_ = real.values()
    return PairScores(updater, first.x, lpips, None if segmentation is None else real["train"])


class PairScores:
    """The scores of one translator on its held-out pairs, and of baselines.

    train: the images whose mean is to be beaten. lpips: a further measure, see
    evaluation/pairs/lpips.py. lessons: real images with their maps, by which a segmenter learns to
    tell the classes of an image's pixels, to be compared with the map that it was made of.
    prepare() comes first, then compared(), and once all batches have passed, scores().
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
        found = measures(min(self.data.shape[1:]), self.factor)
        self.measures = found if lpips is None else [*found, lpips]
        self.truths: Split
        self.mean: Tensor | None = None
        """Of the training images."""
        self.segmenter: Segmenter | None = None
        self.baselines: dict[str, dict[str, float]] = {}
        self._sums: dict[str, Sums] = {}
        self._found: dict[str, Confusion] = {}
        self._real: Confusion | None = None

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

    def prepare(self, progress: Progress = silent, digest: str | None = None) -> None:
        """Once, read the truths and the mean image, and load the segmenter, or train it, if there
        are lessons; all ranks have the first one's. digest: of the truths' pixels, if it is known.
        """
        if self.mean is not None:
            return
        digest = digest or pixel_digest(self.data.x, progress, "reading truths")
        self.truths = Split(self.updater.held_out_split, len(self.data), digest)
        self.mean = mean_image(self.train, progress)
        if self.lessons is not None:
            with ranks.first_alone():
                self.segmenter = load_segmenter(self.lessons, self.updater.clock.device, progress)
            ranks.broadcast_(list(self.segmenter.network.state_dict().values()))

    def compared(self, drawing: Drawing, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of a drawing, of several ranks this one's, compared on their way."""
        stream, source = drawing.stream(self.updater), self.data.source
        assert source is not None
        trivial = {} if self.baselines else self._trivial
        self._sums = {name: Sums(self.measures) for name in (OWN, *trivial)}
        if self.segmenter is not None:
            whose = (OWN, REAL) if self._real is None else (OWN,)
            self._found = {name: Confusion(self.segmenter) for name in whose}
        for part in drawing.parts(self.updater, rank, world):
            batch, index = stream.labelled(part), stream.held(part).cpu()
            output = exact(batch[0])
            truth = self.data.x[index].to(output.device)
            for name, sums in self._sums.items():
                images = output if name == OWN else trivial[name](index).to(output.device)
                sums.add(images, truth)
            for name, confusion in self._found.items():
                confusion.add(output if name == OWN else truth, source[index][:, 0])
            yield batch

    def with_distances(
        self,
        scores: Mapping[str, Score],
        evaluator: Evaluator,
        drawing: Drawing,
        progress: Progress,
    ) -> dict[str, Score]:
        """`scores`, the Frechet distances with those of the baselines beside them."""
        n, found = drawing.count(self.updater), dict(scores)
        stream, origin = drawing.stream(self.updater), drawing.origin(self.updater)
        names = {column.title for column in columns_of(["fid"], evaluator.inputs(origin), n)}
        for name, translate in self._trivial.items() if names & scores.keys() else ():
            images = (translate(rows) for rows in torch.split(stream.held(range(n)).cpu(), BLOCK))
            theirs = evaluator(images, ["fid"], n, origin, progress).scores
            for key in theirs.keys() & scores.keys():
                more = found[key].more
                baselines = {**more.get(BASELINES, {}), name: theirs[key].value}
                found[key] = replace(found[key], more={**more, BASELINES: baselines})
        return found

    @property
    def _trivial(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """The baselines by name: images of so many sources, by their numbers."""
        data, source, mean = self.data, self.data.source, self.mean
        assert source is not None and mean is not None
        found = {MEAN: lambda index: mean.expand(len(index), -1, -1, -1)}
        if data.source_kind == "image" and shows_as(source.shape, data.shape):
            name = "bicubic" if self.factor > 1 else "source"
            found = {name: lambda index: as_it_is(source[index], data.shape), **found}
        return found

    def scores(
        self, drawing: Drawing, progress: Progress = silent, world: int = 1
    ) -> dict[str, Score]:
        """Of all samples that the ranks compared, and how much outputs for one source differ, by
        name.
        """
        origin, device = drawing.origin(self.updater), exact_device(self.updater.clock.device)
        for sums in self._sums.values():
            sums.finish(world)
        for confusion in self._found.values():
            confusion.finish(world, device)
        self.baselines = self.baselines or {
            name: sums.means() for name, sums in self._sums.items() if name != OWN
        }
        found = pair_scores(self._sums[OWN], self.baselines, self.truths, origin)
        if has_noise(self.updater.sampling_gen):
            found |= self._diversity(drawing, progress)
        if self._found:
            self._real = self._real or self._found[REAL]
            found |= segmentation_scores(self._found[OWN], self._real, self.truths, origin)
        return found

    def _diversity(self, drawing: Drawing, progress: Progress) -> dict[str, Score]:
        n, origin = min(SOURCES, len(self.data)), drawing.origin(self.updater)
        outputs = exact(several(drawing.stream(self.updater), n, OUTPUTS, progress))
        known = [Measure("diversity", l1, {"levels": 255})]
        if self.lpips is not None:
            known.append(replace(self.lpips, name="diversity-LPIPS"))
        counts = {"outputs": OUTPUTS, "sources": len(outputs)}
        scores = {}
        for measure in known:
            of = replace(measure, settings={**measure.settings, **counts})
            protocol = protocol_of(of, len(outputs) * OUTPUTS, None, origin)
            value = pairwise(outputs, measure.compute)
            scores[measure.name] = Score(measure.name, value, None, protocol)
        return scores


def several(stream: SampleStream, n: int, k: int, progress: Progress = silent) -> Tensor:
    """k outputs for each of the first n held-out sources of a stream, float (n, k, C, H, W)."""
    found = []
    for start in range(0, n, AT_ONCE):
        y = stream.held_out.condition_at(stream.held(range(start, min(start + AT_ONCE, n))))
        images = stream.with_condition(y.repeat_interleave(k, 0)).images(range(len(y) * k))
        found.append(images.reshape(len(y), k, *images.shape[1:]))
        progress("several outputs", start + len(y), n)
    return torch.cat(found)

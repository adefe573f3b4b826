"""Which samples of a generator are scored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ganlib.evaluation import Origin
from ganlib.evaluation.formats import Batch
from ganlib.training.samples.sample_stream import BLOCK, SampleStream
from ganlib.training.updater import Updater

Weights = Literal["ema", "raw"]


@dataclass(frozen=True)
class Drawing:
    """The first n samples of a seed, batch_size at a time; of a translator one for each held-out
    source at most.

    truncation, statistics: see SampleStream. weights: by default the EMA if there is one. back: on
    the way back, of a translator that has one.
    """

    n: int = 10_000
    seed: int = 0
    truncation: float | None = None
    statistics: str | None = None
    weights: Weights | None = None
    back: bool = False
    batch_size: int = BLOCK

    def stream(self, updater: Updater) -> SampleStream:
        """All samples that these are the first of."""
        return updater.sample_stream(self.seed, self.truncation, statistics=self.statistics)

    def origin(self, updater: Updater) -> Origin:
        """Where they come from, for the protocol."""
        return origin_of(updater, self.seed, self.truncation, self.statistics)

    def count(self, updater: Updater) -> int:
        """How many there are."""
        held_out = updater.held_out
        return self.n if held_out is None else min(self.n, held_out.n_sources)

    def parts(self, updater: Updater, rank: int = 0, world: int = 1) -> list[Sequence[int]]:
        """Their numbers, batch by batch: of several ranks those that fall to this one."""
        n, size = self.count(updater), self.batch_size
        return [range(k, min(k + size, n)) for k in range(size * rank, n, size * world)]

    def batches(self, updater: Updater, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """They themselves, each with the label that was asked for, each class as often as among the
        training images; None if none were.
        """
        return map(self.stream(updater).labelled, self.parts(updater, rank, world))

    def of_class(self, updater: Updater, n: int) -> Callable[[int], Iterator[Tensor]]:
        """Of a class by its number n samples, each with a latent of its own, in batches."""
        stream = self.stream(updater)

        def samples(k: int) -> Iterator[Tensor]:
            told, end = stream.with_condition(k), (k + 1) * n
            for start in range(k * n, end, self.batch_size):
                yield told.images(range(start, min(start + self.batch_size, end)))

        return samples


def origin_of(
    updater: Updater, seed: int, truncation: float | None = None, statistics: str | None = None
) -> Origin:
    """Where the images of updater.sample() with these arguments come from."""
    weights = "ema" if updater.average is not None else "raw"
    if updater.ema_length is not None:
        weights = f"ema of length {updater.ema_length:g}"
    classes = updater.spec.classes if updater.config.condition == "labels" else ()
    held_out = updater.held_out
    source = None if held_out is None else held_out.data.provenance.get("sources")
    bn_mode = updater.sample_stream(seed, statistics=statistics).bn_mode
    networks = updater.frozen.digests.items()
    trained_on = ", ".join(f"{name} {digest[:8]}" for name, digest in networks) or None
    return Origin(weights, bn_mode, truncation, seed, classes, source, trained_on)

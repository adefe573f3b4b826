"""The samples of one seed, without end, each a function of the seed and its number."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.layers import evaluating
from ganlib.common.layers.embedding import one_hot
from ganlib.common.layers.noise import masks_by
from ganlib.common.seeds import generator, mix
from ganlib.config import sampling_statistics
from ganlib.training.samples.bn_statistics import (
    IMAGE,
    of_each_image,
    of_the_batch,
    of_the_first_half,
    standing,
)
from ganlib.training.samples.conditions import Asked, as_condition

if TYPE_CHECKING:
    from ganlib.training.samples.sampler import Sampler

BLOCK = 256
"""Latents are drawn in blocks of this many, so that sample i does not depend on the batch size."""
FRESH = mix("standing")
"""The seed of the samples that standing statistics are of."""
AT_ONCE = 2**22
"""Pixels of a pass at most, of those and of images that are normalised alone: 256 images of 128
pixels, 16 of 512."""


class Series:
    """The samples of `seed` by the network that samples, in evaluation mode.

    truncation: how far codes are moved, see Generator.truncate. y: what the samples are told, one
    class for all or y[i] for sample i, see asked.py; by default classes as often as among the data,
    or held-out sources. statistics: see statistics.py; by default the settings'. bn_mode: the same
    as the protocol of a score has it, which is taken for statistics too. UserError for a y that the
    generator does not take.
    """

    def __init__(
        self,
        sampler: "Sampler",
        seed: int,
        truncation: float | None = None,
        y: Asked | None = None,
        statistics: str | None = None,
    ) -> None:
        self.sampler, self.seed, self.truncation = sampler, seed, truncation
        self.config, self.spec = sampler.config, sampler.spec
        self.statistics = _known(statistics or self.config.statistics)
        alone = self.statistics == "batch" and self.config.condition in ("images", "unpaired")
        self.bn_mode = IMAGE if alone else self.statistics
        self.y = self._asked(y)
        self._group: tuple[int, Tensor] | None = None  # the last one, and its number

    # ---- samples by their numbers ------------------------------------------------------------

    def images(self, numbers: Sequence[int]) -> Tensor:
        """The samples with these numbers, float (len(numbers), C, H, W) in [-1, 1] at the data's
        own size.
        """
        if self.bn_mode == IMAGE:
            most = max(1, AT_ONCE // math.prod(self.spec.image[1:]))
            parts = [numbers[k : k + most] for k in range(0, len(numbers), most)]
            return torch.cat([self._images(part) for part in parts])
        if self.bn_mode != "batch":
            return self._images(numbers)
        size = self.config.batch_size
        return torch.stack([self._of_group(i // size)[i % size] for i in numbers])

    def labelled(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """images(numbers) and the classes that were asked for, None where there are no classes."""
        images = self.images(numbers)
        y = self._told(numbers) if self.config.condition == "labels" else None
        return images, None if y is None else y.to(images.device)

    def latents(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """z (len(numbers), n_hidden) of these samples, and what they are told."""
        return self.given(self.hidden(numbers), self._told(numbers))

    def given(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Latents and conditions as the generator takes them: categories are among its latents."""
        if y is None or self.config.condition is not None:
            return z, None if y is None else y.to(z.device)
        return self.gen.choose(z, y), None

    def held(self, numbers: Sequence[int]) -> Tensor:
        """Which held-out sources these samples start from where they are told nothing, int64 (n,):
        in an order that the seed chooses, all of them before one comes again.
        """
        n = self._held_out.n_sources
        orders = {
            k: torch.randperm(n, generator=generator(self.seed, "source", k))
            for k in {i // n for i in numbers}
        }
        return torch.stack([orders[i // n][i % n] for i in numbers])

    def hidden(self, numbers: Sequence[int]) -> Tensor:
        """z (len(numbers), n_hidden) of these samples."""
        blocks = {k: self._block(k) for k in {i // BLOCK for i in numbers}}
        return torch.stack([blocks[i // BLOCK][i % BLOCK] for i in numbers])

    @contextmanager
    def noise(self, numbers: Sequence[int]) -> Iterator[None]:
        """The noise inside of the network is that of these samples, which are a batch."""
        with masks_by(self.gen, [mix(self.seed, "mask", i) for i in numbers]):
            yield

    def told(self, y: Asked) -> "Series":
        """The same latents, told something else."""
        other = copy(self)
        other.gen = self.gen  # whose statistics are not computed once more
        other.y = other._asked(y)
        other._group = None
        return other

    # ---- from latents to images --------------------------------------------------------------

    @torch.no_grad()
    def code(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """What images are drawn from, truncated: z, or w of a style-based generator."""
        with self.ready():
            code = self.gen.code(z, y)
            return code if self.truncation is None else self.gen.truncate(code, self.truncation)

    @torch.no_grad()
    def made(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images of codes as the network makes them, float NCHW: not at the data's own size, and
        perhaps a little outside of [-1, 1].
        """
        with self.ready():
            return self.sampler.generate(self.gen, code, y).float()

    def draw(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images of codes, float NCHW in [-1, 1] at the data's own size, or as large as they come
        of sources of another size than the data's.
        """
        x = self.made(code, y)
        source = self.spec.source
        if source is None or y is None or y.dim() != 4 or y.shape[2:] == source[1:]:
            x = self.spec.to_native(full_size(x, self.spec.image))
        return x.clamp(-1, 1)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images of latents: draw() of code()."""
        return self.draw(self.code(z, y), y)

    @cached_property
    def gen(self) -> Generator:
        """The network that samples, with the statistics asked for."""
        _, _, n = self.statistics.partition("standing:")
        return self._standing(int(n)) if n else self.sampler.shown

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The network as it is in sampling, and then as it was."""
        how = {"batch": of_the_batch, IMAGE: of_each_image}.get(self.bn_mode)
        with evaluating(self.gen), nullcontext() if how is None else how(self.gen):
            yield

    # ---- how it is done ----------------------------------------------------------------------

    def _images(self, numbers: Sequence[int]) -> Tensor:
        z, y = self.latents(numbers)
        with self.noise(numbers):
            return self.decode(z, y)

    def _of_group(self, k: int) -> Tensor:
        """The samples that are normalised together with numbers k * batch_size and on."""
        if self._group is None or self._group[0] != k:
            size = self.config.batch_size
            make = self._images if self.y is None else self._beside_drawn
            self._group = k, make(range(k * size, (k + 1) * size))
        return self._group[1]

    def _beside_drawn(self, numbers: Sequence[int]) -> Tensor:
        """These samples by the means and variances of the same latents with classes as they are
        drawn: of one class alone, another generator than the trained one would make them.
        """
        z, y = self.latents(numbers)
        drawn = self._drawn(numbers)
        if y is not None and drawn is not None:
            drawn = one_hot(drawn, self.spec.n_classes, y) if y.is_floating_point() else drawn
            y = torch.cat([drawn.to(y.device), y])
        with of_the_first_half(self.gen), self.noise([*numbers, *numbers]):
            images = self.decode(torch.cat([self.hidden(numbers), z]), y)
        return images[len(z) :]

    def _standing(self, n: int) -> Generator:
        fresh = Series(self.sampler, FRESH, self.truncation, statistics="running")
        pixels = self.config.batch_size * math.prod(self.spec.image[1:])
        passes = -(-pixels // AT_ONCE)
        size = -(-self.config.batch_size // passes)

        def run(copy: Generator, k: int) -> None:
            fresh.gen = copy
            fresh._images(range(k * size, (k + 1) * size))

        return standing(self.sampler.shown, run, n, passes)

    def _block(self, k: int) -> Tensor:
        # drawn on the CPU, so that a seed shows the same pictures on every device
        return self.sampler.shown.make_hidden(BLOCK, generator(self.seed, "sample", k))

    def _told(self, numbers: Sequence[int]) -> Tensor | None:
        if isinstance(self.y, Tensor):
            return self.y[torch.as_tensor(list(numbers), device=self.y.device)]
        if self.y is not None:
            return torch.full((len(numbers),), self.y)
        return self._drawn(numbers)

    def _drawn(self, numbers: Sequence[int]) -> Tensor | None:
        """What these samples are told where nothing was asked for."""
        if self.config.condition is None:
            return None
        if self.config.condition == "labels":
            return self._classes(numbers)
        return self._held_out.condition_at(self.held(numbers))

    def _classes(self, numbers: Sequence[int]) -> Tensor:
        n = self.spec.n_classes
        weights = torch.tensor(self.spec.marginal or n * [1 / n], dtype=torch.float64)
        blocks = {
            k: torch.multinomial(weights, BLOCK, True, generator=generator(self.seed, "class", k))
            for k in {i // BLOCK for i in numbers}
        }
        return torch.stack([blocks[i // BLOCK][i % BLOCK] for i in numbers])

    @property
    def _held_out(self) -> Loader:
        held_out = self.sampler.held_out
        if held_out is None:
            raise UserError("This generator translates images: give the data set that holds them.")
        return held_out

    def _asked(self, asked: Asked | None) -> int | Tensor | None:
        """What is asked for, and what the rest of its last group is told where groups are
        normalised together.
        """
        names = self.sampler.classes
        y = as_condition(asked, self.config.condition, self.spec, names)
        if self.bn_mode != "batch" or not isinstance(y, Tensor):
            return y
        more = -len(y) % self.config.batch_size
        if not more:
            return y
        if self.config.condition is None:
            y = one_hot(y, len(names), torch.empty(0))
            return torch.cat([y, y.new_zeros(more, len(names))])  # of none: as they were drawn
        rest = self._drawn(range(len(y), len(y) + more))
        assert rest is not None
        if y.is_floating_point():
            rest = one_hot(rest, len(names), y)
        return torch.cat([y, rest.to(y.device)])


def _known(statistics: str) -> str:
    if statistics == IMAGE:
        return "batch"
    try:
        return sampling_statistics(statistics)
    except ValueError as error:
        raise UserError(f"statistics is '{statistics}', but {error}.") from None


def full_size(x: Tensor, image: tuple[int, int, int]) -> Tensor:
    """Images (N, C, h, w) of an early stage at the networks' full size, each pixel as a square."""
    return x if x.shape[2:] == image[1:] else F.interpolate(x, image[1:], mode="nearest")

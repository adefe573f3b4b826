"""The samples of one seed, without end, each a function of the seed and its number."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from functools import cached_property, wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Loader
from ganlib.common.data.classes import Conditions, as_condition
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.io.files import as_user_error
from ganlib.common.layers import evaluating
from ganlib.common.layers.basic import masks_by, one_hot
from ganlib.common.seeds import generator, mix
from ganlib.config import AlgorithmConfig, sampling_statistics
from ganlib.moved import Renamed
from ganlib.training.samples import bn_statistics as bn

BLOCK = 256
"""Latents are drawn in blocks of this many, so that sample i does not depend on the batch size."""
FRESH = mix("standing")
"""The seed of the samples that standing statistics are of."""
AT_ONCE = 2**22
"""Pixels of a batch at most, of those and of images that are normalised alone: 256 images of 128
pixels, 16 of 512."""


class SampleStream:
    """The samples of `seed` by the network that samples, in evaluation mode.

    truncation: how far codes are moved, see Generator.truncate. y: what the samples are told, one
    class for all or y[i] for sample i, see classes.py; by default classes as often as among the
    data, or held-out sources. statistics: see bn_statistics.py; by default the settings'. bn_mode:
    the same as the protocol of a score has it, which is taken for statistics too. UserError for a y
    that the generator does not take, and for a truncation that is no finite number above 0.
    """

    def __init__(
        self,
        networks: "Sampler",
        seed: int,
        truncation: float | None = None,
        y: Conditions | None = None,
        statistics: str | None = None,
    ) -> None:
        if truncation is not None and not 0 < truncation < math.inf:
            raise UserError(f"truncation is {truncation:g}; give a number above 0, such as 0.7.")
        self.networks, self.seed, self.truncation = networks, seed, truncation
        self.config, self.spec = networks.config, networks.spec
        self.statistics = _known(statistics or self.config.statistics)
        alone = self.statistics == "batch" and self.config.translates
        self.bn_mode = bn.IMAGE if alone else self.statistics
        self.y = None if y is None else self._condition(y)
        self._group: tuple[int, Tensor] | None = None  # the last one, and its number

    # ---- samples by their numbers ------------------------------------------------------------

    def images(self, numbers: Sequence[int]) -> Tensor:
        """The samples with these numbers, float (len(numbers), C, H, W) in [-1, 1] at the data's
        own size.
        """
        if self.bn_mode == bn.IMAGE:
            most = max(1, AT_ONCE // math.prod(self.spec.image[1:]))
            parts = [numbers[k : k + most] for k in range(0, len(numbers), most)]
            return torch.cat([self._images(part) for part in parts])
        if self.bn_mode != "batch":
            return self._images(numbers)
        return _rows(numbers, self.config.batch_size, self._of_group)

    def labelled(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """images(numbers) and the classes that were asked for, None where there are no classes."""
        images = self.images(numbers)
        y = self._conditions(numbers) if self.config.condition == "labels" else None
        return images, None if y is None else y.to(images.device)

    def latents(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """z (len(numbers), n_hidden) of these samples, and what they are told."""
        return self.inputs(self.hidden(numbers), self._conditions(numbers))

    def inputs(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Latents and conditions as the generator takes them: categories are among its latents."""
        if y is None or self.config.condition is not None:
            return z, None if y is None else y.to(z.device)
        return self.gen.choose(z, y), None

    def held(self, numbers: Sequence[int]) -> Tensor:
        """Which held-out sources these samples start from where they are told nothing, int64 (n,):
        in an order that the seed chooses, all of them before one comes again.
        """
        return _rows(numbers, self.held_out.n_sources, self._sources)

    def hidden(self, numbers: Sequence[int]) -> Tensor:
        """z (len(numbers), n_hidden) of these samples."""
        return _rows(numbers, BLOCK, self._block)

    @contextmanager
    def noise(self, numbers: Sequence[int]) -> Iterator[None]:
        """The noise inside of the network is that of these samples, which are a batch."""
        with masks_by(self.gen, [mix(self.seed, "mask", i) for i in numbers]):
            yield

    def with_condition(self, y: Conditions) -> "SampleStream":
        """The same latents, of another condition."""
        other = copy(self)
        other.gen = self.gen  # whose statistics are not computed once more
        other.y = other._condition(y)
        other._group = None
        return other

    # ---- from latents to images --------------------------------------------------------------

    def code(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """What images are drawn from, truncated: z, or w of a style-based generator."""
        with self.ready(), _graph_of(z):
            code = self.gen.code(z, y)
            return code if self.truncation is None else self.gen.truncate(code, self.truncation)

    def made(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images of codes as the network makes them, float NCHW: not at the data's own size, and
        perhaps a little outside of [-1, 1]. Gradients pass to codes that ask for them.
        """
        with self.ready(), _graph_of(code):
            return self.networks.generate(self.gen, code, y).float()

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
        return self._standing(int(n)) if n else self.networks.sampling_gen

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The network as it is in sampling, and then as it was."""
        how = {"batch": bn.of_the_batch, bn.IMAGE: bn.of_each_image}.get(self.bn_mode)
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
            make = self._images if self.y is None else self._among_drawn
            self._group = k, make(range(k * size, (k + 1) * size))
        return self._group[1]

    def _among_drawn(self, numbers: Sequence[int]) -> Tensor:
        """These samples by the means and variances of the same latents with classes as they are
        drawn: of one class alone, another generator than the trained one would make them.
        """
        z, y = self.latents(numbers)
        drawn = self._drawn(numbers)
        if y is not None and drawn is not None:
            drawn = one_hot(drawn, self.spec.n_classes, y) if y.is_floating_point() else drawn
            y = torch.cat([drawn.to(y.device), y])
        with bn.of_the_first_half(self.gen), self.noise([*numbers, *numbers]):
            images = self.decode(torch.cat([self.hidden(numbers), z]), y)
        return images[len(z) :]

    def _standing(self, n: int) -> Generator:
        fresh = SampleStream(self.networks, FRESH, self.truncation, statistics="running")
        pixels = self.config.batch_size * math.prod(self.spec.image[1:])
        passes = -(-pixels // AT_ONCE)
        size = -(-self.config.batch_size // passes)

        def run(copy: Generator, k: int) -> None:
            fresh.gen = copy
            fresh._images(range(k * size, (k + 1) * size))

        return bn.standing(self.networks.sampling_gen, run, n, passes)

    def _sources(self, k: int) -> Tensor:
        n, random = self.held_out.n_sources, generator(self.seed, "source", k)
        return torch.randperm(n, generator=random)

    def _block(self, k: int) -> Tensor:
        # drawn on the CPU, so that a seed shows the same pictures on every device
        return self.networks.sampling_gen.make_hidden(BLOCK, generator(self.seed, "sample", k))

    def _conditions(self, numbers: Sequence[int]) -> Tensor | None:
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
            return _rows(numbers, BLOCK, self._classes)
        source: Tensor = self.held_out.condition_at(self.held(numbers))
        return source

    def _classes(self, k: int) -> Tensor:
        weights = torch.tensor(self.spec.shares, dtype=torch.float64)
        return torch.multinomial(weights, BLOCK, True, generator=generator(self.seed, "class", k))

    @property
    def held_out(self) -> Loader:
        """Of the sources; UserError if there are none."""
        held_out = self.networks.held_out
        if held_out is None:
            raise UserError("This generator translates images: give the data set that holds them.")
        return held_out

    def _condition(self, y: Conditions) -> int | Tensor:
        """y as the generator takes it, and what the rest of its last group is told where groups are
        normalised together.
        """
        names = self.networks.classes
        y = as_condition(y, self.config.condition, self.spec, names)
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


def _rows(numbers: Sequence[int], size: int, block: Callable[[int], Tensor]) -> Tensor:
    """The rows with these numbers of blocks of so many rows each, number k of which is block(k)."""
    blocks = {k: block(k) for k in {i // size for i in numbers}}
    return torch.stack([blocks[i // size][i % size] for i in numbers])


def _known(statistics: str) -> str:
    if statistics == bn.IMAGE:
        return "batch"
    with as_user_error(lambda e: f"statistics is '{statistics}', but {e}.", ValueError):
        return sampling_statistics(statistics)


def full_size(x: Tensor, image: tuple[int, int, int]) -> Tensor:
    """Images (N, C, h, w) of an early stage at the networks' full size, each pixel as a square."""
    return x if x.shape[2:] == image[1:] else F.interpolate(x, image[1:], mode="nearest")


class Sampler(nn.Module):
    """An algorithm's networks, under their names, and the samples of any seed. Nothing here needs
    training data.

    average: the EMA of the network that is called `averaged`, or None; average_back: of the one
    called `backward`, if there is one. held_out: sources for samples, where the condition is an
    image; held_out_split: of which split of the data. turned: whether samples go the way back.
    """

    gen: Generator
    averaged: str
    backward: str | None
    generate: Callable[[Generator, Tensor, Tensor | None], Tensor]
    shown, series = Renamed("sampling_gen"), Renamed("sample_stream")

    def __init__(
        self, config: AlgorithmConfig, spec: DataSpec, networks: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        for name, network in networks.items():
            setattr(self, name, network)
        self.average: nn.Module | None = None
        self.average_back: nn.Module | None = None
        self.ema_length: float | None = None  # of `average`, where it was made after training
        self.turned = False
        self.held_out: Loader | None = None
        self.held_out_split = "train"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """What an algorithm shows and scores leaves training as it was, whoever calls it."""
        super().__init_subclass__(**kwargs)
        for name in {"pictures", "scores"} & vars(cls).keys():
            setattr(cls, name, _evaluated(vars(cls)[name]))

    @property
    def sampling_gen(self) -> Generator:
        """The network that samples: the moving average if there is one."""
        gen = self.average if self.average is not None else getattr(self, self.averaged)
        assert isinstance(gen, Generator)
        return gen

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that samples may be asked to be of: those that the generator is
        told, else the categories in its latents.
        """
        if self.config.condition == "labels":
            return self.spec.class_names
        return self.sampling_gen.categories if self.config.condition is None else ()

    def turn(self) -> None:
        """From now on sample the way back, from images to sources: spec and held_out are turned,
        and the networks' parts exchanged. For what does not train any more. UserError for an
        algorithm that has no way back.
        """
        if self.backward is None or self.ema_length is not None:
            raise UserError("This generator has no way back: leave --back out.")
        self.spec = self.spec.turned()
        self.averaged, self.backward = self.backward, self.averaged
        self.average, self.average_back = self.average_back, self.average
        self.held_out = None if self.held_out is None else self.held_out.turned()
        self.turned = not self.turned

    def sample(
        self,
        n: int,
        seed: int,
        batch_size: int = BLOCK,
        truncation: float | None = None,
        y: Conditions | None = None,
        statistics: str | None = None,
    ) -> Iterator[Tensor]:
        """n images in batches, float NCHW in [-1, 1] at the data's own size; image i depends on
        (seed, i), and on y[i].

        By the moving average if there is one, in evaluation mode; training is not disturbed. y: one
        for all, or of n samples. truncation, statistics: see SampleStream.
        """
        for name, count in (("n", n), ("batch_size", batch_size)):
            if count < 1:
                raise UserError(f"{name} is {count}; give at least 1.")
        if isinstance(y, Tensor | list | tuple) and len(y) != n:
            raise UserError(
                f"y is of {len(y)} samples, and {n} are asked for: give one for each, or one "
                "class for all."
            )
        stream = self.sample_stream(seed, truncation, y, statistics)
        for start in range(0, n, batch_size):
            yield stream.images(range(start, min(start + batch_size, n)))

    def sample_stream(
        self,
        seed: int,
        truncation: float | None = None,
        y: Conditions | None = None,
        statistics: str | None = None,
    ) -> SampleStream:
        """The samples of a seed by their numbers, and the steps from latents to images."""
        return SampleStream(self, seed, truncation, y, statistics)

    def latents(
        self, numbers: Sequence[int], seed: int, y: Conditions | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The latents and conditions of the samples with these numbers."""
        return self.sample_stream(seed, y=y).latents(numbers)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for z by the network that samples, float NCHW in [-1, 1], at the data's size."""
        return self.sample_stream(0).decode(z, y)


def _graph_of(x: Tensor) -> AbstractContextManager[Any]:
    """Gradients are recorded for what is asked of x, never for the sake of parameters."""
    return torch.set_grad_enabled(x.requires_grad and torch.is_grad_enabled())


def _evaluated(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of networks in evaluation mode, without gradients."""

    @wraps(method)
    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad(), evaluating(self):
            return method(self, *args, **kwargs)

    return call

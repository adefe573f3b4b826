"""What a generator is, and what `build` is made of."""

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.layers.basic import Dropout, one_hot

Latent = Literal["normal", "uniform"]


Kind = Latent | Literal["category"]


class Part(NamedTuple):
    """Some of the components of z: "normal" N(0, 1), "uniform" U(-1, 1), or "category": one of so
    many, each as often, one-hot.
    """

    name: str
    size: int
    kind: Kind = "normal"


class NetConfig(Protocol):
    """What `build` reads of an algorithm's settings."""

    @property
    def architecture(self) -> str: ...
    @property
    def width(self) -> float: ...  # multiplies all channel numbers


C = TypeVar("C", bound=NetConfig)


class Architectures(Generic[C]):
    """A `build` that leaves the choice of networks to config.architecture.

    Architectures(dcgan=dcgan, mlp=mlp), where dcgan and mlp are as `build` is: (config, spec) to
    the networks by name, for images of shape spec.image.
    """

    def __init__(self, **builds: Callable[[C, DataSpec], dict[str, nn.Module]]) -> None:
        self.builds = builds

    def __call__(self, config: C, spec: DataSpec) -> dict[str, nn.Module]:
        return self.builds[config.architecture](config, spec)


def scaled(ch: int, width: float) -> int:
    """`ch` channels at a width multiplier; at least 1."""
    return max(1, round(ch * width))


def halvings(ch: int, n: int) -> list[int]:
    """ch, ch // 2, ch // 4, ... (n + 1 of them, none below 1)."""
    return [max(1, ch >> i) for i in range(n + 1)]


class Generator(nn.Module):
    """A network from hidden vectors to images: all that is asked of networks["gen"]. Its forward(),
    of z (n, n_hidden) and what the network is told, gives images NCHW in [-1, 1].

    z has n_hidden components, all spread as `latent` says, or those of several `parts`; without
    either nothing is drawn.
    """

    n_hidden: int
    latent: Latent
    multiple = 0
    """Of a translator: it takes sources whose sides are multiples of this; 0: those alone that are
    as large as in training.
    """
    n_styles = 0
    """Of a style-based generator: how many layers draw() takes a w each for, (n, n_styles, d)."""

    def __init__(
        self, n_hidden: int = 0, latent: Latent = "normal", parts: Sequence[Part] = ()
    ) -> None:
        super().__init__()
        self.parts = tuple(parts) or (Part("z", n_hidden, latent),)
        self.n_hidden, self.latent = sum(part.size for part in self.parts), latent

    def make_hidden(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z (n, n_hidden), on the parameters' device and of their dtype.

        Drawn on the device of `generator`, if one is given, and moved.
        """
        like = next(self.parameters())
        device = like.device if generator is None else generator.device
        place = torch.empty(0, device=device, dtype=like.dtype)
        drawn = [_drawn(n, part, place, generator) for part in self.parts]
        return (torch.cat(drawn, 1) if len(drawn) > 1 else drawn[0]).to(like.device)

    def split(self, z: Tensor) -> dict[str, Tensor]:
        """The parts (..., size) of z (..., n_hidden) by their names."""
        sizes = [part.size for part in self.parts]
        return {part.name: h for part, h in zip(self.parts, torch.split(z, sizes, -1), strict=True)}

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of all that its categories can be: "shape 0", "shape 1", ..., "colour 0", ..."""
        parts = [part for part in self.parts if part.kind == "category"]
        return tuple(f"{part.name} {k}" for part in parts for k in range(part.size))

    def choose(self, z: Tensor, y: Tensor) -> Tensor:
        """z (n, n_hidden) with y for the categories that were drawn: int64 (n,), numbers among
        `categories`, or float, how much of each; a part of which none is asked for stays.
        """
        of_parts, wanted = self.split(z), one_hot(y.to(z.device), len(self.categories), z)
        for part in self.parts:
            if part.kind == "category":
                mine, wanted = wanted[:, : part.size], wanted[:, part.size :]
                chosen = mine.any(1, keepdim=True)
                of_parts[part.name] = torch.where(chosen, mine, of_parts[part.name])
        return torch.cat(list(of_parts.values()), 1)

    def code(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """What draw() draws from: here z itself; a style-based generator's is its w."""
        return z

    @property
    def has_codes(self) -> bool:
        """Whether draw() draws from something else than latents."""
        return type(self).code is not Generator.code

    def draw(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images NCHW in [-1, 1] of codes: draw(code(z, y), y) is forward(z, y)."""
        return self(code, y)

    def growing(self, code: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """Images NCHW that a network makes of codes on its way to draw()'s, the smallest first: of
        one that grows those of all sizes but the last, here none.
        """
        return []

    def truncate(self, code: Tensor, psi: float) -> Tensor:
        """Codes moved towards what is typical, so that a seed stays its picture: here z
        (n, n_hidden), monotonically into [-psi, psi], but for categories.

        "uniform": z * psi. "normal": the quantile of z in the normal distribution truncated to
        [-psi, psi], which has the distribution of BigGAN's truncation trick (Brock et al. 2019,
        section 3.1) without drawing again.
        """
        if len(self.parts) == 1:
            return _truncated(code, self.parts[0], psi)
        of_parts = self.split(code)
        return torch.cat([_truncated(of_parts[p.name], p, psi) for p in self.parts], 1)


def has_noise(gen: Generator) -> bool:
    """Whether it makes different images of one source."""
    return gen.n_hidden > 0 or any(isinstance(m, Dropout) and m.p > 0 for m in gen.modules())


def _drawn(n: int, part: Part, like: Tensor, generator: torch.Generator | None) -> Tensor:
    if part.kind == "category":
        index = torch.randint(part.size, (n,), generator=generator, device=like.device)
        return one_hot(index, part.size, like)
    z = like.new_empty(n, part.size)
    if part.kind == "normal":
        return z.normal_(generator=generator)
    return z.uniform_(-1, 1, generator=generator)


def _truncated(h: Tensor, part: Part, psi: float) -> Tensor:
    if part.kind == "category":
        return h
    if part.kind == "uniform":
        return h * psi
    tail = NormalDist().cdf(-psi)
    # In double precision, because single precision rounds cdf(5.5) to 1.
    quantile = tail + torch.special.ndtr(h.double()) * (1 - 2 * tail)
    truncated: Tensor = torch.special.ndtri(quantile)
    return truncated.clamp(-psi, psi).to(h.dtype)

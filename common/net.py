"""What a generator is, and the networks that several algorithms share."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.init import init_normal
from ganlib.common.labels import one_hot
from ganlib.common.layers import (
    LEAK,
    BatchNorm1d,
    BatchNorm2d,
    BiasBatchNorm2d,
    Factory,
)
from ganlib.common.spectral_norm import SNConv2d, SNLinear

Latent = Literal["normal", "uniform"]
Kind = Latent | Literal["category"]


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


class Part(NamedTuple):
    """Some of the components of z: "normal" N(0, 1), "uniform" U(-1, 1), or "category": one of so
    many, each as often, one-hot.
    """

    name: str
    size: int
    kind: Kind = "normal"


class Generator(nn.Module):
    """A network from hidden vectors to images: all that is asked of networks["gen"].

    z has n_hidden components, all spread as `latent` says, or those of several `parts`; without
    either nothing is drawn.
    """

    n_hidden: int
    latent: Latent
    multiple = 0
    """Of a translator: it takes sources whose sides are multiples of this; 0: those alone that are
    as large as in training.
    """

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
                asked = mine.any(1, keepdim=True)
                of_parts[part.name] = torch.where(asked, mine, of_parts[part.name])
        return torch.cat(list(of_parts.values()), 1)

    def code(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """What draw() draws from: here z itself; a style-based generator's is its w."""
        return z

    def draw(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images NCHW in [-1, 1] of codes: draw(code(z, y), y) is forward(z, y)."""
        images: Tensor = self(code, y)
        return images

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

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (n, n_hidden) and what the network is told -> images NCHW in [-1, 1]."""
        raise NotImplementedError


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


# --- Plain convolutional networks


class ConvGenerator(Generator):
    """Layer l0 from z to a small image, then convolutions that enlarge it, the last one to tanh.

    l0: (N, n_hidden) -> (N, ch, h, w). Every convolution but the last is followed by `norm` and
    ReLU.
    """

    def __init__(
        self,
        n_hidden: int,
        latent: Latent,
        l0: nn.Module,
        convs: Sequence[nn.Conv2d | nn.ConvTranspose2d],
        norm: Factory = BatchNorm2d,
    ) -> None:
        super().__init__(n_hidden, latent)
        *inner, last = convs
        self.l0 = l0
        self.layers = nn.Sequential(
            *(nn.Sequential(conv, norm(conv.out_channels), nn.ReLU()) for conv in inner), last
        )

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return torch.tanh(self.layers(self.l0(z)))


def dense_relu(
    n_hidden: int,
    bottom: Shape,
    norm: Factory = BatchNorm1d,
    bias: bool = True,
    linear: Factory = nn.Linear,
) -> nn.Sequential:
    """The first layer of most generators: (N, n_hidden) -> ReLU(norm(linear)) as (N, *bottom).

    The norm comes before the reshape: it has its statistics per element and not per channel.
    """
    n = math.prod(bottom)
    return nn.Sequential(
        linear(n_hidden, n, bias=bias), norm(n), nn.ReLU(), nn.Unflatten(1, bottom)
    )


def deconv_relu(n_hidden: int, bottom: Shape, norm: Factory = BatchNorm2d) -> nn.Sequential:
    """(N, n_hidden) -> ReLU(norm(deconvolution of one pixel)), (N, *bottom); norm per channel."""
    ch, height, width = bottom
    return nn.Sequential(
        nn.Unflatten(1, (n_hidden, 1, 1)),
        nn.ConvTranspose2d(n_hidden, ch, (height, width), bias=False),
        norm(ch),
        nn.ReLU(),
    )


class DCGANGenerator(ConvGenerator):
    """l0, dc1 to dc4 of chainer-gan-lib common/net.py; H and W: multiples of 8.

    `l0_norm` normalises l0 per element, `norm` the convolutions per channel.
    """

    def __init__(
        self,
        image: Shape,
        n_hidden: int = 128,
        ch: int = 512,
        latent: Latent = "uniform",
        l0_norm: Factory = BatchNorm1d,
        norm: Factory = BatchNorm2d,
        std: float = 0.02,
    ) -> None:
        channels, height, width = image
        c0, c1, c2, c3 = halvings(ch, 3)
        super().__init__(
            n_hidden,
            latent,
            l0=dense_relu(n_hidden, (c0, height // 8, width // 8), l0_norm),
            convs=[
                nn.ConvTranspose2d(c0, c1, 4, 2, 1),
                nn.ConvTranspose2d(c1, c2, 4, 2, 1),
                nn.ConvTranspose2d(c2, c3, 4, 2, 1),
                nn.ConvTranspose2d(c3, channels, 3, 1, 1),
            ],
            norm=norm,
        )
        init_normal(self, std)


class StridedGenerator(ConvGenerator):
    """One transposed convolution per doubling of the size: DCGAN (Radford et al. 2015), figure 1.

    widths: channels from the smallest image on; H and W: multiples of 2 ** len(widths). l0 is
    made from n_hidden and the shape of the smallest image, conv from its channels in and out.
    """

    def __init__(
        self,
        image: Shape,
        n_hidden: int,
        latent: Latent,
        widths: Sequence[int],
        l0: Callable[[int, Shape], nn.Module],
        conv: Callable[[int, int], nn.ConvTranspose2d],
        norm: Factory = BatchNorm2d,
    ) -> None:
        channels, height, width = image
        n = len(widths)
        bottom = (widths[0], height >> n, width >> n)
        convs = [conv(i, o) for i, o in pairwise([*widths, channels])]
        super().__init__(n_hidden, latent, l0(n_hidden, bottom), convs, norm)


class ConvDiscriminator(nn.Module):
    """Convolutions, then one linear layer l4 of all that is left of the image.

    Every convolution is followed by `norm`, except the first (DCGAN, section 3: it makes the
    model unstable), and by a leaky ReLU.
    """

    def __init__(
        self,
        convs: Sequence[nn.Conv2d],
        l4: nn.Module,
        norm: Factory = nn.Identity,
        leak: float = LEAK,
    ) -> None:
        super().__init__()
        first, *others = convs
        self.features = nn.Sequential(
            nn.Sequential(first, nn.LeakyReLU(leak)),
            *(nn.Sequential(conv, norm(conv.out_channels), nn.LeakyReLU(leak)) for conv in others),
            nn.Flatten(),
        )
        self.l4 = l4

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, n_out); y is not used."""
        logits: Tensor = self.l4(self.features(x))
        return logits


class StridedDiscriminator(ConvDiscriminator):
    """One convolution per halving of the size: DCGAN (Radford et al. 2015), section 3.

    widths: channels from the largest image on; H and W: multiples of 2 ** len(widths).
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        conv: Callable[[int, int], nn.Conv2d],
        linear: Factory = nn.Linear,
        norm: Factory = nn.Identity,
    ) -> None:
        channels, height, width = image
        n = len(widths)
        convs = [conv(i, o) for i, o in pairwise([channels, *widths])]
        super().__init__(convs, linear(widths[-1] * (height >> n) * (width >> n), 1), norm)


class StandardDiscriminator(ConvDiscriminator):
    """SNGAN's "standard CNN" (Miyato et al. 2018, table 3), chainer-gan-lib's c0_0 to c3_0 and l4.

    widths: the output channels of its seven convolutions. H and W: multiples of 8.
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        n_out: int = 1,
        conv: Callable[..., nn.Conv2d] = nn.Conv2d,
        linear: Factory = nn.Linear,
        norm: Factory = nn.Identity,
        leak: float = LEAK,
        std: float = 0.02,
    ) -> None:
        channels, height, width = image
        w0, w1, w2, w3, w4, w5, w6 = widths
        super().__init__(
            convs=[
                conv(channels, w0, 3, 1, 1),
                conv(w0, w1, 4, 2, 1),
                conv(w1, w2, 3, 1, 1),
                conv(w2, w3, 4, 2, 1),
                conv(w3, w4, 3, 1, 1),
                conv(w4, w5, 4, 2, 1),
                conv(w5, w6, 3, 1, 1),
            ],
            l4=linear(w6 * (height // 8) * (width // 8), n_out),
            norm=norm,
            leak=leak,
        )
        init_normal(self, std)


def unnormalized_std(ch: int) -> float:
    """Standard deviation of the weights of networks without normalisation whose widest layer has
    `ch` channels: chainer-gan-lib's 0.02 from its 512 on, 0.02 sqrt(512 / ch) below.

    A layer of an eighth of the channels sums an eighth of the terms, and nothing brings its output
    back to size: at 0.02 nine of them would pass on 8^-4.5, a ten-thousandth, of what
    chainer-gan-lib's do, of images as of gradients, and would not learn.
    """
    return 0.02 * math.sqrt(512 / min(ch, 512))


def _widths(ch: int) -> list[int]:
    """Output channels of chainer-gan-lib's seven convolutions: the strided ones double them."""
    c0, c1, c2, c3 = halvings(ch, 3)
    return [c3, c2, c2, c1, c1, c0, c0]


class DCGANDiscriminator(StandardDiscriminator):
    """With bias-only batch normalisation: chainer-gan-lib common/net.py."""

    def __init__(self, image: Shape, ch: int = 512, n_out: int = 1) -> None:
        super().__init__(image, _widths(ch), n_out, norm=BiasBatchNorm2d)


class WGANDiscriminator(StandardDiscriminator):
    """Without normalisation, as a gradient penalty needs it: chainer-gan-lib common/net.py.

    Narrower ones start with larger weights: unnormalized_std.
    """

    def __init__(self, image: Shape, ch: int = 512, n_out: int = 1) -> None:
        super().__init__(image, _widths(ch), n_out, std=unnormalized_std(ch))


class SNDCGANDiscriminator(StandardDiscriminator):
    """With spectral normalisation of every layer: chainer-gan-lib common/net.py."""

    def __init__(self, image: Shape, ch: int = 512, n_out: int = 1) -> None:
        super().__init__(image, _widths(ch), n_out, conv=SNConv2d, linear=SNLinear)

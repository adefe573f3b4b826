"""Interpolation between samples, walks along directions, and sums of samples: what generators are
given from stop to stop, and pictures of it: a strip or a film; of a sum its terms side by side.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.generator import Kind
from ganlib.common.io.console import progress
from ganlib.common.io.files import as_user_error, output
from ganlib.common.layers.basic import one_hot
from ganlib.common.pictures import (
    class_grid,
    grid,
    moving_grid,
    save,
    save_animation,
    translation_grid,
)
from ganlib.common.pictures import frames as pictures_of
from ganlib.sampling.codes import Space, code_of, images_of
from ganlib.sampling.directions import Directions
from ganlib.training.device.devices import require
from ganlib.training.samples.sample_stream import SampleStream

__path__: list[str] = []  # nothing lies below, where imports of before are looked for
Segments = tuple[Tensor, Tensor | None]
"""Latents or codes (segments, frames, ...), and the condition at each of them, (segments, frames)
or (segments, frames, ...), None if there is none.
"""
AT_ONCE = 256  # images


@dataclass(frozen=True)
class Interpolation:
    """Between the samples of a stream with the numbers `stops`, or with `classes` from one to the
    next of these at each of the stops. frames: of each segment, both ends included.
    """

    stops: Sequence[int]
    frames: int
    space: Space = "z"
    classes: Sequence[int] = ()

    def closed(self) -> "Interpolation":
        """The same back to where it began."""
        stops = self.classes or self.stops
        closed = stops if stops[0] == stops[-1] else [*stops, stops[0]]
        return replace(self, classes=closed) if self.classes else replace(self, stops=closed)

    def images(self, stream: SampleStream) -> Tensor:
        """Of all of it, (segments, frames, C, H, W)."""
        how = self.frames, self.space
        n = (len(self.classes) - 1) * len(self.stops) if self.classes else len(self.stops) - 1
        numbers = prod(stream.spec.image) + stream.gen.n_hidden
        require(4 * n * self.frames * numbers, "Frames", "give a smaller --frames")
        if not self.classes:
            return _decoded(stream, between_samples(stream, self.stops, *how), self.space)
        parts = [between_classes(stream, number, self.classes, *how) for number in self.stops]
        return torch.cat([_decoded(stream, part, self.space) for part in parts])


def write_interpolation(stream: SampleStream, what: Interpolation, out: Path) -> None:
    """A .png with a row for each segment; or a film of all that ends where it began."""
    if out.suffix.lower() == ".png":
        strip = grid(what.images(stream).flatten(0, 1), what.frames)
        with output(out):
            save(strip, out)
        return
    # Without the last picture of each segment, which is the first one of the next.
    film = pictures_of(what.closed().images(stream)[:, :-1].flatten(0, 1))
    with output(out):
        save_animation(film, out)


def write_directions(
    stream: SampleStream,
    numbers: Sequence[int],
    directions: Directions,
    reach: float,
    frames: int,
    space: Space,
    out: Path,
) -> None:
    """What becomes of samples so many deviations back and on along each direction: a .png with a
    row for each sample and direction, or a film there and back of a grid of them, a row of
    directions for each sample.
    """
    z, y = stream.latents(numbers)
    path = directions.along(code_of(stream, z, y, space), reach, frames).flatten(0, 1)
    k = len(directions.names)
    told = None
    if y is not None:
        told = y.repeat_interleave(k, 0)[:, None].expand(-1, frames, *y.shape[1:])
    images = _decoded(stream, (path, told), space)
    with output(out):
        if out.suffix.lower() == ".png":
            several = len(numbers) > 1
            names = [
                f"{i}: {name}" if several else name for i in numbers for name in directions.names
            ]
            return save(class_grid(zip(names, images, strict=True), frames), out)
        there = moving_grid(images, k)
        save_animation([*there, *there[-2:0:-1]], out)


def write_mix(stream: SampleStream, numbers: Sequence[int], first: int, out: Path) -> None:
    """A .png of samples of a style-based generator mixed with each other: of that in the row what
    its first layers make, of that in the column what layers from number `first` on do (StyleGAN,
    section 3.1); samples themselves on the diagonal.
    """
    if not stream.gen.n_styles:
        raise UserError("--mix is for style-based generators, whose layers take a w each.")
    z, y = stream.latents(numbers)
    codes, n = code_of(stream, z, y, "layers"), len(numbers)
    if not 0 < first < stream.gen.n_styles:
        most = stream.gen.n_styles - 1
        raise UserError(f"--mix is {first}: give the number of a layer, from 1 to {most}.")
    rows, columns = codes.repeat_interleave(n, 0), codes.repeat(n, 1, 1)
    mixed = torch.cat([rows[:, :first], columns[:, first:]], 1)
    told = None if y is None else y.repeat_interleave(n, 0)
    images = _decoded(stream, (mixed[None], None if told is None else told[None]), "code")[0]
    with output(out):
        save(grid(images, n), out)


def write_sum(stream: SampleStream, terms: Sequence[tuple[int, int]], out: Path) -> None:
    """A .png of samples below their signs and numbers, (1 or -1, number) each, and of what the sum
    of their latents looks like, told what the first is told.
    """
    z, conditions = stream.latents([number for _, number in terms])
    gen, sign = stream.gen, torch.tensor([sign for sign, _ in terms])
    parts = zip(gen.split(z).values(), gen.parts, strict=True)
    with as_user_error(lambda _: "These terms cancel out; leave one of them out.", ValueError):
        total = torch.cat([signed_sum(h, sign, part.kind) for h, part in parts])
    if conditions is not None:
        conditions = torch.cat([conditions, conditions[:1]])
    images, times = stream.decode(torch.cat([z, total[None]]), conditions).cpu(), Counter(terms)
    titles = [
        f"{'+' if sign > 0 else '-'} {f'{n} x ' if (n := times[sign, number]) > 1 else ''}{number}"
        for sign, number in terms
    ]
    with output(out):
        save(translation_grid(dict(zip([*titles, "="], torch.split(images, 1), strict=True))), out)


def _decoded(stream: SampleStream, segments: Segments, space: Space) -> Tensor:
    (path, y), found = segments, []
    flat, told = path.flatten(0, 1), None if y is None else y.flatten(0, 1)
    with progress("decoding", len(flat)) as advance:
        for start in range(0, len(flat), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found.append(
                images_of(stream, flat[part], None if told is None else told[part], space).cpu()
            )
            advance(len(found[-1]))
    x = torch.cat(found)
    return x.reshape(*path.shape[:2], *x.shape[1:])


def between_samples(
    stream: SampleStream, stops: Sequence[int], frames: int, space: Space
) -> Segments:
    """From the sample of each of these numbers to the next: on spheres in the space of latents, or
    straight between codes. Conditions change halfway, as categories do.
    """
    z, y = stream.latents(stops)
    if space != "z":
        path = straight(stream.code(z, y), frames)
    else:
        parts = zip(stream.gen.split(z).values(), stream.gen.parts, strict=True)
        path = torch.cat([spherical(h, frames, part.kind) for h, part in parts], -1)
    return path, None if y is None else _halfway(y, frames)


def between_classes(
    stream: SampleStream, number: int, classes: Sequence[int], frames: int, space: Space
) -> Segments:
    """From each of these classes to the next at the latents of one sample: less and less of one and
    more and more of the other. In the space of codes the way is straight too.
    """
    z, _ = stream.latents([number])
    chosen = one_hot(torch.tensor(classes, device=z.device), len(stream.networks.classes), z)
    stops, y = stream.inputs(z.expand(len(chosen), -1), chosen)
    path = straight(stream.code(stops, y) if space == "code" else stops, frames)
    return path, None if y is None else straight(y, frames)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points (k, d) on the great circle from a (d,) to b (d,) at t (k,) in [0, 1]; the ends are
    exact.

    Spherical linear interpolation (Shoemake 1985; for latents White 2016, arXiv:1609.04468,
    section 2.1): a straight line would lead through lengths that a generator is never shown. For
    parallel or opposite vectors, which fix no great circle, it is that line.
    """
    # In double precision, in which the sines of small angles keep their digits.
    start, end, t = a.double(), b.double(), t.double()[:, None]
    cosine = (start @ end) / (start.norm() * end.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if not torch.sin(angle) > 1e-6:  # false for the NaN of a zero vector too
        return torch.lerp(start, end, t).to(a.dtype)
    points = torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end
    return (points / torch.sin(angle)).to(a.dtype)


def spherical(z: Tensor, frames: int, latent: Kind) -> Tensor:
    """From each row of z (k, d) to the next by slerp, of categories in one step halfway:
    (k - 1, frames, d), both ends included.
    """
    if latent == "category":
        return _halfway(z, frames)
    t = torch.linspace(0, 1, frames, dtype=torch.float64, device=z.device)
    segments = [slerp(a, b, t) for a, b in pairwise(z)]
    return _inside(torch.stack(segments), latent)


def straight(codes: Tensor, frames: int) -> Tensor:
    """From each of the codes (k, ...) to the next in a line: (k - 1, frames, ...), both ends
    included. The space of codes is made for it: StyleGAN (Karras et al. 2019), section 4.1.
    """
    t = torch.linspace(0, 1, frames, dtype=codes.dtype, device=codes.device)
    t = t.reshape(1, -1, *[1] * (codes.dim() - 1))
    return torch.lerp(codes[:-1, None], codes[1:, None], t)


def signed_sum(z: Tensor, signs: Tensor, latent: Kind) -> Tensor:
    """The sum (d,) of the rows of z (k, d), each times its sign (k,) of 1 or -1: latent arithmetic
    (Radford et al. 2015, section 6.3.2).

    "uniform": clamped to [-1, 1]. "normal": as long as the rows are (their root mean square).
    "category": the first row.
    ValueError if "normal" rows cancel out, so that nothing is left to lengthen.
    """
    if latent == "category":
        return z[0]
    total = signs.to(z) @ z
    if latent == "normal":
        # N(0, I) in d dimensions lies near the sphere of radius sqrt(d), and a sum of k such
        # vectors near radius sqrt(k d), where the generator was never trained. The rows' own
        # length, rather than sqrt(d), leaves a sum of one term as it is.
        length = z.square().sum(1).mean().sqrt()
        if total.norm() <= 1e-6 * length:
            raise ValueError("the latents cancel out")
        total = total * (length / total.norm())
    return _inside(total, latent)


def _inside(z: Tensor, latent: Kind) -> Tensor:
    """Uniform latents clamped to the box that they are drawn from; normal ones have no border."""
    return z.clamp(-1, 1) if latent == "uniform" else z


def _halfway(x: Tensor, frames: int) -> Tensor:
    """From each row of x (k, ...) to the next in one step halfway: (k - 1, frames, ...)."""
    second = torch.arange(frames, device=x.device) * 2 >= frames
    return torch.where(second.reshape(-1, *[1] * (x.dim() - 1)), x[1:, None], x[:-1, None])

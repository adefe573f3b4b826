"""Pictures of interpolations: a strip or a film; and of sums, with + - = between their terms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.io.console import progress
from ganlib.common.io.files import output
from ganlib.common.pictures import frames as pictures_of
from ganlib.common.pictures import grid, save, save_animation
from ganlib.sampling.interpolation.segments import (
    Segments,
    Space,
    between_classes,
    between_samples,
    signed_sum,
)
from ganlib.sampling.model import Model
from ganlib.training.device.devices import require
from ganlib.training.samples.sample_stream import SampleStream

AT_ONCE = 256  # images
INK = (64, 64, 64)
MARGIN = 8  # pixels around the row of a sum


@dataclass(frozen=True)
class Interpolation:
    """Between the samples with the numbers `stops` of a seed, all of one class if `y` is given; or
    with `classes` from one to the next of these at each of the stops. frames: of each segment, both
    ends included.
    """

    stops: Sequence[int]
    seed: int
    frames: int
    space: Space = "z"
    classes: Sequence[int] = ()
    y: int | None = None

    def closed(self) -> "Interpolation":
        """The same back to where it began."""
        stops = self.classes or self.stops
        closed = stops if stops[0] == stops[-1] else [*stops, stops[0]]
        return replace(self, classes=closed) if self.classes else replace(self, stops=closed)

    def images(self, model: Model) -> Tensor:
        """Of all of it, (segments, frames, C, H, W)."""
        stream, how = model.updater.sample_stream(self.seed, y=self.y), (self.frames, self.space)
        n = (len(self.classes) - 1) * len(self.stops) if self.classes else len(self.stops) - 1
        numbers = prod(model.spec.image) + model.updater.sampling_gen.n_hidden
        require(4 * n * self.frames * numbers, "Frames", "give a smaller --frames")
        if not self.classes:
            return _decoded(stream, between_samples(stream, self.stops, *how), self.space)
        parts = [between_classes(stream, number, self.classes, *how) for number in self.stops]
        return torch.cat([_decoded(stream, part, self.space) for part in parts])


def write_interpolation(model: Model, what: Interpolation, out: Path) -> None:
    """A .png with a row for each segment; or a film of all that ends where it began."""
    if out.suffix.lower() == ".png":
        strip = grid(what.images(model).flatten(0, 1), what.frames)
        with output(out):
            save(strip, out)
        return
    # Without the last picture of each segment, which is the first one of the next.
    film = pictures_of(what.closed().images(model)[:, :-1].flatten(0, 1))
    with output(out):
        save_animation(film, out)


def write_sum(
    model: Model, terms: Sequence[tuple[int, int]], seed: int, out: Path, y: int | None
) -> None:
    """A .png of the samples of a seed with their signs, (1 or -1, number) each, and of what the sum
    of their latents looks like, in the class of the first or in class y.
    """
    z, conditions = model.latents([number for _, number in terms], seed, y)
    gen, sign = model.updater.sampling_gen, torch.tensor([sign for sign, _ in terms])
    parts = zip(gen.split(z).values(), gen.parts, strict=True)
    try:
        total = torch.cat([signed_sum(h, sign, part.kind) for h, part in parts])
    except ValueError:
        raise UserError("These terms cancel out; leave one of them out.") from None
    if conditions is not None:
        conditions = torch.cat([conditions, conditions[:1]])
    pictures = pictures_of(model.decode(torch.cat([z, total[None]]), conditions))
    first = " " if terms[0][0] > 0 else "-"
    signs = first + "".join("+" if sign > 0 else "-" for sign, _ in terms[1:]) + "="
    with output(out):
        save(equation(pictures, signs), out)


def _decoded(stream: SampleStream, segments: Segments, space: Space) -> Tensor:
    path, y = segments.path.flatten(0, 1), segments.y
    y = None if y is None else y.flatten(0, 1)
    decode, found = stream.draw if space == "code" else stream.decode, []
    with progress("decoding", len(path)) as advance:
        for start in range(0, len(path), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found.append(decode(path[part], None if y is None else y[part]).cpu())
            advance(len(found[-1]))
    x = torch.cat(found)
    return x.reshape(*segments.path.shape[:2], *x.shape[1:])


def equation(pictures: list[Image.Image], signs: str) -> Image.Image:
    """Pictures of one size in a row on white, signs[i] ("+", "-", "=" or " ") before pictures[i].

    A blank takes no room.
    """
    width, height = pictures[0].size
    gap = max(8, width // 8)
    size = max(9, width // 5) | 1  # odd, so that a stroke can lie in the middle
    places = sum(size + 2 * gap if sign.strip() else 0 for sign in signs)
    whole = (places + width * len(pictures) + 2 * MARGIN, height + 2 * MARGIN)
    row = Image.new("RGB", whole, "white")
    draw, x = ImageDraw.Draw(row), MARGIN
    for picture, sign in zip(pictures, signs, strict=True):
        if sign.strip():
            _sign(draw, sign, x + gap, MARGIN + (height - size) // 2, size)
            x += size + 2 * gap
        row.paste(picture, (x, MARGIN))
        x += width
    return row


def _sign(draw: ImageDraw.ImageDraw, sign: str, x: int, y: int, size: int) -> None:
    """Bars rather than letters of a font, which may not be there and do not sit in the middle."""
    stroke = max(3, size // 6) | 1
    middle = (size - stroke) // 2
    apart = stroke if sign == "=" else 0
    for offset in {middle - apart, middle + apart}:
        draw.rectangle((x, y + offset, x + size - 1, y + offset + stroke - 1), INK)
    if sign == "+":
        draw.rectangle((x + middle, y, x + middle + stroke - 1, y + size - 1), INK)

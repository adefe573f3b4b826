"""What a data set holds, and what an algorithm is told of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.seeds import generator

Shape = tuple[int, int, int]
Size = tuple[int, int]
SourceKind = Literal["image", "ids"]
UNPAIRED, MIRRORED, ACTIONS, INSTANCES = "unpaired", "mirrored", "actions", "instances"
"""Words by which files say what Contents has as fields."""
SPLITS = ("train", "test")
"""Data sets are asked for no other."""
POINTS: Shape = (2, 1, 1)
"""The shape of points in the plane, which are images of one pixel: x and y are its channels."""


class NoSuchSplit(UserError):
    """The source is there and has no such split; most sources without a test split end here."""


class Images(Protocol):
    """Anything that gives NCHW images by index: a tensor, or a file read when asked.

    They are uint8; ids, which are a source of their own kind, are int32.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # (N, C, H, W)
    def __len__(self) -> int: ...
    def __getitem__(self, index: Tensor) -> Tensor: ...  # int64 (n,) -> (n, C, H, W)


class Lazy:
    """What is no tensor, as the base of such images: of this `shape`, (N, C, H, W)."""

    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]


@runtime_checkable
class Readable(Images, Protocol):
    """Images in a file."""

    def at_once(self) -> Images:
        """All of them as a tensor if they fit the memory, else as they are."""
        ...


class Mixture(NamedTuple):
    """Gaussians of equal weight that points were drawn from.

    centres: (K, 2) in [-1, 1]; std: of each coordinate.
    """

    centres: Tensor
    std: float


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is known of a split beside its images, whether in memory or a stream.

    source_kind: of what translations start from, see DataSet. frames, source_frames: so many
    pictures of a sequence lie one behind the other on the channels. held_out: of a test split that
    was made of a folder without one, its files. pairs: whether source i belongs to image i. flips:
    whether a mirrored pair is a right one. actions: of how many numbers each action is that the
    sources end in, None if that is not known. instances: whether ids know instances, or have 0 for
    all of them. resized: whether files of other sizes were brought to this one.
    """

    source_kind: SourceKind = "image"
    frames: int = 1
    source_frames: int = 1
    held_out: tuple[str, ...] = ()
    pairs: bool = True
    flips: bool = True
    actions: int | None = None
    instances: bool = True
    resized: bool = False

    def contents(self) -> dict[str, Any]:
        """All of this by name."""
        return {one.name: getattr(self, one.name) for one in fields(Contents)}

    def in_words(self, provenance: Mapping[str, str]) -> dict[str, str]:
        """The provenance, and what of this people and files are told in the same way."""
        ids = self.source_kind == "ids"
        return {
            **provenance,
            **({} if self.flips else {MIRRORED: "never: pushes would stay as they are"}),
            **({} if self.actions is None else {ACTIONS: str(self.actions)}),
            **({INSTANCES: "none"} if ids and not self.instances else {}),
        }


def contents_of(provenance: Mapping[str, str]) -> dict[str, Any]:
    """What the provenance in a file says of its Contents."""
    actions = provenance.get(ACTIONS, "")
    return {
        "pairs": not provenance.get("sources", "").startswith(UNPAIRED),
        "flips": MIRRORED not in provenance,
        "actions": int(actions) if actions.isdecimal() else None,
        "instances": INSTANCES not in provenance,
    }


@dataclass(frozen=True)
class DataSet(Contents):
    """One split of one source.

    x: uint8 (N, C, H, W); y: None or int64 labels (N,); source: None or what a translation starts
    from, of a size of its own: "image": uint8 (N, C', H', W'); "ids": int32 (N, 2, H', W') in
    0..65535, the number of the class and of the instance that a pixel belongs to. Source i belongs
    to image i; of unpaired sets, which may differ in length, none belongs to any. classes: names of
    the labels' classes, without labels of those of ids. `provenance` says to people where it came
    from. mixture: of points, what they were drawn from, if that is known. smaller: the images at
    lower resolutions, where there are such already, by their side: uint8 (N, C, side, side).
    """

    name: str
    x: Images
    y: Tensor | None = None
    source: Images | None = None
    classes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    mixture: Mixture | None = None
    smaller: Mapping[int, Images] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """(C, H, W) of one image."""
        _, channels, height, width = self.x.shape
        return channels, height, width

    @property
    def frame(self) -> Shape:
        """The same of one frame of it."""
        channels, height, width = self.shape
        return channels // self.frames, height, width

    @property
    def paired(self) -> bool:
        """Whether there are sources, and source i belongs to image i."""
        return self.pairs and self.source is not None and len(self.source) == len(self.x)

    def __len__(self) -> int:
        return len(self.x)

    def cycled(self, n: int) -> "DataSet":
        """n images, over and over in their order, with labels and sources."""
        return self._rows(lambda length: torch.arange(n) % length)

    def subset(self, n: int) -> "DataSet":
        """n images in memory, with labels and sources: always the same ones, those of a smaller n
        among them. UserError where there are fewer, and for crops, which are never the same.
        """
        if n > len(self):
            raise UserError(f"{self.name} has {len(self):,} images, and no subset of {n:,}.")
        if hasattr(self.x, "crops"):
            raise UserError("A subset stays in memory, and crops are cut anew: leave one of them.")
        return self._rows(lambda length: torch.randperm(length, generator=generator("subset"))[:n])

    def _rows(self, which: Callable[[int], Tensor]) -> "DataSet":
        """Of each part of this length these rows."""
        x = self.x[which(len(self))]
        y, source = (
            None if part is None else part[which(len(part))] for part in (self.y, self.source)
        )
        smaller = {side: images[which(len(images))] for side, images in self.smaller.items()}
        return replace(self, x=x, y=y, source=source, smaller=smaller)

    def turned(self) -> "DataSet":
        """The way back: the sources as images, without labels, and the images as their sources.
        UserError for sources that are no images of the same size.
        """
        source = None if self.source is None else self.source.shape[1:]
        _check_turns(self.source_kind, self.shape[1:], source)
        assert self.source is not None
        back = f"back from {self.name} to {self.provenance.get('sources', 'the sources')}"
        return replace(
            self,
            x=self.source,
            y=None,
            source=self.x,
            classes=(),
            provenance={
                **self.provenance,
                "sources": back if self.paired else f"{UNPAIRED}, {back}",
            },
            mixture=None,
            smaller={},
            frames=self.source_frames,
            source_frames=self.frames,
            pairs=self.paired,
        )


@dataclass(frozen=True)
class DataSpec:
    """What an algorithm is told of its data.

    image: (C, H, W) that the networks see. native: (C, H, W) of the data set, to which samples go
    back. fit: how native becomes image: "none", "pad" (with black, equally on both sides) or
    "resize". classes: their names; marginal: which part of the images is of each. source:
    (C', H', W') of what a translation starts from, as the networks see it, and of which kind it is:
    see DataSet. frames, source_frames: how many pictures lie on the channels. instances: whether
    ids know instances; None of pictures, and of what was trained before that was asked.
    """

    image: Shape
    native: Shape
    fit: Literal["none", "pad", "resize"] = "none"
    n_classes: int = 0
    source: Shape | None = None
    classes: tuple[str, ...] = ()
    marginal: tuple[float, ...] = ()
    source_kind: SourceKind = "image"
    frames: int = 1
    source_frames: int = 1
    instances: bool | None = None

    @property
    def native_source(self) -> Size:
        """(h', w') of the data's own sources, which to_source() brings to the networks' size."""
        assert self.source is not None
        height, width = self.source[1:]
        if self.fit == "pad":
            left, right, top, bottom = self._margins(self.source[1:])
            return height - top - bottom, width - left - right
        sides = zip((height, width), self.native[1:], self.image[1:], strict=True)
        height, width = (max(1, round(n * own / to)) for n, own, to in sides)
        return height, width

    def turned(self) -> "DataSpec":
        """Of the way back: images and sources exchanged, without labels. UserError for sources that
        are no images of the same size.
        """
        _check_turns(self.source_kind, self.image[1:], self.source)
        assert self.source is not None
        return DataSpec(
            self.source,
            (self.source[0], *self.native[1:]),
            self.fit,
            source=self.image,
            frames=self.source_frames,
            source_frames=self.frames,
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, which are their numbers where they have no others."""
        return self.classes or tuple(map(str, range(self.n_classes)))

    @property
    def shares(self) -> tuple[float, ...]:
        """Which part of the images is of each class; where nobody knows, of all the same."""
        return self.marginal or self.n_classes * (1 / max(1, self.n_classes),)

    def to_image(self, x: Tensor) -> Tensor:
        """uint8 images (N, C, h, w) at the networks' size (N, C, H, W), still uint8.

        (h, w) is the native size; images of any other size are resized.
        """
        return self._fitted(x, self.image[1:], resize_pixels)

    def to_source(self, y: Tensor) -> Tensor:
        """Sources (N, C', h', w') at the networks' size (N, C', H', W'), of the same dtype.

        Ids take their nearest neighbour's number where they are resized, 0 where they are padded.
        """
        assert self.source is not None
        resize = resize_ids if self.source_kind == "ids" else resize_pixels
        return self._fitted(y, self.source[1:], resize)

    def to_native(self, x: Tensor) -> Tensor:
        """Generated images (N, C, H, W) at the data's own size (N, C, h, w): cropped or resized."""
        if self.fit == "pad":
            left, _, top, _ = self._margins()
            return x[..., top : top + self.native[1], left : left + self.native[2]]
        if self.fit == "resize":
            return F.interpolate(x, self.native[1:], mode="bicubic", antialias=True).clamp(-1, 1)
        return x

    def _fitted(self, x: Tensor, size: Size, resize: Callable[[Tensor, Size], Tensor]) -> Tensor:
        """x (N, C, h, w) at `size`: padded where x is then of that size, else resized."""
        if x.shape[2:] == size:
            return x
        if self.fit == "pad":
            padded = F.pad(x, self._margins(size))
            if padded.shape[2:] == size:
                return padded
        return resize(x, size)

    def _margins(self, size: Size | None = None) -> tuple[int, int, int, int]:
        """left, right, top, bottom, in pixels of the images, or of sources of that size."""
        high, wide = size or self.image[1:]
        left, right = _halves(self.image[2] - self.native[2])
        top, bottom = _halves(self.image[1] - self.native[1])
        horizontal = (left * wide // self.image[2], right * wide // self.image[2])
        return *horizontal, top * high // self.image[1], bottom * high // self.image[1]


def _check_turns(kind: SourceKind, image: Size, source: tuple[int, ...] | None) -> None:
    """UserError unless there is a way back from images of this size to sources (C', H', W')."""
    if source is None:
        raise UserError("There is no way back where there are no sources.")
    if kind != "image":
        raise UserError("There is no way back to maps of classes, which are no images.")
    if tuple(source[1:]) != tuple(image):
        raise UserError(
            f"Images of {w_by_h(image)} and sources of {w_by_h(source)} must be of one size "
            "for a way back, as --size makes them."
        )


def w_by_h(size: Sequence[int]) -> str:
    """The size of images or a shape (..., H, W), the width first: "64x48"."""
    return f"{size[-1]}x{size[-2]}"


def _halves(margin: int) -> tuple[int, int]:
    return margin // 2, margin - margin // 2


def resize_pixels(x: Tensor, size: Size) -> Tensor:
    """uint8 (N, C, h, w) to uint8 (N, C, *size), bicubic."""
    y = F.interpolate(x.float(), size, mode="bicubic", antialias=True)
    return y.round_().clamp_(0, 255).to(torch.uint8)


def resize_ids(x: Tensor, size: Size) -> Tensor:
    """Integers (N, C, h, w) to (N, C, *size), each its nearest neighbour's."""
    # float32 holds every whole number below 2^24
    return F.interpolate(x.float(), size, mode="nearest-exact").to(x.dtype)


def next_power(height: int, width: int, least: int = 1) -> Size:
    """The square of the next power of two, of one from `least` on; points stay points."""
    if height == width == 1:
        return 1, 1
    side = max(least, 1 << (max(height, width) - 1).bit_length())
    return side, side


def fit_spec(data: DataSet, size: Size) -> DataSpec:
    """The DataSpec that brings `data` to `size` (H, W): padded by up to a quarter, else resized.

    Sources keep their proportion to the images, and are padded or resized as they are, so that
    pixels stay where they belong: where the margins would not be whole pixels of the sources, both
    are resized.
    """
    channels, height, width = data.shape
    more = (size[0] - height, size[1] - width)
    source: Shape | None = None
    alike = True  # whether margins are whole pixels of the sources on every side
    if data.source is not None:
        _, deep, *own = data.source.shape
        sides = [*zip(own, size, data.shape[1:], more, strict=True)]
        high, wide = (max(1, round(n * to / of)) for n, to, of, _ in sides)
        source = deep, high, wide
        alike = all(half * n % of == 0 for n, _, of, m in sides for half in _halves(m))
    fit: Literal["none", "pad", "resize"] = "none"
    if more != (0, 0):
        small = all(0 <= m <= s // 4 for m, s in zip(more, size, strict=True))
        fit = "pad" if small and alike else "resize"
    marginal: tuple[float, ...] = ()
    if data.y is not None:
        counts = torch.bincount(data.y, minlength=len(data.classes)).double()
        marginal = tuple((counts / counts.sum()).tolist())
    return DataSpec(
        (channels, *size),
        data.shape,
        fit,
        len(data.classes),
        source,
        data.classes,
        marginal,
        data.source_kind,
        data.frames,
        data.source_frames,
        data.instances if data.source_kind == "ids" else None,
    )

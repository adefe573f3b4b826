"""What a data set holds, and what an algorithm is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, int, int]
SourceKind = Literal["image", "ids"]
POINTS: Shape = (2, 1, 1)
"""The shape of points in the plane, which are images of one pixel: x and y are its channels."""


class Images(Protocol):
    """Anything that gives uint8 NCHW images by index: a tensor, or a file read when asked."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # (N, C, H, W)
    def __len__(self) -> int: ...
    def __getitem__(self, index: Tensor) -> Tensor: ...  # int64 (n,) -> uint8 (n, C, H, W)


class Mixture(NamedTuple):
    """Gaussians of equal weight that points were drawn from.

    centres: (K, 2) in [-1, 1]; std: of each coordinate.
    """

    centres: Tensor
    std: float


@dataclass(frozen=True)
class DataSet:
    """One split of one source.

    x: uint8 (N, C, H, W); y: None or int64 labels (N,); source: None or what a translation starts
    from, of a size of its own: "image": uint8 (N, C', H', W'); "ids": int32 (N, 2, H', W'), the
    number of the class and of the instance that a pixel belongs to. frames, source_frames: so many
    pictures of a sequence lie one behind the other on the channels. `provenance` says where it
    came from in a few words. mixture: of points, what they were drawn from, if that is known.
    """

    name: str
    x: Images
    y: Tensor | None = None
    source: Images | None = None
    classes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    mixture: Mixture | None = None
    source_kind: SourceKind = "image"
    frames: int = 1
    source_frames: int = 1

    @property
    def shape(self) -> Shape:
        """(C, H, W) of one image."""
        _, channels, height, width = self.x.shape
        return channels, height, width

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class DataSpec:
    """What an algorithm is told of its data.

    image: (C, H, W) that the networks see. native: (C, H, W) of the data set, to which samples go
    back. fit: how native becomes image: "none", "pad" (with black, equally on both sides) or
    "resize". classes: their names; marginal: which part of the images is of each. source:
    (C', H', W') of what a translation starts from, as the networks see it, and of which kind it is:
    see DataSet. frames, source_frames: how many pictures lie on the channels.
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

    def to_image(self, x: Tensor) -> Tensor:
        """uint8 images (N, C, h, w) at the networks' size (N, C, H, W), still uint8.

        (h, w) is the native size; source images of any other size are resized.
        """
        if x.shape[2:] == self.image[1:]:
            return x
        if self.fit == "pad" and x.shape[2:] == self.native[1:]:
            return F.pad(x, self._margins())
        y = F.interpolate(x.float(), self.image[1:], mode="bicubic", antialias=True)
        return y.round_().clamp_(0, 255).to(torch.uint8)

    def to_native(self, x: Tensor) -> Tensor:
        """Generated images (N, C, H, W) at the data's own size (N, C, h, w): cropped or resized."""
        if self.fit == "pad":
            left, _, top, _ = self._margins()
            return x[..., top : top + self.native[1], left : left + self.native[2]]
        if self.fit == "resize":
            return F.interpolate(x, self.native[1:], mode="bicubic", antialias=True).clamp(-1, 1)
        return x

    def _margins(self) -> tuple[int, int, int, int]:
        """left, right, top, bottom, in pixels."""
        height, width = self.image[1] - self.native[1], self.image[2] - self.native[2]
        return width // 2, width - width // 2, height // 2, height - height // 2


def fit_spec(data: DataSet, size: tuple[int, int]) -> DataSpec:
    """The DataSpec that brings `data` to `size` (H, W): padded by up to a quarter, else resized."""
    channels, height, width = data.shape
    more = (size[0] - height, size[1] - width)
    fit: Literal["none", "pad", "resize"]
    if more == (0, 0):
        fit = "none"
    else:
        fit = "pad" if all(0 <= m <= s // 4 for m, s in zip(more, size, strict=True)) else "resize"
    source = None if data.source is None else (data.source.shape[1], *size)
    return DataSpec(
        (channels, *size),
        data.shape,
        fit,
        len(data.classes),
        source,
        data.classes,
        _marginal(data),
        data.source_kind,
        data.frames,
        data.source_frames,
    )


def _marginal(data: DataSet) -> tuple[float, ...]:
    """The part of the images that is of each class; () without labels."""
    if data.y is None:
        return ()
    counts = torch.bincount(data.y, minlength=len(data.classes)).double()
    return tuple((counts / counts.sum()).tolist())

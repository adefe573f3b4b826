"""Images on their way to a network: data sets, what an algorithm is told of them, and batches."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from common.errors import UserError
from common.seeds import generator

Shape = tuple[int, int, int]
Condition = Literal["labels", "images"] | None


class Images(Protocol):
    """Anything that gives uint8 NCHW images by index: a tensor, or a file read when asked."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # (N, C, H, W)
    def __len__(self) -> int: ...
    def __getitem__(self, index: Tensor) -> Tensor: ...  # int64 (n,) -> uint8 (n, C, H, W)


POINTS: Shape = (2, 1, 1)
"""The shape of points in the plane, which are images of one pixel: x and y are its channels."""


class Mixture(NamedTuple):
    """Gaussians of equal weight that points were drawn from.

    centres: (K, 2) in [-1, 1]; std: of each coordinate.
    """

    centres: Tensor
    std: float


@dataclass(frozen=True)
class DataSet:
    """One split of one source.

    x: uint8 (N, C, H, W); y: None or int64 labels (N,); source: None or uint8 (N, C', H', W'), the
    images that a translation starts from. `provenance` says where it came from in a few words.
    mixture: of points, what they were drawn from, if that is known.
    """

    name: str
    x: Images
    y: Tensor | None = None
    source: Images | None = None
    classes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    mixture: Mixture | None = None

    @property
    def shape(self) -> Shape:
        """(C, H, W) of one image."""
        _, channels, height, width = self.x.shape
        return channels, height, width

    def __len__(self) -> int:
        return len(self.x)


class Batch(NamedTuple):
    """x: float NCHW in [-1, 1]. y: None, int64 labels (N,), or source images like x."""

    x: Tensor
    y: Tensor | None = None


@dataclass(frozen=True)
class DataSpec:
    """What an algorithm is told of its data.

    image: (C, H, W) that the networks see. native: (C, H, W) of the data set, to which samples go
    back. fit: how native becomes image: "none", "pad" (with black, equally on both sides) or
    "resize". source: (C', H, W) of the images that a translation starts from.
    """

    image: Shape
    native: Shape
    fit: Literal["none", "pad", "resize"] = "none"
    n_classes: int = 0
    source: Shape | None = None

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
    return DataSpec((channels, *size), data.shape, fit, len(data.classes), source)


class Loader(Iterator[Batch]):
    """Endless batches; batch k is a function of (data, settings, seed, k) alone.

    Its whole state is `position`, counted in images. Each epoch visits every image once, in an
    order (and with flips) that depends on (seed, stream, epoch); a batch may reach over its end.
    With `dequantize`, x is (value + U(0, 1)) / 128 - 1, in [-1, 1), in place of value / 127.5 - 1.
    """

    def __init__(
        self,
        data: DataSet,
        spec: DataSpec,
        batch_size: int,
        seed: int,
        *,
        condition: Condition = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        flip: bool = False,
        dequantize: bool = False,
        stream: str = "",
    ) -> None:
        if condition == "labels" and data.y is None:
            raise UserError(f"This algorithm needs labels and the data set '{data.name}' has none.")
        if condition == "images" and data.source is None:
            raise UserError(
                f"This algorithm needs pairs of images and the data set '{data.name}' has none."
            )
        if len(data) == 0:
            raise UserError(f"The data set '{data.name}' has no images.")
        self.data, self.spec, self.batch_size, self.seed = data, spec, batch_size, seed
        self.condition, self.device, self.dtype = condition, torch.device(device), dtype
        self.flip, self.dequantize, self.stream = flip, dequantize, stream
        self.position = 0
        self._epoch = -1
        self._order = self._flips = torch.empty(0, dtype=torch.int64)

    def __next__(self) -> Batch:
        index, flips = self._draw()
        x = self._gather(self.data.x, index, flips).to(self.dtype)
        x = self._dequantize(x) if self.dequantize else _centre(x)
        y = self._condition(index, flips)
        self.position += self.batch_size
        return Batch(x, y)

    def condition_at(self, index: Tensor) -> Tensor | None:
        """The y of the images with these numbers (n,), not mirrored."""
        return self._condition(index, torch.zeros(len(index), dtype=torch.bool))

    def fork(self, stream: str) -> "Loader":
        """A loader over the same data in another order, with a position of its own."""
        other = copy(self)
        other.stream, other.position, other._epoch = stream, 0, -1
        return other

    def over(self, data: DataSet) -> "Loader":
        """A loader over other data with the same settings."""
        other = self.fork(self.stream)
        other.data = data
        return other

    def _condition(self, index: Tensor, flips: Tensor) -> Tensor | None:
        if self.condition == "labels":
            assert self.data.y is not None
            return _rows(self.data.y, index).to(self.device)
        if self.condition == "images":
            assert self.data.source is not None
            return _centre(self._gather(self.data.source, index, flips).to(self.dtype))
        return None

    def _gather(self, images: Images, index: Tensor, flips: Tensor) -> Tensor:
        """uint8 images (n, C, H, W) of the networks' size, on the device."""
        x = self.spec.to_image(_rows(images, index).to(self.device))
        if self.flip:
            x = torch.where(flips.to(self.device)[:, None, None, None], x.flip(-1), x)
        return x

    def _dequantize(self, x: Tensor) -> Tensor:
        noise = generator(self.seed, self.stream, "dequantize", self.position, device=self.device)
        u = torch.rand(x.shape, generator=noise, device=self.device, dtype=self.dtype)
        # 255 + u may round to 256, which would be 1
        top = 1 - torch.finfo(self.dtype).eps / 2
        return u.add_(x).div_(128).sub_(1).clamp_(max=top)

    def _draw(self) -> tuple[Tensor, Tensor]:
        """Indices (batch_size,) and flips (batch_size,) of the next batch."""
        parts, start, left = [], self.position, self.batch_size
        while left:
            epoch, offset = divmod(start, len(self.data))
            self._shuffle(epoch)
            part = slice(offset, min(offset + left, len(self.data)))
            parts.append((self._order[part], self._flips[part]))
            start, left = start + part.stop - part.start, left - (part.stop - part.start)
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def _shuffle(self, epoch: int) -> None:
        if epoch != self._epoch:
            order = generator(self.seed, self.stream, "order", epoch)
            self._order = torch.randperm(len(self.data), generator=order)
            self._flips = torch.rand(len(self.data), generator=order) < 0.5
            self._epoch = epoch


def _centre(x: Tensor) -> Tensor:
    """0..255 to [-1, 1], in place: fresh memory for each step takes twenty times as long."""
    return x.div_(127.5).sub_(1)


def _rows(images: Images, index: Tensor) -> Tensor:
    """images[index]; of a tensor by index_select, which is ten times faster."""
    if isinstance(images, Tensor):
        return images.index_select(0, index.to(images.device))
    return images[index]

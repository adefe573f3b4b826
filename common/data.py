"""Images on their way to a network: batches out of a data set."""

from collections.abc import Iterator, Mapping
from copy import copy
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.ahead import WORKERS, Ahead, read
from ganlib.common.errors import UserError
from ganlib.common.seeds import generator
from ganlib.common.spec import POINTS, DataSet, DataSpec, Images, Mixture, Shape, fit_spec
from ganlib.common.transfer import place, upload

__all__ = [
    "POINTS",
    "Batch",
    "Condition",
    "DataSet",
    "DataSpec",
    "Images",
    "Loader",
    "Mixture",
    "Shape",
    "fit_spec",
]

Condition = Literal["labels", "images", "unpaired"] | None


class Batch(NamedTuple):
    """x: float NCHW in [-1, 1]. y: None, int64 labels (N,), or source images like x."""

    x: Tensor
    y: Tensor | None = None


class _Rows(NamedTuple):
    """Which images. here: int64 (n,) on the CPU; there: the same on the loader's device; flips:
    bool (n,) on the device, which of them are mirrored.
    """

    here: Tensor
    there: Tensor
    flips: Tensor

    def cut(self, start: int, end: int) -> "_Rows":
        """The rows from `start` to before `end`."""
        here = self.here[start:end]
        there = here if self.there is self.here else self.there[start:end]
        return _Rows(here, there, self.flips[start:end])


class Loader(Iterator[Batch]):
    """Endless batches; batch k is a function of (data, settings, seed, k) alone.

    Its whole state is `position`, counted in images. Each epoch visits every image once, in an
    order (and with flips) that depends on (seed, stream, epoch); a batch may reach over its end.
    With `dequantize`, x is (value + U(0, 1)) / 128 - 1, in [-1, 1), in place of value / 127.5 - 1.

    Of `ranks` processes, each is given its own rows of a batch: number `rank` those from
    rank * batch_size / ranks on. `batch_size` and `position` count the images of all.

    Tensors that fit lie on the device, and a batch of them is made there without waiting for it.
    Images that are no tensor are read ahead by `workers` processes, by none if that is 0.
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
        rank: int = 0,
        ranks: int = 1,
        workers: int = WORKERS,
    ) -> None:
        if condition == "labels" and data.y is None:
            raise UserError(f"This algorithm needs labels and the data set '{data.name}' has none.")
        if condition == "images" and data.source is None:
            raise UserError(
                f"This algorithm needs pairs of images and the data set '{data.name}' has none."
            )
        if len(data) == 0:
            raise UserError(f"The data set '{data.name}' has no images.")
        _check_share(batch_size, rank, ranks)
        self.data, self.spec, self.batch_size, self.seed = data, spec, batch_size, seed
        self.condition, self.device, self.dtype = condition, torch.device(device), dtype
        self.flip, self.dequantize, self.stream = flip, dequantize, stream
        self.rank, self.ranks, self.workers = rank, ranks, workers
        self.position = 0
        self.size: tuple[int, int] | None = None
        self._epoch: tuple[int, torch.device] | None = None  # what _order is of
        self._order = _Rows(*3 * [torch.empty(0)])
        self._places: dict[tuple[str, torch.device], Images] = {}
        self._ahead: Ahead | None = None
        self._ahead_at = 0  # the position of the batch that _ahead gives next

    def __next__(self) -> Batch:
        rows, lazy = self._draw(), self._read()
        x = self._gather("x", rows, lazy).to(self.dtype)
        x = self._dequantize(x) if self.dequantize else _centre(x)
        if self.size is not None:
            x = F.adaptive_avg_pool2d(x, self.size)
        y = self._condition(rows, lazy)
        self.position += self.batch_size
        return Batch(x, y)

    def condition_at(self, index: Tensor) -> Tensor | None:
        """The y of the images with these numbers (n,), not mirrored."""
        flips = torch.zeros(len(index), dtype=torch.bool, device=self.device)
        return self._condition(_Rows(index.cpu(), index.to(self.device), flips), {})

    def fork(self, stream: str) -> "Loader":
        """A loader over the same data in another order, with a position of its own."""
        other = self._copy()
        other.stream, other.position, other._epoch = stream, 0, None
        return other

    def over(self, data: DataSet) -> "Loader":
        """A loader over other data with the same settings."""
        other = self.fork(self.stream)
        if data is not self.data:
            other.data, other._places = data, {}
        return other

    def share(self, rank: int, ranks: int) -> "Loader":
        """A loader of the same batches from the same position on, for another share of each."""
        _check_share(self.batch_size, rank, ranks)
        other = self._copy()
        other.rank, other.ranks = rank, ranks
        return other

    def resize(self, batch_size: int, size: tuple[int, int] | None = None) -> None:
        """From the next batch on: so many images, and x averaged over areas to `size` (H, W), None
        for x as it is. UserError if the batch cannot be shared as it is.
        """
        _check_share(batch_size, self.rank, self.ranks)
        if batch_size != self.batch_size:
            self.close()
        self.batch_size, self.size = batch_size, size

    def close(self) -> None:
        """End the processes that read ahead; the next batch starts new ones."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _copy(self) -> "Loader":
        other = copy(self)
        other._ahead = None
        return other

    def _condition(self, rows: _Rows, lazy: Mapping[str, Tensor]) -> Tensor | None:
        if self.condition == "labels":
            return self._pick("y", rows, lazy)
        if self.condition == "images":
            return _centre(self._gather("source", rows, lazy).to(self.dtype))
        return None

    def _gather(self, name: str, rows: _Rows, lazy: Mapping[str, Tensor]) -> Tensor:
        """uint8 images (n, C, H, W) of the networks' size, on the device."""
        x = self.spec.to_image(self._pick(name, rows, lazy))
        if self.flip:
            x = torch.where(rows.flips[:, None, None, None], x.flip(-1), x)
        return x

    def _pick(self, name: str, rows: _Rows, lazy: Mapping[str, Tensor]) -> Tensor:
        """Rows of the data set's `name`, on the device; `lazy` holds those that are read."""
        place_of = name, self.device
        if place_of not in self._places:
            self._places[place_of] = place(getattr(self.data, name), self.device)
        images = self._places[place_of]
        if isinstance(images, Tensor):  # index_select is ten times as fast as []
            index = rows.here if images.is_cpu else rows.there
            return upload(images.index_select(0, index), self.device)
        x = lazy[name] if name in lazy else read(images, rows.here)
        return upload(x, self.device)

    def _read(self) -> Mapping[str, Tensor]:
        """This batch's rows, by name, of what is no tensor; nothing if no worker reads them."""
        names = ("x", "source") if self.condition == "images" else ("x",)
        lazy = {name: getattr(self.data, name) for name in names}
        lazy = {name: images for name, images in lazy.items() if not isinstance(images, Tensor)}
        if not (lazy and self.workers):
            return {}
        if self._ahead is None or self._ahead_at != self.position:
            self.close()
            pin = self.device.type == "cuda"
            self._ahead = Ahead(lazy, _indices(self._copy()), self.workers, pin)
        # kept only once it has read, so that a loader whose workers failed can start new ones
        ahead, self._ahead = self._ahead, None
        rows = next(ahead)
        self._ahead, self._ahead_at = ahead, self.position + self.batch_size
        return rows

    def _dequantize(self, x: Tensor) -> Tensor:
        noise = generator(self.seed, self.stream, "dequantize", self.position, device=self.device)
        shape = (self.batch_size, *x.shape[1:])
        u = torch.rand(shape, generator=noise, device=self.device, dtype=self.dtype)
        u = u.narrow(0, self.rank * len(x), len(x))
        # 255 + u may round to 256, which would be 1
        top = 1 - torch.finfo(self.dtype).eps / 2
        return u.add_(x).div_(128).sub_(1).clamp_(max=top)

    def _draw(self) -> _Rows:
        """This rank's rows of the next batch."""
        n = self.batch_size // self.ranks
        parts, start = [], self.position + self.rank * n
        while n:
            epoch, offset = divmod(start, len(self.data))
            self._shuffle(epoch)
            parts.append(self._order.cut(offset, offset + n))
            taken = len(parts[-1].here)
            start, n = start + taken, n - taken
        return parts[0] if len(parts) == 1 else _Rows(*map(torch.cat, zip(*parts, strict=True)))

    def _shuffle(self, epoch: int) -> None:
        """Draw the order of an epoch on the CPU, where it is the same for every device."""
        if self._epoch != (epoch, self.device):
            random = generator(self.seed, self.stream, "order", epoch)
            order = torch.randperm(len(self.data), generator=random)
            flips = torch.rand(len(self.data), generator=random) < 0.5
            self._order = _Rows(order, upload(order, self.device), upload(flips, self.device))
            self._epoch = epoch, self.device


def _check_share(batch_size: int, rank: int, ranks: int) -> None:
    if not 0 <= rank < ranks:
        raise ValueError(f"there is no rank {rank} of {ranks}")
    if batch_size % ranks:
        less, more = batch_size // ranks * ranks, -(-batch_size // ranks) * ranks
        raise UserError(
            f"A batch of {batch_size} images cannot be shared in {ranks} parts: "
            f"{f'{less} or {more}' if less else more} images can."
        )


def _indices(loader: Loader) -> Iterator[Tensor]:
    """The rows of this loader's batches, on the CPU."""
    loader.device = torch.device("cpu")
    while True:
        yield loader._draw().here
        loader.position += loader.batch_size


def _centre(x: Tensor) -> Tensor:
    """0..255 to [-1, 1], in place: fresh memory for each step takes twenty times as long."""
    return x.div_(127.5).sub_(1)

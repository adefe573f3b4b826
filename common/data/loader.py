"""Images on their way to a network: in which order those of an epoch come, which are mirrored, and
where they are cut; and batches of them.
"""

import sys
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data.condition import Condition, check_condition, check_lengths
from ganlib.common.data.crops import Jitter, centres, common_grid, in_memory, placed, read
from ganlib.common.data.prefetch import Part, Prefetcher
from ganlib.common.data.spec import DataSet, DataSpec, Images, Readable, Size, w_by_h
from ganlib.common.data.transfer import Memory, upload
from ganlib.common.errors import UserError
from ganlib.common.seeds import generator

WORKERS = 2 if sys.platform == "linux" else 0  # elsewhere forks are not safe, or there are none
SOME = 2**18
MOST = 8  # of which a device that trains asks no more


def readers(workers: int | None, cores: int) -> int:
    """How many processes read for one loader: `workers`, by default one for each of the cores, up
    to MOST; none where forks are not safe.
    """
    wanted = min(MOST, cores) if workers is None else workers
    return wanted if WORKERS else 0


class Batch(NamedTuple):
    """x: float NCHW in [-1, 1]. y: None; int64 labels (N,); or sources (N, C', H', W'), images like
    x or int32 ids of class and instance, (N, 2, H', W').
    """

    x: Tensor
    y: Any = None


class Rows(NamedTuple):
    """Which images. here: int64 (n,) on the CPU; there: the same on the loader's device; flips:
    bool (n,) on the device, which of them are mirrored; crops, jitter: (n, 2) on the CPU, at which
    places they are cut: see common/data/crops.py.
    """

    here: Tensor
    there: Tensor
    flips: Tensor
    crops: Tensor
    jitter: Tensor


class Order:
    """Epoch after epoch of `length` images, each once, in an order (and with flips and places)
    that follows from `seed` and the number of the epoch.
    """

    def __init__(self, length: int, *seed: int | str) -> None:
        self.length, self.seed = length, seed
        self._epoch: tuple[int, torch.device] | None = None  # what _rows is of
        self._rows = Rows(*5 * [torch.empty(0)])

    def rows(self, start: int, n: int, device: torch.device) -> Rows:
        """Those of n images from number `start` on, counted from the first epoch's first."""
        parts = []
        while n:
            epoch, offset = divmod(start, self.length)
            self._shuffle(epoch, device)
            parts.append(Rows(*(values[offset : offset + n] for values in self._rows)))
            taken = len(parts[-1].here)
            start, n = start + taken, n - taken
        return parts[0] if len(parts) == 1 else Rows(*map(torch.cat, zip(*parts, strict=True)))

    def _shuffle(self, epoch: int, device: torch.device) -> None:
        """Draw an epoch on the CPU, where it is the same for every device."""
        if self._epoch != (epoch, device):
            random = generator(*self.seed, epoch)
            order = torch.randperm(self.length, generator=random)
            flips = torch.rand(self.length, generator=random) < 0.5
            places = torch.rand(2, self.length, 2, generator=random)
            self._rows = Rows(order, upload(order, device), upload(flips, device), *places)
            self._epoch = epoch, device


@dataclass(eq=False, repr=False)
class Loader(Iterator[Batch]):
    """Endless batches; batch k is a function of (data, settings, seed, k) alone.

    Its whole state is `position`, counted in images. Each epoch visits every image once, in an
    order (and with flips and places of crops) that depends on (seed, stream, epoch); a batch may
    reach over its end. x and its source are mirrored, cropped and jittered alike; for `jitter`, in
    pixels, see crops.Jitter.
    With `dequantize`, x is (value + U(0, 1)) / 128 - 1, in [-1, 1), in place of value / 127.5 - 1.

    condition: what y is. "labels"; "images", the sources of the batch's own images;
    "unpaired": the next sources, with flips, places, an order and epochs of their own.

    Of `ranks` processes, each is given its own rows of a batch: number `rank` those from
    rank * batch_size / ranks on. `batch_size` and `position` count the images of all.

    Tensors that fit lie on the device, and a batch of them is made there without waiting for it.
    Images that are no tensor are read ahead by `workers` processes, by none if that is 0.
    """

    data: DataSet
    spec: DataSpec
    batch_size: int
    seed: int
    _: KW_ONLY
    condition: Condition = None
    device: torch.device = torch.device("cpu")
    dtype: torch.dtype = torch.float32
    flip: bool = False
    jitter: int = 0
    dequantize: bool = False
    stream: str = ""
    rank: int = 0
    ranks: int = 1
    workers: int = WORKERS

    def __post_init__(self) -> None:
        if len(self.data) == 0:
            raise UserError(f"The data set '{self.data.name}' has no images.")
        check_condition(self.data, self.condition, self.flip)
        _check_share(self.batch_size, self.rank, self.ranks)
        self.device = torch.device(self.device)
        size, source = self.spec.image[1:], self.spec.source
        has_source = source is not None and self.condition in ("images", "unpaired")
        grid = common_grid(size, source[1:] if source and has_source else None)
        self._jitter = Jitter(self.jitter, size, grid) if self.jitter else None
        self._still = False
        self.size: Size | None = None
        self.position = 0
        self._memory = Memory()
        self._orders: dict[str, Order] = {}
        self._places: dict[tuple[str, int | None], Images] = {}
        self._prefetcher: Prefetcher | None = None
        self._prefetched: object = None  # which batch _prefetcher gives next

    def __next__(self) -> Batch:
        rows, lazy = self._draw(), self._read()
        x = self._images(rows["x"], lazy)
        x = self._dequantize(x) if self.dequantize else self._centre(x)
        y = self._condition(rows["source"], lazy)
        self.position += self.batch_size
        return Batch(x, y)

    def images_at(self, index: Tensor) -> Tensor:
        """x of the images with these numbers (n,), as still() gives them, not dequantized."""
        still = self.still()
        return still._centre(still._images(self._numbered(index), {}))

    def condition_at(self, index: Tensor) -> Any:
        """The labels, or the sources, with these numbers (n,), as still() gives them."""
        return self.still()._condition(self._numbered(index), {})

    def still(self) -> "Loader":
        """A loader of the same images, neither mirrored nor jittered, and cropped in the middle."""
        return self._copy(flip=False, _jitter=None, _still=True)

    def turned(self) -> "Loader":
        """A loader of the way back, with images and sources exchanged: see DataSet.turned()."""
        data, spec = self.data.turned(), self.spec.turned()
        return self._copy(data=data, spec=spec, _places={}, position=0)

    @property
    def n_sources(self) -> int:
        """How many sources there are, 0 without any."""
        return 0 if self.data.source is None else len(self.data.source)

    def resize(self, batch_size: int, size: Size | None = None) -> None:
        """From the next batch on, give so many images, of `size` (H, W) or of the networks' own.

        Smaller images are means over areas, over whole blocks of pixels where the sides divide.
        `value` above is then such a mean: dequantizing adds U(0, 1) to it, as it does to a pixel.
        Where the data hold images of that side, those are read instead, and those of the stage
        before are let go. Sources keep their size.
        UserError if `size` is larger than the images, or a batch cannot be shared.
        """
        _check_share(batch_size, self.rank, self.ranks)
        whole = self.spec.image[1:]
        if size is not None and (size[0] > whole[0] or size[1] > whole[1] or min(size) < 1):
            raise UserError(
                f"Images of {w_by_h(whole)} pixels cannot be averaged to {w_by_h(size)}: give a "
                "size within theirs."
            )
        self.batch_size, self.size = batch_size, None if size == whole else size
        for key in [key for key in self._places if key[1] not in (None, self._side)]:
            del self._places[key]

    def fork(self, stream: str) -> "Loader":
        """A loader over the same data in another order, with a position of its own."""
        return self._copy(stream=stream, position=0)

    def over(self, data: DataSet) -> "Loader":
        """A loader over other data with the same settings."""
        if data is self.data:
            return self.fork(self.stream)
        check_lengths(data, self.condition)
        return self._copy(data=data, _places={}, position=0)

    def share(self, rank: int, ranks: int) -> "Loader":
        """A loader of the same batches from the same position on, for another share of each."""
        _check_share(self.batch_size, rank, ranks)
        return self._copy(rank=rank, ranks=ranks)

    def close(self) -> None:
        """End the processes that read ahead; the next batch starts new ones."""
        if self._prefetcher is not None:
            self._prefetcher.close()
            self._prefetcher = None

    def _copy(self, **changes: Any) -> "Loader":
        other = copy(self)
        vars(other).update(changes, _prefetcher=None, _orders={})
        return other

    def _images(self, rows: Rows, lazy: Mapping[str, Tensor]) -> Tensor:
        """x (n, C, H, W) of the stage's size, in 0..255: uint8, or means."""
        x = self._pick("x", rows, lazy)
        if self._side is not None:
            return self._moved(x, rows)
        x = self._moved(self.spec.to_image(x), rows)
        if self.size is None:
            return x
        exact = torch.promote_types(self.dtype, torch.float32)
        return F.interpolate(x.to(exact), self.size, mode="area").to(self.dtype)

    def _centre(self, x: Tensor) -> Tensor:
        """0..255 to [-1, 1], in memory of its own. Much is done by this thread alone, as PyTorch's
        would wait for cores on which readers run, and SOME numbers at a time, which stay in cache.
        """
        numpys = self.device.type == "cpu" and self.dtype in (torch.float32, torch.float64)
        if not numpys or x.numel() < 4 * SOME:
            return x.to(self.dtype, copy=True).div_(127.5).sub_(1)
        result = self._memory.empty(x.shape, self.dtype)
        values, floats = x.reshape(-1).numpy(), result.view(-1).numpy()
        for start in range(0, len(floats), SOME):
            part = floats[start : start + SOME]
            np.copyto(part, values[start : start + SOME], casting="same_kind")
            part /= 127.5
            part -= 1
        return result

    def _condition(self, rows: Rows, lazy: Mapping[str, Tensor]) -> Tensor | None:
        """y: the labels of these images, or these sources."""
        if self.condition is None:
            return None
        if self.condition == "labels":
            return self._pick("y", rows, lazy)
        ids = self._source_kind == torch.int32
        y = self._moved(self.spec.to_source(self._pick("source", rows, lazy)), rows, ids)
        # a copy, for the memory of what was read ahead will be used again
        return y.to(torch.int32, copy=True) if ids else self._centre(y)

    @property
    def _source_kind(self) -> torch.dtype:
        return torch.int32 if self.spec.source_kind == "ids" else torch.uint8

    def _moved(self, x: Tensor, rows: Rows, ids: bool = False) -> Tensor:
        """Images or sources of the networks' size, some of them mirrored, jittered."""
        if self.flip:
            x = torch.where(rows.flips[:, None, None, None], x.flip(-1), x)
        if self._jitter is not None:
            x = self._jitter(x, upload(rows.jitter, self.device), ids)
        return x

    @property
    def _side(self) -> int | None:
        """The side of this stage's images, if they lie somewhere by themselves."""
        height, width = self.size or self.spec.image[1:]
        if height != width or height not in self.data.smaller:
            return None
        if self._jitter is not None or self.spec.fit == "pad":
            return None  # it knows whole images; of padded ones, they would be other parts
        return height if self.spec.image[1] == self.spec.image[2] else None

    def _pick(self, name: str, rows: Rows, lazy: Mapping[str, Tensor]) -> Tensor:
        """Rows of the data set's `name`, on the device; `lazy` holds those that are read."""
        images = self._placed(name)
        if isinstance(images, Tensor):  # index_select is ten times as fast as []
            index = rows.here if images.is_cpu else rows.there
            return upload(images.index_select(0, index), self.device)
        x = lazy[name] if name in lazy else read(images, rows.here, rows.crops)
        return upload(x, self.device)

    def _placed(self, name: str) -> Images:
        """The data set's `name`, of its images those of this stage, where they are taken from."""
        side = self._side if name == "x" else None
        if (name, side) not in self._places:
            images = getattr(self.data, name) if side is None else self.data.smaller[side]
            if side is not None and isinstance(images, Readable):
                images = images.at_once()
            self._places[name, side] = placed(images, self.device)
        return self._places[name, side]

    def _read(self) -> Mapping[str, Tensor]:
        """This batch's rows, by name, of what is no tensor; nothing if no worker reads them."""
        names = ("x", "source") if self.condition in ("images", "unpaired") else ("x",)
        lazy = {name: self._placed(name) for name in names}
        lazy = {name: images for name, images in lazy.items() if not in_memory(images)}
        if not (lazy and self.workers):
            self.close()
            return {}
        which = (self.position, self.batch_size, self._side)
        if self._prefetcher is None or self._prefetched != which:
            self.close()
            kinds = {"x": torch.uint8, "source": self._source_kind}
            order = _drawn(self._copy(device=torch.device("cpu")))
            self._prefetcher = Prefetcher(lazy, order, self.workers, kinds)
        # kept only once it has read, so that a loader whose workers failed can start new ones
        prefetcher, self._prefetcher = self._prefetcher, None
        rows = prefetcher.take()
        self._prefetcher = prefetcher
        self._prefetched = (self.position + self.batch_size, *which[1:])
        return rows

    def _dequantize(self, x: Tensor) -> Tensor:
        noise = generator(self.seed, self.stream, "dequantize", self.position, device=self.device)
        shape = (self.batch_size, *x.shape[1:])
        u = torch.rand(shape, generator=noise, device=self.device, dtype=self.dtype)
        u = u.narrow(0, self.rank * len(x), len(x))
        # 255 + u may round to 256, which would be 1
        top = 1 - torch.finfo(self.dtype).eps / 2
        return u.add_(x).div_(128).sub_(1).clamp_(max=top)

    def _draw(self) -> dict[str, Rows]:
        """This rank's rows of the next batch, for x and for its sources or labels."""
        x = self._rows("order", len(self.data))
        unpaired = self.condition == "unpaired"
        return {"x": x, "source": self._rows("source", self.n_sources) if unpaired else x}

    def _numbered(self, index: Tensor) -> Rows:
        flips = torch.zeros(len(index), dtype=torch.bool, device=self.device)
        return Rows(index.cpu(), index.to(self.device), flips, *2 * [centres(len(index))])

    def _rows(self, order: str, length: int) -> Rows:
        if order not in self._orders:
            self._orders[order] = Order(length, self.seed, self.stream, order)
        n = self.batch_size // self.ranks
        rows = self._orders[order].rows(self.position + self.rank * n, n, self.device)
        return rows._replace(crops=centres(n)) if self._still else rows


def _check_share(batch_size: int, rank: int, ranks: int) -> None:
    if not 0 <= rank < ranks:
        raise ValueError(f"there is no rank {rank} of {ranks}")
    if batch_size % ranks:
        less, more = batch_size // ranks * ranks, -(-batch_size // ranks) * ranks
        raise UserError(
            f"A batch of {batch_size} images cannot be shared in {ranks} parts: "
            f"{f'{less} or {more}' if less else more} images can."
        )


def _drawn(loader: Loader) -> Iterator[Part]:
    """Which images and sources the batches of this loader hold, and the places of their crops."""
    while True:
        yield {name: (rows.here, rows.crops) for name, rows in loader._draw().items()}
        loader.position += loader.batch_size

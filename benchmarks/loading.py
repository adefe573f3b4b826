"""How many images a second the loader gives, of a file that is larger than memory.

The file is in the cache of the operating system, so that it is the program that is measured. Its
images are noise, which lies in it as all others do: contiguous.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import torch

from ganlib.common.data import DataSet, Loader, Shape, fit_spec
from ganlib.common.data.loader import readers
from ganlib.common.formats.hdf5 import Hdf5Images
from ganlib.common.formats.hdf5_writing import write_streams
from ganlib.common.formats.stream import Block, Stream, block_length
from ganlib.common.seeds import generator
from ganlib.training.device import devices

FILE_BYTES = 2**29
WINDOW = 1.0  # seconds, of which a rate is taken
WINDOWS = 20
BATCHES = 50  # of a warm-up, after all images


@dataclass(frozen=True)
class Load:
    """What is loaded: images (C, H, W) in batches, to be floats or bytes. target: images/s."""

    image: Shape
    batch_size: int
    target: float


LOADS = (Load((3, 128, 128), 64, 10_000), Load((3, 1024, 1024), 8, 500))
KINDS = ("floats", "bytes")
"""Ready batches on the CPU; or what is read, where a GPU would fetch it and do the rest."""


@dataclass(frozen=True)
class Rate:
    """Of one load. rate: images a second, the median of the windows; low, high: its quartiles;
    fastest: of the best window. readers: processes. core: seconds of a core that all processes took
    for an image, which others beside them change less. memory: MiB of all of them after the warm-up
    and at the end.
    """

    image: Shape
    batch_size: int
    kind: str
    target: float
    readers: int
    rate: float
    low: float
    high: float
    fastest: float
    core: float
    memory: tuple[float, float]


def measure(loads: tuple[Load, ...] = LOADS, windows: int = WINDOWS) -> Iterator[Rate]:
    """A Rate of every load as floats and as bytes, as they are done."""
    with TemporaryDirectory() as folder:
        for load in loads:
            images = _written(Path(folder) / "images.h5", load.image)
            for kind in KINDS:
                yield _measured(images, load, kind, windows)


def _written(path: Path, image: Shape) -> Hdf5Images:
    """A file of random images."""
    n = max(1, FILE_BYTES // prod(image))
    random = generator(0, "loading")

    def blocks() -> Iterator[Block]:
        for start in range(0, n, step := block_length(image)):
            shape = (min(step, n - start), *image)
            yield Block(torch.randint(256, shape, dtype=torch.uint8, generator=random))

    write_streams(path, Stream("noise", image, n, blocks()), storage="contiguous")
    return Hdf5Images(path, "train/images", (n, *image))


def _measured(images: Hdf5Images, load: Load, kind: str, windows: int) -> Rate:
    data, workers = DataSet("noise", images), readers(None, devices.cores())
    # on meta nothing is computed or kept
    device = torch.device("cpu" if kind == "floats" else "meta")
    spec = fit_spec(data, load.image[1:])
    loader = Loader(data, spec, load.batch_size, 0, device=device, workers=workers)
    while loader.position < len(images) + BATCHES * load.batch_size:
        next(loader)
    before, cores, position = _memory(), _core_seconds(), loader.position
    rates = [_window(loader, WINDOW) for _ in range(windows)]
    core = (_core_seconds() - cores) / (loader.position - position)
    memory = before, _memory()
    loader.close()
    low, rate, high = quantiles(rates, n=4)
    what = load.image, load.batch_size, kind, load.target
    return Rate(*what, workers, rate, low, high, max(rates), core, memory)


def _window(loader: Loader, seconds: float) -> float:
    """Images a second."""
    start, position = time.perf_counter(), loader.position
    while (taken := time.perf_counter() - start) < seconds:
        next(loader)
    return (loader.position - position) / taken


def _memory() -> float:
    """MiB of this process and its readers, what they share counted once."""
    texts = _read("smaps_rollup")
    lines = (line for text in texts for line in text.splitlines() if line.startswith("Pss:"))
    return sum(int(line.split()[1]) for line in lines) / 1024


def _core_seconds() -> float:
    """That this process and its readers took since they began."""
    fields = [text.rpartition(")")[2].split() for text in _read("stat")]
    ticks = sum(int(field[11]) + int(field[12]) for field in fields)  # user and system
    return ticks / os.sysconf("SC_CLK_TCK")


def _read(name: str) -> list[str]:
    """What the system says of this process and of each reader."""
    ids = ["self", *(str(child.pid) for child in multiprocessing.active_children())]
    return [Path("/proc", number, name).read_text() for number in ids]

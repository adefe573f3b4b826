"""MNIST: 70,000 grey 28x28 handwritten digits in 10 classes."""

from pathlib import Path

from torchvision.datasets import MNIST

from ganlib.common.data import DataSet
from ganlib.common.formats.torchvision import Origin, read
from ganlib.common.io.files import reading

RAW = "MNIST/raw"
FILES = (RAW, *(name.removesuffix(".gz") for name, _ in MNIST.resources))


class _Mnist(MNIST):  # type: ignore[misc]
    """torchvision's MNIST with its files in the folder itself, unless they are in MNIST/raw."""

    @property
    def raw_folder(self) -> str:
        return str(_raw_folder(Path(self.root)))


def load(root: Path, split: str, size: int | None) -> DataSet:
    """All digits of one split at 28x28."""
    names = tuple(name for name, _ in MNIST.resources)
    origin = Origin("mnist", MNIST.mirrors[0], names, _raw_folder(root))
    data = read(lambda: _Mnist(root, train=split == "train", download=True), origin)
    provenance = {"source": MNIST.mirrors[-1]}
    return DataSet(
        "mnist", data.data[:, None], data.targets, None, tuple(MNIST.classes), provenance
    )


def _raw_folder(root: Path) -> Path:
    """torchvision's own place for the files if it is there, else the folder."""
    old = root / RAW
    with reading(root):
        return old if old.is_dir() else root

"""Make common/datasets/bundled/fashion_mnist.h5 of the four files of Fashion-MNIST.

Run `python -m scripts.make_fashion_mnist [FOLDER]` at the top of the checkout. FOLDER has the four
gzip files as published; Debian's package dataset-fashion-mnist puts them into the default one.
"""

import gzip
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganlib.__main__ import in_a_sentence
from ganlib.common.data import DataSet
from ganlib.common.datasets.fashion_mnist import BUNDLED
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
SUMS = {  # SHA-256 of the unpacked files: Debian packed them anew
    "t10k-images-idx3": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "train-images-idx3": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PROVENANCE = {
    "source": "https://github.com/zalandoresearch/fashion-mnist",
    "licence": "MIT",
    "copyright": "2017 Zalando SE",
}


def make(folder: Path, out: Path) -> None:
    """Check the four files in `folder` and write `out`; the same bytes every time."""
    write_hdf5(out, _split(folder, "train"), _split(folder, "t10k"))


def _split(folder: Path, part: str) -> DataSet:
    images = _idx(folder, f"{part}-images-idx3").reshape(-1, 1, 28, 28)
    labels = _idx(folder, f"{part}-labels-idx1").long()
    return DataSet("fashion_mnist", images, labels, None, CLASSES, PROVENANCE)


def _idx(folder: Path, name: str) -> Tensor:
    """The values of a packed IDX file, flat uint8, if it is the published one."""
    file = folder / f"{name}-ubyte.gz"
    if not file.is_file():
        raise UserError(f"There is no {file}; apt-get install dataset-fashion-mnist brings it.")
    unpacked = bytearray(gzip.decompress(file.read_bytes()))
    if sha256(unpacked).hexdigest() != SUMS[name]:
        raise UserError(f"{file} does not hold what was published: its SHA-256 differs.")
    dimensions = unpacked[3]
    return torch.from_numpy(np.frombuffer(unpacked, np.uint8, offset=4 + 4 * dimensions))


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEBIAN
    in_a_sentence(lambda: make(folder, BUNDLED))

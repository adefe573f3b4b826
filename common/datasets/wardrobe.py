"""wardrobe: 60,000 made canvases of any size, 64x64 unless asked, on which coloured clothes lie."""

from functools import cache
from pathlib import Path

from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.datasets import fashion_mnist
from ganlib.common.formats.blocks import DEFAULT_SIZE
from ganlib.common.synthetic.canvas import Made, Wardrobe

LENGTH = {"train": 50_000, "test": 10_000}
LICENSE = f"The clothes are Fashion-MNIST's: {fashion_mnist.LICENSE}"


def load(root: Path, split: str, size: int | None) -> DataSet:
    """One split of canvases of the bundled clothes of that split, with the class and the number of
    what lies on each pixel as the source; root is not looked at.
    """
    return canvases("wardrobe", split, size or DEFAULT_SIZE)


def canvases(name: str, split: str, size: int, aspect: int = 1) -> DataSet:
    """The same, `size` high and `aspect` times as wide."""
    wardrobe, names = _wardrobe(split, aspect)
    n = LENGTH[split]
    return DataSet(
        name,
        Made(lambda number: wardrobe.image(size, number), n, 3, size, aspect * size),
        source=Made(lambda number: wardrobe.ids(size, number), n, 2, size, aspect * size),
        classes=("ground", *names),
        provenance={"source": "made: Fashion-MNIST's clothes in colour, on canvases"},
        source_kind="ids",
    )


@cache
def _wardrobe(split: str, aspect: int) -> tuple[Wardrobe, tuple[str, ...]]:
    """The clothes of a split, which are as good as read-only, and the names of their classes."""
    clothes = fashion_mnist.load(Path(), split, None)
    assert isinstance(clothes.x, Tensor) and clothes.y is not None
    seed = list(LENGTH).index(split)
    return Wardrobe(clothes.x[:, 0].numpy(), clothes.y.tolist(), seed, aspect), clothes.classes

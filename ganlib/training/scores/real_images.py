"""The real images that samples are compared with: what names them, and opening them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganlib.common.data import DataSet
from ganlib.common.data.in_memory import GIVEN
from ganlib.common.errors import UserError
from ganlib.common.formats.stream import NoSuchSplit
from ganlib.common.open_dataset import check_dataset, open_dataset

SPLITS = ("train", "test")


@dataclass(frozen=True)
class RealImages:
    """What names real images: those of `dataset`, in `data_root`, that `reference` ("train",
    "test", None for all that there are) chooses, or those of the folder or .h5 file that it names.

    They are brought to `size` if that is given, and of these the middle, `crop` pixels square, is
    taken, if that is. source: of translations to `dataset`, what they start from: of files that
    hold both, the images are a part. hold_out: the part of a folder without test images that is
    these. back: the data set's sources take the place of its images, as
    what the way back is compared with. given: training images in place of all this.
    """

    dataset: str | None = None
    data_root: Path | None = None
    size: int | None = None
    crop: int | None = None
    source: str | None = None
    reference: str | None = None
    back: bool = False
    hold_out: float = 0.0

    given: DataSet | None = None

    @property
    def name(self) -> str:
        """Of the data set, else of the folder or file; "" where nothing is said."""
        return GIVEN if self.given else self.dataset or self.reference or ""

    def completed(self, settings: Mapping[str, Any]) -> "RealImages":
        """With what is not said as a run has it, by its settings; where its data lie is that of its
        own data set alone.
        """
        own = settings if self.dataset is None else {}
        root = Path(own["data_root"]) if own.get("data_root") else None
        return replace(
            self,
            dataset=self.dataset or own.get("dataset"),
            data_root=self.data_root or root,
            size=settings.get("size") if self.size is None else self.size,
            crop=settings.get("crop") if self.crop is None else self.crop,
            source=self.source or settings.get("source"),
            hold_out=own.get("hold_out", 0.0),
        )

    def open(self) -> dict[str, DataSet]:
        """Real images by split, with their labels if there are some. See check_references().

        Those of a folder or file of `reference` that has no test split are called "reference": who
        knows that it is what was trained on gives it as `dataset`.
        """
        if self.given is not None:
            found = {"train": self.given}
        elif self.reference is not None and self.reference not in SPLITS:
            elsewhere = replace(self, dataset=self.reference, source=None, hold_out=0.0)
            found = _splits(elsewhere, SPLITS)
            return found if "test" in found else {"reference": found["train"]}
        else:
            found = _splits(self, SPLITS if self.reference is None else (self.reference,))
        if not self.back:
            return found
        # a test split may hold images alone
        return {name: data.turned() for name, data in found.items() if data.source is not None}


def check_references(real: RealImages) -> None:
    """UserError if it is not said what the real images are, or there is no such thing; nothing is
    downloaded or read.
    """
    if real.reference is not None and real.reference not in SPLITS:
        check_dataset(real.reference)
    elif real.given is not None:
        return
    elif real.dataset is None:
        raise UserError(
            "There is nothing to compare these images with: give --dataset NAME, or --reference "
            "with a folder or an .h5 file of real images."
        )
    elif real.dataset == GIVEN:
        raise UserError(
            "This run was trained on data given in Python: give --dataset, or --reference with a "
            "folder or an .h5 file of real images."
        )
    else:
        check_dataset(real.dataset)


def _splits(real: RealImages, names: Sequence[str]) -> dict[str, DataSet]:
    """Those of these splits that there are; UserError if the first one is not."""
    assert real.dataset is not None
    found = {}
    for name in names:
        how = (real.data_root, name, real.size, real.crop, real.source, real.hold_out)
        try:
            found[name] = open_dataset(real.dataset, *how)
        except NoSuchSplit:
            if name == names[0]:
                raise
    return found

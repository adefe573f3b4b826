"""The real images that samples are compared with: what names them, and opening them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ganlib.common.data import DataSet
from ganlib.common.data.in_memory import GIVEN
from ganlib.common.data.spec import SPLITS
from ganlib.common.errors import UserError
from ganlib.common.query import DataQuery


@dataclass(frozen=True)
class RealImages(DataQuery):
    """A query, and what of it: the split that `reference` names, None for all that there are, or in
    place of it the folder or .h5 file that it names.

    source: of translations to the data, what they start from: of files that hold both, the images
    are a part. back: sources take the place of images, as what the way back is compared with.
    opened: by query, shared by all that are made of one: no split is read twice.
    """

    reference: str | None = None
    back: bool = False
    opened: dict[DataQuery, DataSet] = field(default_factory=dict, compare=False, repr=False)

    def open(self) -> DataSet:
        """The data, which are opened once."""
        query = replace(self, reference=None)
        if query not in self.opened:
            self.opened[query] = super().open()
        return self.opened[query]

    @property
    def elsewhere(self) -> str | None:
        """The folder or file that it names."""
        return None if self.reference in SPLITS else self.reference

    @property
    def name(self) -> str:
        """Of the data set, else of the folder or file; "" where nothing is said."""
        return GIVEN if self.memory is not None else self.dataset or self.reference or ""

    def open_splits(self) -> dict[str, DataSet]:
        """Real images by split, with their labels if there are some. See check_references().

        Those of a folder or file of `reference` that has no test split are called "reference": who
        knows that it is what was trained on gives it as `dataset`.
        """
        if self.elsewhere is not None:
            here = DataQuery(self.elsewhere, self.data_root, size=self.size, crop=self.crop)
            found = _splits(here, SPLITS)
            return found if "test" in found else {"reference": found["train"]}
        found = _splits(self, SPLITS if self.reference is None else (self.reference,))
        if not self.back:
            return found
        # a test split may hold images alone
        return {name: data.turned() for name, data in found.items() if data.source is not None}


def check_references(real: RealImages) -> None:
    """UserError if it is not said what the real images are, or there is no such thing; nothing is
    downloaded or read.
    """
    if real.elsewhere is not None:
        DataQuery(real.elsewhere).find()
    elif real.memory is None:
        cure = "--reference with a folder or an .h5 file of real images."
        if real.dataset is None:
            raise UserError(
                f"There is nothing to compare these images with: give --dataset NAME, or {cure}"
            )
        if real.dataset == GIVEN:
            raise UserError(
                f"This run was trained on data given in Python: give --dataset, or {cure}"
            )
        DataQuery(real.dataset).find()


def _splits(query: DataQuery, names: Sequence[str]) -> dict[str, DataSet]:
    """Those of these splits that there are; UserError if the first one is not."""
    found = {names[0]: replace(query, split=names[0]).open()}
    others = {name: query.of_split(name) for name in names[1:]}
    return found | {name: data for name, data in others.items() if data is not None}

"""What a batch carries beside its images, and whether a data set has it."""

from typing import Literal, get_args

from ganlib.common.data.spec import DataSet
from ganlib.common.errors import UserError, did_you_mean

Condition = Literal["labels", "images", "unpaired", None]


def check_condition(data: DataSet, condition: Condition, flip: bool = False) -> None:
    """UserError if there is no such condition, or `data` have nothing for it, or cannot be flipped
    with it.
    """
    if condition not in get_args(Condition):
        near = did_you_mean(str(condition), map(str, get_args(Condition)))
        raise UserError(f"The condition of this algorithm cannot be {condition!r}.{near}")
    if condition == "labels":
        check_labels(data)
    if condition == "images" and data.source is None:
        raise UserError(
            f"This algorithm needs pairs of images and the data set '{data.name}' has none: "
            "say by --source what it starts from, as --source edges."
        )
    if condition == "unpaired" and data.source is None:
        raise UserError(
            "This algorithm needs two sets of images and the data set "
            f"'{data.name}' has one: give the other by --source unpaired:NAME."
        )
    check_lengths(data, condition)
    if flip and condition == "images" and not data.flips:
        raise UserError(
            f"--flip would mirror the pictures of '{data.name}' and not what is pushed where, so "
            "that they belong together no more: leave it out."
        )


def check_labels(data: DataSet) -> None:
    """UserError if there are none."""
    if data.y is None:
        shape = "x".join(map(str, data.shape))
        raise UserError(
            f"This algorithm needs labels and the data set '{data.name}' has none, only "
            f"{len(data):,} images of {shape}: give images in a subfolder for each class, an .h5 "
            "file with labels or, in Python, a pair (images, labels)."
        )


def check_lengths(data: DataSet, condition: Condition) -> None:
    """UserError if there are sources, but none for each image or none at all."""
    if data.source is None or condition not in ("images", "unpaired"):
        return
    if len(data.source) == 0:
        raise UserError(f"The data set '{data.name}' has no source images.")
    if condition == "images" and not data.paired:
        raise UserError(
            f"This algorithm needs pairs of images, and the data set '{data.name}' has "
            f"{len(data):,} images and {len(data.source):,} sources, which are no pairs."
        )

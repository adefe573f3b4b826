"""Batches on their way to a network: what a data set holds, and in which order it comes."""

from ganlib.common.data.condition import Condition
from ganlib.common.data.loader import Batch, Loader
from ganlib.common.data.spec import (
    POINTS,
    DataSet,
    DataSpec,
    Images,
    Mixture,
    Shape,
    Size,
    fit_spec,
)

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
    "Size",
    "fit_spec",
]

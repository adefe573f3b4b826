"""Batches on their way to a network: what a data set holds, and in which order it comes."""

from ganlib.common.data.condition import Condition as Condition
from ganlib.common.data.loader import Batch as Batch
from ganlib.common.data.loader import Loader as Loader
from ganlib.common.data.spec import POINTS as POINTS
from ganlib.common.data.spec import DataSet as DataSet
from ganlib.common.data.spec import DataSpec as DataSpec
from ganlib.common.data.spec import Images as Images
from ganlib.common.data.spec import Mixture as Mixture
from ganlib.common.data.spec import Shape as Shape
from ganlib.common.data.spec import Size as Size
from ganlib.common.data.spec import fit_spec as fit_spec

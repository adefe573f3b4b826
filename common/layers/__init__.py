"""Layers that several networks share."""

from ganlib.common.layers.basic import LEAK as LEAK
from ganlib.common.layers.basic import BatchNorm1d as BatchNorm1d
from ganlib.common.layers.basic import BatchNorm2d as BatchNorm2d
from ganlib.common.layers.basic import BiasBatchNorm1d as BiasBatchNorm1d
from ganlib.common.layers.basic import BiasBatchNorm2d as BiasBatchNorm2d
from ganlib.common.layers.basic import Factory as Factory
from ganlib.common.layers.basic import GaussianNoise as GaussianNoise
from ganlib.common.layers.basic import Maxout as Maxout
from ganlib.common.layers.basic import MinibatchDiscrimination as MinibatchDiscrimination
from ganlib.common.layers.basic import evaluating as evaluating
from ganlib.common.layers.basic import minibatch_similarity as minibatch_similarity

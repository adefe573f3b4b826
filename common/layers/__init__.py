"""Layers that several networks share."""

from ganlib.common.layers.basic import (
    LEAK,
    BatchNorm1d,
    BatchNorm2d,
    BiasBatchNorm1d,
    BiasBatchNorm2d,
    Factory,
    GaussianNoise,
    Maxout,
    MinibatchDiscrimination,
    evaluating,
    minibatch_similarity,
)

__all__ = [
    "LEAK",
    "BatchNorm1d",
    "BatchNorm2d",
    "BiasBatchNorm1d",
    "BiasBatchNorm2d",
    "Factory",
    "GaussianNoise",
    "Maxout",
    "MinibatchDiscrimination",
    "evaluating",
    "minibatch_similarity",
]

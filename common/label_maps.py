"""What networks are shown of a source: pictures as they are, maps of classes as planes."""

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError


def class_planes(ids: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """Ids (N, 2, H, W), of classes and instances, to (N, n_classes, H, W) of the dtype of `like`:
    1 in the plane of a pixel's class, 0 in the others, and in all of a class that has no plane.
    """
    numbers = torch.arange(n_classes, device=ids.device)[:, None, None]
    return (ids[:, :1] == numbers).to(like.dtype)


class Shown(nn.Module):
    """Of sources (N, C, H, W) of either kind, what convolutions can start from; `channels` of it.

    UserError for data without sources, and for maps whose classes nobody has counted.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        if spec.source is None:
            raise UserError("This algorithm translates images: give a --source.")
        if spec.source_kind == "ids" and not spec.n_classes:
            raise UserError("These maps have no names of classes, which say how many there are.")
        self.maps = spec.source_kind == "ids"
        self.channels = spec.n_classes if self.maps else spec.source[0]

    def forward(self, y: Tensor, like: Tensor) -> Tensor:
        """(N, channels, H, W), of maps in the dtype of `like`."""
        return class_planes(y, self.channels, like) if self.maps else y

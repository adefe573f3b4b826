"""What scores need of real images, computed once per machine and kept in the cache folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import torch
from torch import Tensor

from ganlib.common.data import Images
from ganlib.common.errors import UserError
from ganlib.common.seeds import generator
from ganlib.evaluation.cache import cache_file, cached
from ganlib.evaluation.extractors.base import Extractor
from ganlib.evaluation.formats import BLOCK, in_order
from ganlib.evaluation.protocol import Split, package_versions
from ganlib.evaluation.statistics.moments import Moments

KIND, VERSION = "references", 1  # of the cache's files
CACHED_BYTES = 2**29  # of features at most

Progress = Callable[[str, int, int | None], None]
"""What is going on, how many images are done, of how many if that is known."""


def silent(what: str, done: int, total: int | None) -> None:
    """A Progress that nobody sees."""


@dataclass(frozen=True)
class Reference:
    """Features of one split.

    digest: of the pixels. moments: of all n images. features: float32 (M, D) of images in a random
    order that depends on n alone (so that the first thousand of a folder sorted by class are no
    single class): all of them, or as many as CACHED_BYTES hold. which: int64 (M,), their numbers.
    """

    name: str
    digest: str
    moments: Moments
    features: Tensor
    which: Tensor

    @property
    def n(self) -> int:
        """How many images there are."""
        return self.moments.n

    @property
    def split(self) -> Split:
        """What protocols say of them."""
        return Split(self.name, self.n, self.digest)


def load_reference(
    name: str,
    images: Images,
    extractor: Extractor,
    progress: Progress = silent,
    digest: str | None = None,
) -> Reference:
    """From the cache if it is there and whole, else computed and written there. digest: of the
    pixels, if it is known.

    Two processes that ask for the same one at once compute it once.
    """
    digest = digest or pixel_digest(images, progress, f"reading {name}")
    facts = _facts(digest, extractor)
    tensors = cached(KIND, facts, lambda: _compute(name, images, extractor, progress))
    moments = Moments(extractor.n_features)
    moments.n, moments.total, moments.outer = len(images), tensors["total"], tensors["outer"]
    return Reference(name, digest, moments, tensors["features"], tensors["which"])


def is_stored(digest: str, extractor: Extractor) -> bool:
    """Whether the cache has the statistics of images with this digest of their pixels."""
    return cache_file(KIND, _facts(digest, extractor)).exists()


def _facts(digest: str, extractor: Extractor) -> Mapping[str, object]:
    return {
        "version": VERSION,
        "images": digest,
        "extractor": extractor.digest,
        "software": package_versions(extractor.packages),
        **extractor.describe(),
    }


def check_images(name: str, images: Images) -> None:
    """UserError for fewer than two, or others than uint8 (N, C, H, W)."""
    if len(images) < 2:
        raise UserError(f"The reference '{name}' has {len(images)} images: at least 2 are needed.")
    some = images[torch.arange(2)]
    if not isinstance(some, Tensor) or some.dtype != torch.uint8 or some.ndim != 4:
        raise UserError(
            f"The reference '{name}' must be a uint8 tensor (N, C, H, W) of values 0..255, and its "
            f"images are {some.dtype} {tuple(some.shape[1:])}: floats in [-1, 1] become uint8 by "
            "((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)."
        )


def pixel_digest(images: Images, progress: Progress = silent, what: str = "reading images") -> str:
    """SHA-256 of the shape and the pixels, hexadecimal; what: the name of the progress."""
    digest, done = sha256(repr(tuple(images.shape)).encode()), 0
    for x in in_order(images):
        digest.update(x.cpu().contiguous().numpy().data)
        done += len(x)
        progress(what, done, len(images))
    return digest.hexdigest()


def _compute(
    name: str, images: Images, extractor: Extractor, progress: Progress
) -> dict[str, Tensor]:
    n = len(images)
    cached_n = min(n, CACHED_BYTES // (4 * extractor.n_features))
    order = torch.randperm(n, generator=generator(0, "reference", n))
    place = order.argsort()  # image i is the place[i]-th
    moments = Moments(extractor.n_features, extractor.device)
    features = torch.empty(cached_n, extractor.n_features)
    progress(f"reference {name}", 0, n)
    for x, to in zip(in_order(images), torch.split(place, BLOCK), strict=True):
        pool = extractor(x).pool
        moments.update(pool)
        features[to[to < cached_n]] = pool.cpu()[to < cached_n]
        progress(f"reference {name}", moments.n, n)
    return {
        "total": moments.total.cpu(),
        "outer": moments.outer.cpu(),
        "features": features,
        "which": order[:cached_n].clone(),
    }

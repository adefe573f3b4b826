"""How long a FID takes: samples of a generator through Inception, to the distance."""

import time
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import torch
from torch import nn

from ganlib.common.seeds import generator
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Extractor, Options, Precision, make_extractor
from ganlib.evaluation.extractors.inception import Inception, local_weights, unloaded
from ganlib.evaluation.metrics.fid import distance_of
from ganlib.evaluation.metrics.formulas import square_root
from ganlib.evaluation.statistics.moments import Moments
from ganlib.speed.accelerate import set_float32
from ganlib.speed.bench import Work, assemble
from ganlib.training.device.devices import synchronize

N_REFERENCE = 4096  # real images: more than features, so that their covariance has full rank
N_WARM_UP = 512  # images


@dataclass(frozen=True)
class Fid:
    """seconds: for so many images. distance: of these for the distance alone, which is of moments.
    weights: of Inception, "published", or "random", which take as long.
    """

    seconds: float
    distance: float
    images: int
    precision: Precision
    channels_last: bool
    weights: str


def time_fid(
    work: Work, device: torch.device, options: Options, n: int, extractor: Extractor | None = None
) -> Fid:
    """Time n samples of the work's generator, whose weights are random, to their FID.

    The statistics of the real images, which are random too and no more than n, are there before
    the clock starts. extractor: in place of Inception.
    """
    weights = "given"
    if extractor is None:
        weights = "published" if local_weights(options.weights) else "random"
        make = random_inception if weights == "random" else partial(make_extractor, "inception")
        extractor = make(device, options)
    set_float32("tf32")  # how the library generates by default
    updater = assemble(work, device)
    random = generator(0, "real")
    shape = (min(N_REFERENCE, n), *work.image)
    real = torch.randint(256, shape, dtype=torch.uint8, generator=random)
    evaluator = Evaluator(extractor, {"train": real})
    reference = evaluator.reference("train")
    evaluator(updater.sample(min(N_WARM_UP, n), 0), ["fid"])
    synchronize(device)
    start = time.perf_counter()
    evaluator(updater.sample(n, 1), ["fid"])
    synchronize(device)
    seconds = time.perf_counter() - start
    moments = Moments(extractor.n_features, device)
    moments.merge(reference.moments)
    root = square_root(moments.covariance())
    synchronize(device)
    start = time.perf_counter()
    distance_of(moments, reference.moments, root)
    distance = time.perf_counter() - start
    return Fid(seconds, distance, n, options.precision, options.channels_last, weights)


def random_inception(device: torch.device, options: Options) -> Inception:
    """Inception with random weights: what it says of images means nothing."""
    torch.manual_seed(0)
    network = unloaded()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    digest = sha256(f"random weights by torch {torch.__version__}".encode()).hexdigest()
    return Inception(network, digest, device, options)

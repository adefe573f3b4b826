"""What is measured, and what other programs were measured at on the same workloads."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlib.common.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from torch import nn

    from ganlib.common.data import DataSet, DataSpec
    from ganlib.registry import Algorithm
    from ganlib.speed.bench import Work

SNGAN_QUICK = Path(__file__).parents[1] / "example_configs" / "sngan_quick.yaml"
CARD = "NVIDIA H100 80GB HBM3"
"""The GPU of every figure in this file, as PyTorch calls it."""
SOURCE = (
    f"one {CARD}, 2026-11-23, torch 2.11.0+cu130 (driver 580, cuDNN 9): median of iterations by "
    "CUDA events, ready batches on the device, no data loading counted"
)


@dataclass(frozen=True)
class Peer:
    """Another program on the same workload: milliseconds an iteration and TFLOP/s."""

    name: str
    ms: float
    tflops: float | None = None


@dataclass(frozen=True)
class Workload:
    """A row of the table.

    work: makes what is measured. target: milliseconds an iteration on CARD. quick: for a CPU as
    well. later: not in a card's first half hour.
    """

    name: str
    title: str
    work: "Callable[[str], Work]"
    peers: tuple[Peer, ...] = ()
    target: float | None = None
    quick: bool = False
    later: bool = False


def of(algorithm: str, **settings: Any) -> "Callable[[str], Work]":
    """A registered algorithm with these settings on colour images of 32 pixels."""

    def make(name: str) -> "Work":
        from ganlib.registry import algorithms
        from ganlib.speed.bench import Work

        found = algorithms[algorithm]
        return Work(name, found, found.config(**settings))

    return make


def wgan_gp_resnet(name: str) -> "Work":
    """The authors' ResNets, but a generator of 256 maps as in the peers, not the authors' 128."""
    work = of("wgan_gp", architecture="resnet", batch_size=64, n_dis=5)(name)
    return replace(work, algorithm=_with_wide_generator(work.algorithm))


def _with_wide_generator(algorithm: "Algorithm") -> "Algorithm":
    def build(config: Any, spec: "DataSpec") -> "dict[str, nn.Module]":
        from ganlib.common.networks.resnet import ResNetGenerator

        return {**algorithm.build(config, spec), "gen": ResNetGenerator(spec.image, [256] * 4)}

    return replace(algorithm, build=build)


def growing(side: int, batch: int) -> "Callable[[str], Work]":
    """Progressive growing's networks of the paper, where images of this side are trained alone."""

    def make(name: str) -> "Work":
        work = of("progressive", architecture="paper", gamma=1, batch_size=batch, stage_images=1)(
            name
        )
        return replace(work, image=(3, side, side))

    return make


def growing_quick(name: str) -> "Work":
    """The quick preset's networks at the size of Fashion-MNIST, once they are whole."""
    work = of("progressive", architecture="quick", gamma=1, batch_size=32, stage_images=1)(name)
    return replace(work, image=(1, 28, 28))


def pairs(batch: int) -> "Callable[[str], Work]":
    """pix2pix on pairs of 256 pixels, which are not jittered: the others count no data loading."""

    def make(name: str) -> "Work":
        work = of("pix2pix", batch_size=batch, jitter=0)(name)
        return replace(work, image=(3, 256, 256))

    return make


def pix2pixhd(name: str) -> "Work":
    """The global generator on noise of 1024x512 pixels, with maps of 35 classes."""
    work = of("pix2pixhd", architecture="global")(name)
    return replace(work, algorithm=replace(work.algorithm, example=_streets), image=(3, 512, 1024))


def _streets(channels: int, height: int) -> "DataSet":
    """Noise twice as wide as high, of 35 classes in every picture."""
    import torch

    from ganlib.common.data import DataSet

    random = torch.Generator().manual_seed(0)
    shape = (2, channels, height, 2 * height)
    x = torch.randint(256, shape, dtype=torch.uint8, generator=random)
    ids = torch.randint(35, (2, 2, *shape[2:]), dtype=torch.int32, generator=random)
    return DataSet("noise", x, source=ids, classes=tuple(map(str, range(35))), source_kind="ids")


def quickstart(name: str) -> "Work":
    """example_configs/sngan_quick.yaml, the quickstart of before, at the size of Fashion-MNIST."""
    from ganlib.registry import algorithms
    from ganlib.runs.settings import read_yaml, resolve
    from ganlib.speed.bench import Work

    settings = resolve(read_yaml(SNGAN_QUICK))
    algorithm = algorithms[settings.run.algorithm]
    return Work(name, algorithm, settings.algorithm, (1, 28, 28))


WORKLOADS = (
    Workload(
        "sngan_resnet",
        "SNGAN ResNet 32x32, batch 64, n_dis 5",
        of("sngan", architecture="resnet", loss="hinge", batch_size=64, n_dis=5),
        (
            Peer("StudioGAN, unconditional", 111.2, 25.5),
            Peer("gan-collections (G batch 128)", 112.6, 32.1),
            Peer("mimicry", 257.2, 11.1),
        ),
        10,
    ),
    Workload(
        "wgan_gp_resnet",
        "WGAN-GP ResNet 32x32, batch 64, n_dis 5",
        wgan_gp_resnet,
        (
            Peer("gan-collections (G batch 128)", 99.0, 46.4),
            Peer("StudioGAN", 140.6, 27.6),
            Peer("mimicry", 276.3, 14.2),
        ),
        16,
    ),
    Workload(
        "wgan_gp_cnn",
        "WGAN-GP CNN (DCGAN nets) 32x32, batch 64, n_dis 5",
        of("wgan_gp", architecture="dcgan", batch_size=64, n_dis=5),
        (Peer("gan-collections", 67.8, 28.2),),
        9,
    ),
    Workload(
        "biggan_cifar",
        "BigGAN CIFAR ch64, batch 50, n_dis 4",
        of("biggan", architecture="cifar10", batch_size=50, n_dis=4),
        (Peer("ajbrock", 86.1, 46.3),),
        14,
    ),
    Workload(
        "pggan_4",
        "PGGAN 4x4, batch 16",
        growing(4, 16),
        (Peer("pytorch_GAN_zoo", 12.9, 2),),
        later=True,
    ),
    Workload(
        "pggan_32",
        "PGGAN 32x32, batch 16",
        growing(32, 16),
        (Peer("pytorch_GAN_zoo", 40.0, 97),),
        10,
        later=True,
    ),
    Workload(
        "pggan_128",
        "PGGAN 128x128, batch 16",
        growing(128, 16),
        (Peer("pytorch_GAN_zoo", 146.8, 87),),
        40,
    ),
    Workload(
        "pggan_256",
        "PGGAN 256x256, batch 16",
        growing(256, 16),
        (Peer("pytorch_GAN_zoo", 319.9, 53),),
        later=True,
    ),
    Workload(
        "pggan_1024",
        "PGGAN 1024x1024, batch 8",
        growing(1024, 8),
        (Peer("pytorch_GAN_zoo", 1763.7, 7),),
        250,
        later=True,
    ),
    Workload(
        "pix2pix_1",
        "pix2pix 256x256, batch 1",
        pairs(1),
        (Peer("junyanz", 12.5, 7),),
        3,
        later=True,
    ),
    Workload(
        "pix2pix_16",
        "pix2pix 256x256, batch 16",
        pairs(16),
        (Peer("junyanz", 22.2, 63),),
        8,
    ),
    Workload(
        "pix2pixhd",
        "pix2pixHD 1024x512, batch 1, no VGG",
        pix2pixhd,
        (Peer("NVIDIA (69 GB)", 51.9, 68),),
        18,
    ),
    Workload(
        "quickstart",
        "quickstart (small SNGAN), 1x28x28, batch 32",
        quickstart,
        quick=True,
    ),
    Workload(
        "pggan_quick",
        "progressive growing (quick networks), 1x28x28, batch 32",
        growing_quick,
        quick=True,
        later=True,
    ),
)
FID_TITLE = "FID of 50,000 generated 32x32 images, generation included, cached statistics"
FID_PEER = "Inception alone, eager fp32"
FID_PEER_SECONDS = 22.0  # "about"
FID_TARGET_SECONDS = 8.0
FID_NAME = "fid"
LOADING_NAME = "loading"
PEERS_NAME = "peers"


def choose(names: tuple[str, ...]) -> list[Workload]:
    """The workloads with these names; UserError for one that is not there."""
    known = {work.name: work for work in WORKLOADS}
    for name in names:
        if name not in known:
            raise UserError(f"There is no workload '{name}'.{did_you_mean(name, known)}")
    return [known[name] for name in names]

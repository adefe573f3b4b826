"""A small network that tells the class of every pixel, trained on real images and their maps.

It is trained once for a data set, always in the same way, and kept in the cache folder: what it
finds in generated images is compared with the maps that these were made of, as FCN's score and
pix2pixHD's do with networks of their own (Isola et al. 2017, section 4.1; Wang et al. 2018, section
4.1).
"""

from dataclasses import dataclass
from math import isnan
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.seeds import generator, mix
from ganlib.evaluation.cache import cached, digest_of
from ganlib.evaluation.extractors.small import Layer, conv_layer
from ganlib.evaluation.protocol import Instrument, Plain, package_versions
from ganlib.evaluation.statistics.references import Progress, silent

VERSION = 1  # of the cache's files
BATCH, STEPS, RATE, DECAY, SEED = 16, 800, 4e-3, 1e-2, 0
WIDTHS = (16, 32, 64, 64)
"""Channels at the whole size, a half, a quarter and an eighth."""
NETWORK = "U-Net of 3x3, 16-32-64-64, BN, ReLU"
OPTIMIZER = f"AdamW {RATE:g}, decay {DECAY:g}, one cycle, {STEPS} batches of {BATCH}, seed {SEED}"
PARTS = 8
"""Sides are multiples of it inside; what is missing is repeated from the border."""
AT_ONCE = 64
NONE = -1
"""Stands for a class that has no name, which is neither learned nor scored."""

SCORES = ("pixel_accuracy", "mean_iou")
"""What a Confusion gives, by name."""


class SegmentingNet(nn.Module):
    """uint8 images (N, C, H, W) of any size to logits (N, K, H, W)."""

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        before = (channels, *WIDTHS)
        self.down = nn.ModuleList(
            nn.Sequential(_conv(n_in, n_out, 2 if k else 1), _conv(n_out, n_out))
            for k, (n_in, n_out) in enumerate(zip(before, WIDTHS, strict=False))
        )
        pairs = list(zip(WIDTHS[1:], WIDTHS, strict=False))
        self.up = nn.ModuleList(_conv(deep + n, n) for deep, n in reversed(pairs))
        self.last = nn.Conv2d(WIDTHS[0], n_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        more = (0, -width % PARTS, 0, -height % PARTS)
        h = F.pad(x.float() / 127.5 - 1, more, mode="replicate")
        kept = []
        for down in self.down:
            h = down(h)
            kept.append(h)
        kept.pop()
        for up in self.up:
            wide = F.interpolate(h, scale_factor=2.0, mode="nearest")
            h = up(torch.cat([wide, kept.pop()], 1))
        logits: Tensor = self.last(h)
        return logits[..., :height, :width]


def _conv(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*conv_layer(n_in, Layer(n_out, 3, stride)))


@dataclass(frozen=True)
class Segmenter:
    """A trained network for classes of these names; digest: of its weights."""

    network: SegmentingNet
    classes: tuple[str, ...]
    digest: str

    @property
    def instrument(self) -> Instrument:
        """What protocols say of it."""
        settings: dict[str, Plain] = {"network": NETWORK, "training": OPTIMIZER}
        settings["classes"] = len(self.classes)
        return Instrument("segmenter", extractor_digest=self.digest, settings=settings)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """uint8 images (N, C, H, W) to classes, int64 (N, H, W), on the network's device."""
        device = next(self.network.parameters()).device
        parts = [self.network(rows.to(device)).argmax(1) for rows in torch.split(x, AT_ONCE)]
        return torch.cat(parts)


def check_maps(data: DataSet, option: str = "--segmentation") -> None:
    """UserError for data without maps of named classes as large as the images, for which `option`
    asks.
    """
    source = data.source
    if source is None or data.source_kind != "ids" or not data.classes:
        raise UserError(
            "Pixels can be told apart where there are maps of named classes, and these data have "
            f"none: leave {option} out."
        )
    if source.shape[2:] != data.x.shape[2:]:
        raise UserError(
            "Maps must be as large as their images to tell pixels apart by them: leave "
            f"{option} out."
        )


def load_segmenter(
    data: DataSet, device: torch.device | str = "cpu", progress: Progress = silent
) -> Segmenter:
    """From the cache if it is there, else trained on images of `data` and kept. UserError as of
    check_maps().
    """
    check_maps(data)
    which = torch.randperm(len(data), generator=generator(SEED, "segmenter"))[: STEPS * BATCH]
    n_classes = len(data.classes)
    network = SegmentingNet(data.shape[0], n_classes)
    x, maps = _read(data, which, progress)
    facts = {
        "version": VERSION,
        "data": digest_of({"images": x, "maps": maps}),
        "classes": n_classes,
        "network": NETWORK,
        "optimizer": OPTIMIZER,
        "software": package_versions(["torch"]),
    }
    weights = cached("segmenters", facts, lambda: trained(x, maps, n_classes, device, progress))
    network.load_state_dict(weights)
    return Segmenter(network.to(device).eval(), data.classes, digest_of(weights))


def trained(
    x: Tensor,
    maps: Tensor,
    n_classes: int,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
    steps: int = STEPS,
    seed: int = SEED,
) -> dict[str, Tensor]:
    """The weights after `steps` over uint8 images (N, C, H, W) and their maps (N, H, W), batch by
    batch in their order and from the start again: the same for the same arguments, whatever else
    draws random numbers. seed: of the weights at the start.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(mix(seed, "segmenter"))
        network = SegmentingNet(x.shape[1], n_classes).to(device)
        optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for step in range(steps):
            rows = torch.arange(step * BATCH, (step + 1) * BATCH) % len(x)
            truth = named(maps[rows].to(device), n_classes)
            loss = F.cross_entropy(network(x[rows].to(device)), truth, ignore_index=NONE)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            progress("segmenter", step + 1, steps)
    return {name: t.cpu().contiguous() for name, t in network.state_dict().items()}


def named(maps: Tensor, n_classes: int) -> Tensor:
    """Numbers of classes as int64, NONE in place of those that have no name."""
    return torch.where((maps >= 0) & (maps < n_classes), maps.long(), NONE)


class Confusion:
    """Counts (K, K) of pixels, by the class that they are of and the one that a segmenter finds."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter, k = segmenter, len(segmenter.classes)
        self.counts = torch.zeros(k, k, dtype=torch.int64)
        self.n = 0

    def add(self, x: Tensor, maps: Tensor) -> None:
        """Take in uint8 images (n, C, H, W) and the numbers of their classes (n, H, W)."""
        found, k = self.segmenter(x).cpu(), len(self.segmenter.classes)
        truth = named(maps.cpu(), k)
        pairs = (truth * k + found)[truth >= 0]
        self.counts += torch.bincount(pairs, minlength=k * k).reshape(k, k)
        self.n += len(x)

    def finish(self, world: int, device: torch.device) -> None:
        """Bring together what all ranks took in."""
        if world == 1:
            return
        sums = torch.cat([self.counts.flatten(), torch.tensor([self.n])]).to(device)
        dist.all_reduce(sums)
        *counts, self.n = sums.cpu().tolist()
        self.counts = torch.tensor(counts).reshape(self.counts.shape)

    @property
    def pixel_accuracy(self) -> float:
        """The part of the pixels that are taken for what they are."""
        return float(self.counts.diagonal().sum() / self.counts.sum())

    @property
    def iou(self) -> Tensor:
        """Of each class (K,), the pixels that are of it and are taken for it, as a part of those
        that are either; NaN of a class that has none.
        """
        both = self.counts.diagonal().double()
        return both / (self.counts.sum(0) + self.counts.sum(1) - both)

    @property
    def mean_iou(self) -> float:
        """The mean over the classes that have pixels of either kind. The FCN score of pix2pix's
        script (Isola et al. 2017, section 4.1) counts the others as 0.
        """
        return float(self.iou.nanmean())

    def scores(self) -> dict[str, float]:
        """Both, by name; none where no pixel is of a class that has a name."""
        if not self.counts.any():
            return {}
        return dict(zip(SCORES, (self.pixel_accuracy, self.mean_iou), strict=True))

    def by_class(self) -> dict[str, dict[str, Any]]:
        """What to keep beside a score for each class that has one: its IoU, and the number of
        pixels that are of it.
        """
        names, values, pixels = self.segmenter.classes, self.iou.tolist(), self.counts.sum(1)
        rows = zip(names, values, pixels.tolist(), strict=True)
        return {name: {"value": value, "n": n} for name, value, n in rows if not isnan(value)}


def _read(data: DataSet, which: Tensor, progress: Progress) -> tuple[Tensor, Tensor]:
    """These images, uint8 (n, C, H, W), and the numbers of their classes, int16 (n, H, W) because
    maps of int32 would be larger than photographs; int32 where there are too many classes.
    """
    source, n_classes = data.source, len(data.classes)
    assert source is not None
    kind = torch.int16 if n_classes < 1 << 15 else torch.int32
    x = torch.empty(len(which), *data.x.shape[1:], dtype=torch.uint8)
    maps = torch.empty(len(which), *data.x.shape[2:], dtype=kind)
    for start in range(0, len(which), AT_ONCE):
        rows, part = which[start : start + AT_ONCE], slice(start, start + AT_ONCE)
        x[part], maps[part] = data.x[rows], named(source[rows][:, 0], n_classes)
        progress("images for the segmenter", min(start + AT_ONCE, len(which)), len(which))
    return x, maps

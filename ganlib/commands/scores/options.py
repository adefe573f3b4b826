"""What the command line asks `ganlib evaluate` for."""

import math
from dataclasses import dataclass
from pathlib import Path

from ganlib.commands.options.shared import check_file
from ganlib.commands.scores.targets import Drawing, Weights
from ganlib.common.errors import UserError
from ganlib.evaluation.extractors.base import Options, Precision
from ganlib.evaluation.formats.blocks import Range
from ganlib.training.scores.real_images import RealImages


@dataclass(frozen=True)
class Asked:
    """The options of the command line."""

    metrics: str | None
    cas: bool
    intra_images: int | None
    reference: str | None
    dataset: str | None
    size: int | None
    crop: int | None
    n: int
    best: bool
    seed: int
    truncation: float | None
    statistics: str | None
    batch_size: int
    range: str | None
    extractor: str | None
    inception_weights: Path | None
    precision: Precision
    channels_last: bool
    out: Path | None
    force: bool
    duplicates_picture: Path | None
    lpips_weights: Path | None
    segmentation: bool
    segmentation_picture: Path | None
    source: str | None
    data_root: Path | None
    gpu: int | None
    device: str | None
    plugin_dir: tuple[Path, ...]
    weights: Weights | None
    no_save: bool
    back: bool

    @property
    def segmenting(self) -> str | None:
        """The option that asks for a segmenter, None where none does."""
        if self.segmentation:
            return "--segmentation"
        return None if self.segmentation_picture is None else "--segmentation-picture"

    @property
    def features(self) -> bool:
        """Whether an option asks for scores that need an extractor or its real images."""
        options = (
            self.metrics,
            self.extractor,
            self.inception_weights,
            self.reference,
            self.duplicates_picture,
            self.lpips_weights,
            self.intra_images,
            self.segmenting,
        )
        switches = self.cas, self.channels_last, self.precision != "float32"
        return any(switches) or any(option is not None for option in options)

    @property
    def real(self) -> RealImages:
        """What it names of the real images."""
        return RealImages(
            self.dataset,
            self.data_root,
            self.size,
            self.crop,
            self.source,
            self.reference,
            self.back,
        )

    @property
    def drawing(self) -> Drawing:
        """How samples are drawn."""
        return Drawing(
            self.n, self.seed, self.batch_size, self.truncation, self.statistics, self.weights
        )

    @property
    def options(self) -> Options:
        """Of the extractor."""
        return Options(self.inception_weights, self.precision, self.channels_last)

    @property
    def value_range(self) -> Range | None:
        """Black and white in an array of floats."""
        if self.range is None:
            return None
        black, white = map(float, self.range.split(","))
        return black, white

    @property
    def files(self) -> list[tuple[str, Path, str]]:
        """What is to be written: by which option, where, and how its name ends."""
        named = (
            ("--out", self.out, ".json"),
            ("--duplicates-picture", self.duplicates_picture, ".png"),
            ("--segmentation-picture", self.segmentation_picture, ".png"),
        )
        return [(option, path, suffix) for option, path, suffix in named if path is not None]


def check(asked: Asked) -> None:
    """Refuse what is wrong on its own, before anything is loaded."""
    if asked.n < 2:
        raise UserError(f"-n is {asked.n}, but no score is made of less than 2 images.")
    if asked.batch_size < 1:
        raise UserError(f"--batch-size is {asked.batch_size}; give at least 1.")
    if asked.truncation is not None and not 0 < asked.truncation < math.inf:
        raise UserError(f"--truncation is {asked.truncation:g}; give a number above 0.")
    if asked.dataset is not None and asked.reference not in (None, "train", "test"):
        raise UserError("Give --dataset or the path of a --reference, not both.")
    for option, path, suffix in asked.files:
        check_file(path, (suffix,), f"the name of a {suffix} file", asked.force, option)

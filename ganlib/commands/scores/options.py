"""The options of `ganlib evaluate`, by what they are for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlib.commands.options.fields import dashed
from ganlib.commands.options.shared import check_file, chosen, part
from ganlib.common.errors import UserError
from ganlib.evaluation.formats import Range
from ganlib.training.device.devices import pick_device
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import Criteria

SEGMENTING = ("segmentation", "segmentation_picture")
"""The flags that ask for a segmenter."""


@dataclass(frozen=True)
class Outputs:
    """What is written: scores, pictures, and unless there is no_save a line in the run's folder."""

    out: Path | None = None
    duplicates_picture: Path | None = None
    segmentation_picture: Path | None = None
    no_save: bool = False

    @property
    def files(self) -> dict[str, Path]:
        """Those that are named, by the options that name them."""
        named = {f"--{dashed(name)}": path for name, path in vars(self).items()}
        return {option: path for option, path in named.items() if isinstance(path, Path)}


@dataclass(frozen=True)
class Options:
    """Which samples are scored, by what, against which images, and what is written. at: which
    snapshot of a run's folder; ema_length: see load(). value_range: of an array of floats. device:
    as PyTorch calls it.
    """

    drawing: Drawing
    criteria: Criteria
    real: RealImages
    outputs: Outputs
    at: str
    ema_length: float | None
    value_range: Range | None
    device: str


def options_of(force: bool, **flags: Any) -> Options:
    """Those of the command line, by their names: a part takes what is called as a field of it.
    UserError for what is wrong on its own.
    """
    if flags["dataset"] is not None and flags["reference"] not in (None, "train", "test"):
        raise UserError("Give --dataset or the path of a --reference, not both.")
    if flags["metrics"] is not None:
        flags["metrics"] = tuple(name.strip() for name in flags["metrics"].split(","))
    asking = [f"--{dashed(name)}" for name in SEGMENTING if flags[name]]
    flags["segmentation"] = asking[0] if asking else None
    more = {"duplicates": flags["duplicates_picture"], "cas": flags["cas"]}
    flags["more"] = tuple(name for name, wanted in more.items() if wanted)
    outputs = part(Outputs, flags)
    for option, path in outputs.files.items():
        suffix = ".json" if option == "--out" else ".png"
        check_file(path, (suffix,), f"the name of a {suffix} file", force, option)
    black_and_white = flags["range"] and tuple(map(float, flags["range"].split(",")))
    return Options(
        part(Drawing, flags),
        part(Criteria, flags),
        part(RealImages, flags),
        outputs,
        chosen(flags["at"], flags["best"]),
        flags["ema_length"],
        black_and_white,
        str(pick_device(flags["gpu"], flags["device"])),
    )

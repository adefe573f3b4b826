# Written by scripts/write_signature.py from the settings in ganlib/config.py.
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ganlib.common.data import DataSet
from ganlib.runs.state import State
from ganlib.runs.sweeps import Sweep
from ganlib.sampling.model import Model
from ganlib.training.trainer import Extension, Trainer, Trigger

Images = Tensor | NDArray[Any]
Hook = Extension | Callable[[Trainer], object] | tuple[Callable[[Trainer], object], Trigger]

def train(
    algorithm: str = ...,
    *,
    preset: str | None = ...,
    dataset: str | Path | Images | tuple[Images, Any] | Dataset[Any] | DataSet = ...,
    source: str | None = ...,
    hold_out: float = ...,
    subset: int | None = ...,
    data_root: str | Path | None = ...,
    size: int | None = ...,
    crop: int | None = ...,
    flip: bool = ...,
    seed: int = ...,
    out: str | Path | None = ...,
    force: bool = ...,
    gpu: int | None = ...,
    device: str | None = ...,
    deterministic: bool = ...,
    precision: Literal["auto", "fp32", "tf32", "bf16"] = ...,
    graph: bool | None = ...,
    compile: bool | None = ...,
    accumulate: int = ...,
    workers: int | None = ...,
    checkpoint_blocks: bool = ...,
    sync_bn: bool = ...,
    init_from: str | Path | None = ...,
    freeze_d: int = ...,
    resume: str | None = ...,
    epochs: float | None = ...,
    max_images: int | None = ...,
    max_hours: float | None = ...,
    display_interval: int = ...,
    sample_interval: int = ...,
    snapshot_interval: int = ...,
    evaluation_interval: int = ...,
    evaluation_images: int = ...,
    evaluation_reference: Literal["train", "test"] | None = ...,
    evaluation_precision: Literal["float32", "tf32", "bf16"] = ...,
    evaluation_channels_last: bool = ...,
    evaluation_rounding: bool = ...,
    metrics: str | None = ...,
    segmentation: bool = ...,
    extractor: str | None = ...,
    extractor_weights: str | Path | None = ...,
    ema_every: int = ...,
    keep_snapshots: int | str = ...,
    best_by: str | None = ...,
    doctor: bool = ...,
    stop_on: str | Sequence[str] = ...,
    on_collapse: Literal["continue", "rollback"] = ...,
    tensorboard: bool = ...,
    tracker: str | Sequence[str] = ...,
    extension: str | Sequence[str] = ...,
    plugin_dir: str | Path | Sequence[str | Path] = ...,
    architecture: str = ...,
    width: float = ...,
    batch_size: int = ...,
    max_iter: int = ...,
    adam_alpha: float = ...,
    adam_beta1: float = ...,
    adam_beta2: float = ...,
    lr_decay: Literal["none", "linear"] = ...,
    lr_decay_start: float = ...,
    ema_decay: float = ...,
    dequantize: bool = ...,
    jitter: int = ...,
    diffaugment: str | Sequence[str] = ...,
    ada: str | Sequence[str] = ...,
    ada_p: float = ...,
    ada_target: float = ...,
    ada_images: int = ...,
    lecam: float = ...,
    statistics: str = ...,
    config: str | Path | Mapping[str, Any] = ...,
    extensions: Sequence[Hook] = ...,
    **recipe: Any,
) -> Model: ...
def train_grid(
    algorithm: str | Sequence[str],
    *,
    seeds: str | int | Sequence[int] | None = ...,
    sweep: Sweep = ...,
    trials: int | None = ...,
    jobs: str | int | None = ...,
    launcher: str | None = ...,
    out: str | Path | None = ...,
    **settings: Any,
) -> dict[Path, State]: ...

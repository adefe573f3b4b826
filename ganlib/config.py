"""The names, types, ranges and defaults of settings: a run's, and those of every algorithm."""

import re
from collections.abc import Collection, Mapping
from inspect import get_annotations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from ganlib.common.io.files import nameable
from ganlib.common.sources.parse import source_help

if TYPE_CHECKING:
    from ganlib.common.data import Condition
    from ganlib.common.query import DataQuery


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number")
    return value


def _countable(value: int) -> int:
    if value >= 2**63:
        raise ValueError("should be less than 2^63")
    return value


def _split(value: Any) -> Any:
    """Text with commas, or a list of such, as one list of names."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        return value
    return [name.strip() for part in parts for name in part.split(",") if name.strip()]


def _several(value: Any) -> Any:
    """One word or path as a list of it."""
    return [value] if isinstance(value, str | Path) else value


def _part_or_count(value: float) -> float:
    if value > 1 and value % 1:
        raise ValueError("should be a part below 1, or a whole number")
    return value


def _number_or_best(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\d+|best:[1-9]\d{0,5}", value):
        raise ValueError("should be a number, or best:N")
    return value


def _local(path: Path) -> Path:
    if re.match(r"\w{2,}:/", str(path)):
        raise ValueError("should be a folder of this machine: copy it from or to such an address")
    return path


def sampling_statistics(value: str) -> str:
    """The value itself; ValueError for what is no way to normalise samples."""
    if not re.fullmatch(r"running|batch|standing:[1-9][0-9]{0,5}", value):
        raise ValueError("should be running, batch, or standing:N for N batches")
    return value


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1), AfterValidator(_countable)]
Interval = Annotated[int, BeforeValidator(_no_bool), Field(ge=0), AfterValidator(_countable)]
Positive = Annotated[float, BeforeValidator(_no_bool), Field(gt=0)]
NonNegative = Annotated[float, BeforeValidator(_no_bool), Field(ge=0)]
Rate = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, lt=1)]
Statistics = Annotated[str, AfterValidator(sampling_statistics)]
Trackers = Annotated[
    tuple[Literal["tensorboard", "wandb", "mlflow", "trackio"], ...], BeforeValidator(_split)
]
Kept = Annotated[Count | Annotated[str, Field(pattern="^best:")], BeforeValidator(_number_or_best)]
Probability = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)]
Policy = Literal["color", "translation", "cutout"]
Policies = Annotated[tuple[Policy, ...], BeforeValidator(_split)]
Groups = Annotated[
    tuple[Literal["blit", "geometry", "color", "filter", "noise", "cutout"], ...],
    BeforeValidator(_split),
]


class _Strict(BaseModel):
    """A field that a subclass writes again, for another default, keeps the words below it; and its
    type, where the new one is no more than int, float or str.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        before = [base for base in cls.__mro__[1:] if issubclass(base, _Strict)]
        inherits = False
        for name in get_annotations(cls):
            home = next((base for base in before if name in base.model_fields), None)
            if home is None or name not in cls.model_fields:
                continue
            field, old = cls.model_fields[name], home.model_fields[name]
            field.description = field.description or old.description
            if field.annotation in (int, float, str) and not field.metadata:
                field.annotation, field.metadata = old.annotation, old.metadata
                inherits = True
                if not field.is_required():
                    _check_default(name, field, home.__name__)
        if inherits:
            cls.model_rebuild(force=True)

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_written(cls, value: Any) -> Any:
        """Itself; ValueError for text that no name of a file can be."""
        if isinstance(value, str | Path) and not nameable(value):
            raise ValueError("should be plain text")
        return value


def _check_default(name: str, field: FieldInfo, home: str) -> None:
    try:
        default = field.get_default(call_default_factory=True)
        TypeAdapter(field.rebuild_annotation()).validate_python(default)
    except ValidationError:
        raise TypeError(
            f"{name} is {default!r}, which its type here and in {home} does not take: give "
            "it a type of config.py's, or a Literal."
        ) from None


class AlgorithmConfig(_Strict):
    """An algorithm's recipe. Subclasses add fields and change defaults; these are common to all."""

    condition: "ClassVar[Condition]" = None
    """What the batches carry in y, and what gen and dis are told: see common/data/loader.py."""
    sides: ClassVar[Mapping[str, int | None]] = {}
    """Architectures that are made for square images of so many pixels; None: that take any."""
    multiple: ClassVar[int] = 8
    """Of what the sides of images are multiples, for the other architectures."""
    learns_in_bf16: ClassVar[Collection[str]] = ()
    """Architectures of which three runs with bfloat16 ended as well as three without: see
    docs/speed.md."""
    architecture: str = ""
    """Which networks."""
    width: Positive = 1.0
    """Factor on the channels of all networks."""
    batch_size: Count = 64
    """Images in a batch (of all GPUs together)."""
    max_iter: Count = 100_000
    """Iterations to train for; one is one generator update and its discriminator updates."""
    adam_alpha: Positive = 2e-4
    """Adam's learning rate."""
    adam_beta1: Rate = 0.0
    """Adam's decay of the first moment."""
    adam_beta2: Rate = 0.9
    """Adam's decay of the second moment."""
    lr_decay: Literal["none", "linear"] = "none"
    """linear: the learning rate falls to 0 at max_iter."""
    lr_decay_start: Rate = 0.0
    """The part of max_iter after which linear begins to fall."""
    ema_decay: Rate = 0.0
    """Decay of the averaged generator that sampling prefers; 0 keeps none. Ramps up from 0.18: at
    most (1 + k) / (10 + k) in iteration k, which counts from 1."""
    dequantize: bool = False
    """Spread the 256 levels of the data: x / 128 - 1 + U(0, 1/128)."""
    jitter: Interval = 0
    """Resize training images to this many pixels more in height and in width, and cut their size
    out of them at a random place."""
    diffaugment: Policies = ()
    """Augment what the discriminator sees, real and fake: some of color,translation,cutout."""
    ada: Groups = ()
    """Augment by the operations of ADA, and not by a method's default diffaugment: some of
    blit,geometry,color,filter,noise,cutout, of which the paper takes the first three."""
    ada_p: Probability = 0.2
    """How often each operation of ada happens to an image where no ada_target adapts it."""
    ada_target: Rate = 0.0
    """Adapt how often each operation of ada or diffaugment (without either, of all of diffaugment)
    happens to an image, from never at the start, so that the mean sign of D's logits of real images
    is this; 0.6 is the paper's (Karras et al. 2020). 0: not. D needs a zero between real and fake.
    """
    ada_images: Count = 500_000
    """Real images in which the probability that ada_target adapts may come from 0 to 1."""
    lecam: NonNegative = 0.0
    """Weight of LeCam's regulariser (Tseng et al. 2021), which keeps D's logits of real and
    generated images close; 0.3 there for CIFAR-10. For algorithms whose D is logistic or hinge."""
    statistics: Statistics = "running"
    """By which means and variances batch normalisation normalises samples: running (training's
    averages), standing:N (of N batches of fresh latents) or batch (of the samples' own, in groups
    of batch_size; of what translates, of each sample alone)."""

    @model_validator(mode="before")
    @classmethod
    def _ada_instead(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**({"diffaugment": ()} if given.get("ada") else {}), **given}

    @property
    def augments(self) -> tuple[str, ...]:
        """By what that which D sees is augmented; a target alone adapts all of diffaugment."""
        return self.ada or self.diffaugment or (get_args(Policy) if self.ada_target else ())

    @property
    def translates(self) -> bool:
        """Whether the generator starts from images."""
        return self.condition in ("images", "unpaired")

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) that the networks want for images of this size: what `sides` has of them, or the
        next square of `multiple`; points, which are images of one pixel, stay points. Sources
        follow in proportion.
        """
        if self.architecture in self.sides:
            side = self.sides[self.architecture]
            return (height, width) if side is None else (side, side)
        if height == width == 1:
            return 1, 1
        side = max(16, -(-max(height, width) // self.multiple) * self.multiple)
        return side, side

    def revisions(self) -> tuple[str, ...]:
        """What these settings train otherwise than an older ganlib did, in words, the oldest first:
        a change that parameters do not show. Snapshots say how many of them they have seen, and one
        that lacks some is sampled from, but not trained on. A line is added here, and never taken
        out; max_iter and statistics do not decide about it.
        """
        return ()

    @classmethod
    def places(cls) -> list[str]:
        """The settings that say where a file lies, by name. Numbers depend on what is in it, so
        that a run goes on where it has moved, and they are of this machine alone.
        """
        fields = cls.model_fields.items()
        return [n for n, f in fields if Path in (f.annotation, *get_args(f.annotation))]


class RunConfig(_Strict):
    """A run's own settings, the same for every algorithm."""

    algorithm: str
    """Name of the algorithm; --list shows all."""
    preset: str | None = None
    """Settings that the algorithm's folder has under this name, below those that are given. quick:
    some minutes of a CPU."""
    dataset: str = "fashion_mnist"
    """Name of a data set, folder of images, .h5, .npz or .npy file, or s3://... of one."""
    source: Annotated[str | None, Field(description=source_help())] = None
    hold_out: Annotated[float, Field(ge=0), AfterValidator(_part_or_count)] = 0.1
    """Of a folder without test images, what a method that translates does not train on but is shown
    and scored on: this part of the files, or from 1 on so many; 0 for none. A run records 0 where
    nothing is to be held out."""
    subset: Count | None = None
    """Train on so many of the images alone, the same ones for every seed; those of a smaller subset
    are among them."""
    data_root: Annotated[Path, AfterValidator(_local)] | None = None
    """Folder with the data set's files."""
    size: Annotated[int, Field(ge=8)] | None = None
    """Resize and crop the images to this many pixels square."""
    crop: Annotated[int, Field(ge=8)] | None = None
    """Train on crops of this many pixels square, at random places; scores are of the middles."""
    flip: bool = False
    """Mirror every image with probability 1/2."""
    seed: Interval = 0
    """Everything random follows from it."""
    out: Annotated[Path, AfterValidator(_local)] | None = None
    """Result folder; default result/<algorithm>_<dataset>/seed<N>."""
    force: bool = False
    """Begin anew in an --out that holds something already, which is moved into .earlier there."""
    gpu: Annotated[int, Field(ge=-1)] | None = None
    """Number of the GPU, -1 for the CPU; default the first GPU if there is one."""
    device: str | None = None
    """The same as a PyTorch device: cpu, cuda:1, mps."""
    deterministic: bool = False
    """Bitwise repeatable on a GPU too, for some of its speed."""
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "tf32"
    """Arithmetic of the networks in training; losses, penalties and samples are float32. auto: bf16
    on a CPU or GPU that has instructions for it, for networks that were seen to learn as well with
    it; else tf32."""
    graph: bool | None = None
    """Run whole updates as CUDA graphs; default on a GPU."""
    compile: bool | None = None
    """Compile losses and networks; default on a GPU if the run is long enough to repay it."""
    accumulate: Count = 1
    """Take each batch in this many micro-batches, if it does not fit the memory; gradients are
    averaged."""
    workers: Interval | None = None
    """Processes that read images ahead where the data do not fit the memory, 0 for none; default
    one for each core, up to 8."""
    checkpoint_blocks: bool = False
    """Keep of each block of the networks what goes into it, and compute the rest again for the
    gradients: less memory for more time, and the same numbers."""
    sync_bn: bool = False
    """Let batch normalisation, and what compares samples, see all GPUs' samples, not a share."""
    init_from: Path | None = None
    """Start from the weights in this snapshot or run's folder, as far as they fit (fine-tuning);
    optimizers start anew."""
    freeze_d: Interval = 0
    """With init_from: keep the weights of this many layers of the discriminator as they come, those
    nearest to the image."""
    resume: str | None = None
    """Continue: auto (the newest run with these settings that is unfinished, or that has finished,
    which then stays as it is), a run's folder, or a snapshot."""
    epochs: Positive | None = None
    """Train for this many passes over the training images, n_dis batches of them an iteration if
    there are several: what max_iter comes to."""
    max_images: Count | None = None
    """Stop after this many real images."""
    max_hours: Positive | None = None
    """Stop, with a snapshot, before this many hours are over."""
    display_interval: Count = 100
    """Iterations between lines of the log."""
    sample_interval: Interval = 1000
    """Iterations between sample grids, the first before any; 0 for one at the end alone."""
    snapshot_interval: Interval = 5000
    """Iterations between snapshots; 0 for the last one only."""
    evaluation_interval: Interval = 10_000
    """Iterations between evaluations, of which the last is at the end; 0 for none."""
    evaluation_images: Annotated[int, BeforeValidator(_no_bool), Field(ge=2)] = 10_000
    """Samples to score in an evaluation."""
    evaluation_reference: Literal["train", "test"] | None = None
    """The real images of the scores, one split alone; default all that there are."""
    evaluation_precision: Literal["float32", "tf32", "bf16"] = "float32"
    """Of the network that finds the features of the scores; others are protocols of their own."""
    evaluation_channels_last: bool = False
    """Another memory format of that network, faster on a CPU; another protocol."""
    evaluation_rounding: bool = True
    """Round the samples to bytes before they are scored, as a file of them would; without it their
    scores are a protocol of its own."""
    metrics: str | None = None
    """What to score while training, of is, fid, kid, prdc, duplicates, by class intra, class_pr,
    class_accuracy and cas, fid_infinity, mind, cmmd, vendi, authpct, fld, and a plugin's own;
    default is,fid and of a method that is told labels intra,class_accuracy too."""
    segmentation: bool = False
    """Of images that are made of maps: score by a small network too, trained once, in minutes of a
    CPU, on real images and their maps, that finds the classes in them."""
    extractor: str | None = None
    """The features to score in, also dinov2, clip and vgg16; default the bundled data's own
    (fashion, emoji, wardrobe), else inception."""
    extractor_weights: Path | None = None
    """The published file of the extractor's weights; default of inception GANLIB_INCEPTION, that of
    ganlib[fid], or a download."""
    ema_every: Interval = 0
    """Iterations between files that averages of the weights of any length can be made of after
    training: `ganlib sample --ema-length`; 0 for none."""
    keep_snapshots: Kept = 2
    """How many of the newest snapshots stay; best:N for the N best by best_by beside the newest
    two."""
    best_by: str | None = None
    """Keep the snapshot with the best score too: min:NAME or max:NAME, a name in the log; default
    the Frechet distance of the evaluations."""
    doctor: bool = True
    """Look every so often, for less than 2 % of the time, whether something goes wrong, and say it
    in a sentence."""
    stop_on: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """Stop once the doctor says one of these, such as collapse,divergence; see docs/doctor.md."""
    on_collapse: Literal["continue", "rollback"] = "continue"
    """rollback: after a collapse go back, once, to the best or newest snapshot from before it, with
    half the learning rate."""
    tensorboard: bool = True
    """Write the log for TensorBoard as well."""
    tracker: Trackers = ()
    """Keep a record of settings, losses, scores and grids by these too, with commas."""
    extension: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    """Add an extension by name; may be repeated."""
    plugin_dir: Annotated[tuple[Path, ...], BeforeValidator(_several)] = ()
    """A folder of your own: algorithms, datasets/, sources/, extensions/, extractors/, metrics/;
    may be repeated."""

    @property
    def trackers(self) -> list[str]:
        """TensorBoard's, unless it was declined, and the others that are asked for."""
        return list(dict.fromkeys((*["tensorboard"] * self.tensorboard, *self.tracker)))

    @property
    def query(self) -> "DataQuery":
        """What the run is trained on."""
        from ganlib.common.query import DataQuery  # imports torch, which a help spares

        return DataQuery.of_run(dict(self))

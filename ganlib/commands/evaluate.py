"""Score a trained generator, or images of any program."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ganlib.commands import _common_options
from ganlib.commands._outputs import output
from ganlib.common.console import stderr_console
from ganlib.common.errors import UserError
from ganlib.common.paths import reading
from ganlib.common.printable import printable

if TYPE_CHECKING:
    from ganlib.commands._targets import Target, Weights
    from ganlib.evaluation import Evaluation, Evaluator
    from ganlib.evaluation.features import Options, Precision
    from ganlib.evaluation.real import Given

RANGES = {"-1,1": (-1.0, 1.0), "0,1": (0.0, 1.0), "0,255": (0.0, 255.0)}


@dataclass(frozen=True)
class Asked:
    """The options of the command line."""

    metrics: str | None
    cas: bool
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
    precision: "Precision"
    channels_last: bool
    out: Path | None
    duplicates_picture: Path | None
    lpips_weights: Path | None
    segmentation: bool
    source: str | None
    data_root: Path | None
    gpu: int | None
    device: str | None
    plugin_dir: tuple[Path, ...]
    weights: "Weights | None"
    no_save: bool
    back: bool


@click.command()
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option(
    "--metrics",
    metavar="NAME,...",
    help="Of is, fid, kid, prdc, duplicates, by class intra, class_pr and class_accuracy, cas, and "
    "a plugin's own.  [default: all of ganlib's that make sense, but cas]",
)
@click.option(
    "--cas",
    is_flag=True,
    help="Score by a classifier too that is trained on the samples and tested on real images: a "
    "minute or more of a CPU.",
)
@click.option(
    "--reference",
    metavar="WHICH",
    help="The real images: train or test of the data set, or a folder or .h5 file.  "
    "[default: train and test]",
)
@click.option(
    "--dataset",
    metavar="NAME",
    help="The data set, or its folder or .h5 file; a generator that translates starts from its "
    "images too.  [default: the run's]",
)
@click.option(
    "--size",
    type=int,
    metavar="N",
    help="Bring the real images to N x N pixels.  [default: the run's, or their own]",
)
@click.option(
    "--crop",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take N x N pixels out of the middle of the real images.  [default: the run's, or all]",
)
@click.option(
    "-n",
    "n",
    default=10_000,
    show_default=True,
    help="How many images; 50000 is the number of most papers.",
)
@click.option("--best", is_flag=True, help="Of a run's folder best.pt, not the newest snapshot.")
@click.option("--seed", default=0, show_default=True, help="Of the samples.")
@click.option(
    "--weights",
    type=click.Choice(["ema", "raw"]),
    help="Of a generator: the moving average, or those trained last.  [default: ema if there is "
    "one]",
)
@_common_options.truncation
@_common_options.statistics
@click.option("--batch-size", default=256, show_default=True, help="Images at a time.")
@click.option(
    "--range",
    type=click.Choice(list(RANGES)),
    help="Of black and white, if TARGET is an array of floats.  [default: -1,1]",
)
@click.option(
    "--extractor",
    metavar="NAME",
    help="The features: inception, fashion, emoji, or one of your own.  [default: the data set's]",
)
@click.option(
    "--inception-weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Inception's weights.  [default: GANLIB_INCEPTION, else downloaded once]",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "tf32", "bf16"]),
    default="float32",
    show_default=True,
    help="Of the features; others than float32 are faster on a GPU and another protocol.",
)
@click.option("--channels-last", is_flag=True, help="Another memory format; another protocol.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .json for all scores with their protocols.",
)
@click.option("--no-save", is_flag=True, help="Leave the files in a run's folder as they are.")
@click.option(
    "--duplicates-picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .png of the samples nearest to training images, each above that image.",
)
@click.option(
    "--lpips-weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="torchvision's weights of AlexNet (alexnet-owt-7be5be79.pth): compare translations by "
    "LPIPS too.",
)
@click.option(
    "--segmentation",
    is_flag=True,
    help="Of images that are made of maps: let a small network, which is trained on real ones, "
    "once, in minutes of a CPU, find the classes, and compare them with the maps.",
)
@_common_options.source
@_common_options.back
@_common_options.data_root
@_common_options.device("the first one if there is one")
@_common_options.plugin_dir
@click.option("--self-test", is_flag=True, help="Check known answers on real images instead.")
def command(target: Path | None, self_test: bool, **options: Any) -> None:
    """Score a trained generator, or images of any program in the same way.

    TARGET is a snapshot file, a run's folder for its newest snapshot (then the scores join its
    scores.jsonl, for `compare`), a folder of images, or an .npz, .npy or .h5 file. Images that come
    from no run need --dataset or --reference. Images with labels (`images` and `labels` of an .npz
    file, subfolders, an .h5 file's) and generators that are told some are scored by class too.

    What is scored otherwise than the run scores itself while it trains (fewer images, another seed,
    truncation, other statistics, weights, features or real images, the way back) joins the run's
    trials.jsonl instead, for `compare --trials`.

    A generator that translates starts from held-out sources, each once at most. Where images belong
    to them it is compared with those: L1 (of levels 0 to 255), PSNR, SSIM, of enlarged images in
    luma too, and diversity, the L1 between outputs for one source. Beside them stands what the
    source itself (bicubic, where it is smaller) and the mean training image reach.

    What a generator predicts of sequences is scored 1, 3 and 10 frames ahead: MSE, SSIM, sharpness
    as a part of the true frames', and GDL, the difference of gradients. Beside them stands what the
    last frame reaches that it saw. Sequences of several frames are not scored in features.

    Every score is stored with its protocol; only scores with the same hash can be compared.
    """
    asked = Asked(**options)
    if self_test and target is not None:
        raise UserError(f"--self-test scores real images: leave {target} out.")
    if self_test:
        raise SystemExit(_self_test(asked))
    if target is None:
        raise UserError("What is to be scored? Name a snapshot, a run's folder or images.")
    _check(asked)
    _evaluate(target, asked)


def _check(asked: Asked) -> None:
    """Refuse what is wrong on its own, before anything is loaded."""
    if asked.n < 2:
        raise UserError(f"-n is {asked.n}, but no score is made of less than 2 images.")
    if asked.batch_size < 1:
        raise UserError(f"--batch-size is {asked.batch_size}; give at least 1.")
    if asked.truncation is not None and not 0 < asked.truncation < math.inf:
        raise UserError(f"--truncation is {asked.truncation:g}; give a number above 0.")
    if asked.dataset is not None and asked.reference not in (None, "train", "test"):
        raise UserError("Give --dataset or the path of a --reference, not both.")
    for option, path, suffix in (
        ("--out", asked.out, ".json"),
        ("--duplicates-picture", asked.duplicates_picture, ".png"),
    ):
        if path is None:
            continue
        with reading(path):
            right = path.suffix.lower() == suffix and not path.is_dir()
        if not right:
            raise UserError(f"{option} {path} cannot be written: give the name of a {suffix} file.")


def _evaluate(path: Path, asked: Asked) -> None:
    """Everything in its order: load, look at the first images, score, print, write."""

    from ganlib.commands._pair_scores import pair_scores
    from ganlib.commands._score_table import describe, show
    from ganlib.commands._targets import is_run, open_target
    from ganlib.evaluation.metric import check_needs, find_metrics
    from ganlib.training.frames import frame_scores
    from ganlib.training.scoring import progress_bar

    wanted, device = _metrics(asked), _prepare(asked)
    find_metrics(wanted or ())
    target = open_target(
        path,
        device,
        asked.n,
        asked.seed,
        asked.batch_size,
        asked.truncation,
        asked.best,
        None if asked.range is None else RANGES[asked.range],
        asked.statistics,
        asked.dataset,
        asked.data_root,
        asked.weights,
        asked.source,
        asked.back,
    )
    run = path if is_run(path) and not asked.no_save else None
    evaluator = _evaluator_if_any(target, asked, device)
    _check_outputs(asked)
    if evaluator is None:
        found = _featureless(target, asked)
        show(found.scores, str(target.path), describe(target.origin, None))
        _write(target, None, found, run, asked)
        return
    pairs = pair_scores(target.updater, evaluator, asked.lpips_weights, asked.segmentation, device)
    given, images = _begun(target, evaluator)
    if pairs is not None:
        images = pairs.watch(images, asked.seed)
    metrics = wanted or _sensible(given, asked)
    check_needs(find_metrics(metrics), given)
    with _told_warnings(), progress_bar(stderr_console()) as progress:
        # what a file holds was looked at when it was opened
        result = evaluator(
            images, metrics, asked.n, target.origin, progress, value_range=(-1.0, 1.0)
        )
        if pairs is not None:
            how = (evaluator, metrics, target.origin, asked.seed, images, progress)
            result = replace(result, scores=pairs.joined(result.scores, *how))
        if target.updater is not None:
            frames = frame_scores(target.updater, target.origin, progress)
            result = replace(result, scores=result.scores | frames)
    if not result.scores:
        name = evaluator.extractor.name
        raise UserError(
            f"None of {', '.join(metrics)} can be had from these images in the features of "
            f"'{name}': give other --metrics or more images."
        )
    show(result.scores, str(target.path), describe(target.origin, evaluator.extractor))
    _write(target, evaluator, result, run, asked)


def _check_outputs(asked: Asked) -> None:
    """UserError for files that cannot be written, before the work is done."""
    for file in (asked.out, asked.duplicates_picture):
        if file is not None:
            with output(file):
                pass


def _evaluator_if_any(target: "Target", asked: Asked, device: str) -> "Evaluator | None":
    """None for sequences, of which no extractor has features, and where it cannot be had, but there
    is something to compare with. UserError if features are asked for then.
    """
    from ganlib.training.pairs import has_pairs
    from ganlib.training.scoring import no_features

    updater = target.updater
    if updater is not None and updater.spec.frames > 1:
        if _asks_for_features(asked):
            raise UserError(no_features(updater.spec.frames))
        return None
    try:
        return _evaluator(target, asked, device)
    except UserError as error:
        if _asks_for_features(asked) or updater is None or not has_pairs(updater):
            raise
        click.echo(f"Warning: Nothing is scored in features. {printable(error)}", err=True)
        return None


def _asks_for_features(asked: Asked) -> bool:
    options = (
        asked.metrics,
        asked.extractor,
        asked.inception_weights,
        asked.reference,
        asked.duplicates_picture,
        asked.lpips_weights,
    )
    switches = asked.cas, asked.channels_last, asked.segmentation, asked.precision != "float32"
    return any(switches) or any(option is not None for option in options)


def _featureless(target: "Target", asked: Asked) -> "Evaluation":
    """Comparisons with the images that belong to sources, and with the frames that came."""
    from ganlib.evaluation import Evaluation
    from ganlib.training.pairs import scored
    from ganlib.training.scoring import featureless_scores, open_references, progress_bar

    real, updater = _real(target, asked), target.updater
    assert updater is not None
    with reading(str(real.dataset)):
        where = real.dataset, real.root, real.size, "train", real.crop, real.source
        (train,) = open_references(*where).values()
    train = train.turned() if updater.turned else train
    n, origin = scored(updater, asked.n), target.origin
    with _told_warnings(), progress_bar(stderr_console()) as progress:
        more = target.batches(), n, origin, asked.seed, progress
        return Evaluation(featureless_scores(updater, train.x, *more))


def _prepare(asked: Asked) -> str:
    """Register plugins; the device as PyTorch calls it."""
    from ganlib.registry import add_plugins
    from ganlib.training import devices

    for folder in asked.plugin_dir:
        with reading(folder):
            add_plugins(folder)
    return str(devices.pick_device(None, _common_options.chosen(asked.gpu, asked.device)))


def _metrics(asked: Asked) -> tuple[str, ...] | None:
    """Those asked for, None if the choice is ours."""
    if asked.metrics is None:
        return None
    names = tuple(name.strip() for name in asked.metrics.split(","))
    if asked.duplicates_picture is not None and "duplicates" not in names:
        names += ("duplicates",)
    if asked.cas and "cas" not in names:
        names += ("cas",)
    return names


def _sensible(given: "Given", asked: Asked) -> tuple[str, ...]:
    from ganlib.evaluation.metric import METRICS, labelled_metrics

    names: tuple[str, ...] = METRICS
    # nothing was trained on the test images, so a copy of one is chance
    if given.main == "test" and asked.duplicates_picture is None:
        names = tuple(name for name in METRICS if name != "duplicates")
    return (*names, *labelled_metrics(given), *(("cas",) if asked.cas else ()))


class _Real(NamedTuple):
    """Where the real images are, and what of them."""

    dataset: str | None
    root: Path | None
    size: int | None
    crop: int | None
    source: str | None


def _real(target: "Target", asked: Asked) -> _Real:
    """By the options first, then by the settings of the target's run."""
    settings = target.settings
    run = {} if asked.dataset is not None else settings
    return _Real(
        asked.dataset or run.get("dataset"),
        asked.data_root or (Path(run["data_root"]) if run.get("data_root") else None),
        settings.get("size") if asked.size is None else asked.size,
        settings.get("crop") if asked.crop is None else asked.crop,
        asked.source or settings.get("source"),
    )


def _evaluator(target: "Target", asked: Asked, device: str) -> "Evaluator":
    """Of the real images, in the features that the options ask for, else the run's."""
    from ganlib.training.scoring import make_evaluator

    real, run = _real(target, asked), {} if asked.dataset is not None else target.settings
    with reading(asked.reference or str(real.dataset)):
        return make_evaluator(
            real.dataset,
            real.root,
            real.size,
            asked.extractor or run.get("extractor"),
            _options(asked),
            device,
            asked.reference,
            real.crop,
            real.source,
            asked.back,
        )


def _options(asked: Asked) -> "Options":
    from ganlib.evaluation.features import Options

    return Options(asked.inception_weights, asked.precision, asked.channels_last)


def _begun(target: "Target", evaluator: "Evaluator") -> "tuple[Given, Iterator[Any]]":
    """What there is for these images, and all their batches; the first one is checked here, before
    the reference's statistics are computed, which may take an hour.
    """
    from itertools import chain

    from ganlib.evaluation.blocks import as_block, as_uint8, blocks

    with reading(target.path):
        batches = target.batches()
        first = next(batches, None)
    if first is None:
        raise UserError(f"There are no images in {target.path}.")
    height, width = evaluator.images[evaluator.main].shape[2:]
    for block in blocks([first], (height, width)):
        as_uint8(block.images)
    return evaluator.given(target.origin, as_block(first).labels), chain([first], batches)


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Each distinct warning becomes one line on stderr at the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        click.echo(f"Warning: {printable(text)}", err=True)


def _write(
    target: "Target",
    evaluator: "Evaluator | None",
    result: "Evaluation",
    run: Path | None,
    asked: Asked,
) -> None:
    """The files that are asked for, and the line in the run's folder."""
    import json

    from ganlib.commands._neighbours import neighbours
    from ganlib.common.files import atomic
    from ganlib.common.lines import append_line
    from ganlib.common.pictures import save
    from ganlib.training.scoring import SCORES, TRIALS, scores_line

    line = scores_line(result.scores, target.iteration, target.images)
    if run is not None:
        file = run / (TRIALS if _is_trial(target, asked) else SCORES)
        with output(file):
            append_line(file, line)
        click.echo(printable(file))
    if asked.out is not None:
        of = {"target": str(target.path), **_data(target, asked)}
        text = json.dumps({**of, **line}, indent=2)
        with output(asked.out), atomic(asked.out) as temporary:
            temporary.write_text(text + "\n", "utf-8")
        click.echo(printable(asked.out))
    if asked.duplicates_picture is not None and result.nearest is not None:
        assert evaluator is not None
        picture = neighbours(target, evaluator, result.nearest)
        with output(asked.duplicates_picture):
            save(picture, asked.duplicates_picture)
        click.echo(printable(asked.duplicates_picture))


def _is_trial(target: "Target", asked: Asked) -> bool:
    """Whether this is not how the run scores itself, so that the scores are none of its own."""
    from ganlib.common.sources import dataset_label
    from ganlib.config import RunConfig
    from ganlib.evaluation.features import Options, default_extractor

    run, own = target.settings, target.own
    usual = run.get("evaluation_images", RunConfig.model_fields["evaluation_images"].default)
    data, name = str(run.get("dataset")), run.get("extractor")
    return (
        asked.back
        or replace(target.origin, seed=None) != replace(own, seed=None)
        or asked.seed not in (0, own.seed)
        or asked.n < usual
        or asked.extractor not in (None, name or default_extractor(data))
        or replace(_options(asked), weights=None) != Options()
        or asked.reference not in (None, "train", "test")
        or dataset_label(asked.dataset or data) != dataset_label(data)
        or asked.source not in (None, run.get("source"))
        or asked.size not in (None, run.get("size"))
        or asked.crop not in (None, run.get("crop"))
    )


def _data(target: "Target", asked: Asked) -> dict[str, Any]:
    """The data that the images are like, for `compare`."""
    run = target.settings
    size = run.get("size") if asked.size is None else asked.size
    source = asked.source or run.get("source")
    return {
        "dataset": asked.dataset or run.get("dataset"),
        "size": size,
        **({} if source is None else {"source": source}),
    }


def _self_test(asked: Asked) -> int:
    """Print every answer; the exit status, 1 if one is wrong."""

    from ganlib.commands._self_test import answers

    device, console, wrong = _prepare(asked), stderr_console(), False
    with _told_warnings():
        for answer in answers(
            asked.dataset, asked.data_root, asked.extractor, _options(asked), device, console
        ):
            click.echo(printable(answer))
            wrong = wrong or answer.right is False
    return int(wrong)

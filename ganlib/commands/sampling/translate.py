"""Apply a trained translator to image files."""

from pathlib import Path

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError


@click.command()
@shared.of_model
@click.argument(
    "inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path)
)
@shared.out_folder(": a PNG of the same name for each file, in the same subfolders")
@shared.force
@click.option(
    "--source",
    "making",
    metavar="SOURCE",
    help="What is made of the files first, as in training, where it takes no other files: edges "
    "for instance; own: nothing, they are what the generator starts from.  [default: as in "
    "training, but own where they are to be enlarged, or belonged to other files]",
)
@click.option(
    "--size",
    type=shared.AtLeast(1),
    help="Bring the shorter side of each file to N pixels first.  [default: as they are]",
)
@click.option(
    "-k",
    "--outputs",
    type=shared.AtLeast(1),
    default=1,
    help="How many of each file, as NAME_0.png and so on, where the generator has noise.",
)
@click.option(
    "--seed",
    default=0,
    help="Of that noise: output k depends on the file's content and on (seed, k) alone.",
)
@click.option(
    "--tile",
    type=shared.AtLeast(1),
    help="Make large images in tiles of N pixels, which overlap and are blended: less memory.",
)
@shared.statistics
@shared.back
@shared.device("the CPU")
@shared.plugin_dir
def command(
    options: shared.ModelOptions,
    inputs: tuple[Path, ...],
    out: Path,
    force: bool,
    making: str | None,
    size: int | None,
    outputs: int,
    seed: int,
    tile: int | None,
    statistics: str | None,
) -> None:
    """Apply a trained translator to image files.

    SNAPSHOT is a run's folder, for its newest one, a snapshot file, an exported folder,
    gallery:NAME, or user/name[@REVISION] on a Hugging Face hub. INPUT is an image file, or a
    folder of such. Files of training's size are treated as in training. Others are padded by
    repeating the border, and the output is cut back; a generator of one size makes them in tiles.
    Files that cannot be read are left out. With statistics of the batch every file, and every tile
    of one, is normalised by itself.
    """
    from ganlib.common.generator import has_noise
    from ganlib.common.io.console import say, stderr_console
    from ganlib.sampling.translation.source_images import Reader, as_in_training
    from ganlib.sampling.translation.translated_files import TranslatedFiles, jobs
    from ganlib.sampling.translation.translator import Translator

    work = jobs(inputs, out, outputs, force)
    model = options.load()
    if (statistics or model.updater.config.statistics).startswith("standing"):
        options.give_sources(model)  # of which the statistics are
    translator = Translator(model.updater, seed, tile, statistics)
    if outputs > 1 and not has_noise(model.updater.sampling_gen):
        raise UserError(
            "This generator has no noise, and all outputs of a file would be the same: leave "
            "--outputs out."
        )
    trained = model.settings.get("source")
    if making is None and not options.back and (making := as_in_training(trained)):
        say(
            stderr_console(),
            f"Sources are made of the files as in training (--source {making}); --source own takes "
            "them as they are.",
        )
    reader, whole = Reader(model.spec, making, size), model.settings.get("crop") is None
    files = TranslatedFiles(translator, reader, whole)
    files.make(work)
    for line in files.remarks():
        say(stderr_console(), line)
    click.echo(out)

"""Write a trained generator for others to use."""

from pathlib import Path
from typing import Literal

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.io.files import check_free, output, staged

Format = Literal["safetensors", "onnx", "all"]


@click.command()
@shared.of_model
@shared.out_folder("")
@shared.force
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["safetensors", "onnx", "all"]),
    default="all",
    help="safetensors: weights, to load in Python; onnx: the network itself, for any runtime.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    help="Of the safetensors: float16 takes half the bytes, and the card says what is lost.",
)
@shared.back
@shared.plugin_dir
def command(
    options: shared.ModelOptions, out: Path, force: bool, wanted: Format, precision: str
) -> None:
    """Write a trained generator for others to use.

    SNAPSHOT is a run's folder, for its newest one, a snapshot file, an exported folder,
    gallery:NAME, or user/name[@REVISION] on a Hugging Face hub. The folder gets
    generator.safetensors, generator.onnx, and as model_card.json and README.md how to use them, in
    the form of Hugging Face's model cards, with a picture of samples. The ONNX file needs the
    packages of: pip install ganlib[onnx]
    """
    from ganlib.sampling.exports import export, onnx, readme

    names = (export.WEIGHTS, export.CARD, onnx.ONNX, readme.README, readme.SAMPLES)
    check_free((out / name for name in names), force)
    missing = onnx.missing_packages() if wanted != "safetensors" else []
    if missing and wanted == "onnx":
        raise UserError(f"ONNX needs {' and '.join(missing)}: {onnx.INSTALL}")
    model = options.load()
    with output(out / export.CARD), staged(out) as folder:
        weights = folder / export.WEIGHTS if wanted != "onnx" else None
        if weights is not None:
            export.write_weights(model, weights, half=precision == "float16")
        inputs = None
        if wanted != "safetensors" and not missing:
            with stderr_console().status("tracing the generator for ONNX"):
                inputs = onnx.write_onnx(model, folder / onnx.ONNX)
        export.write_samples(model, folder / readme.SAMPLES)
        export.write_card(model, folder / export.CARD, weights, inputs)
        written = sorted(file.name for file in folder.iterdir())
    for name in written:
        click.echo(out / name)
    if missing:
        click.echo(f"No {onnx.ONNX}: it needs {' and '.join(missing)} ({onnx.INSTALL}).", err=True)

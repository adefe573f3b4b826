"""Write a trained generator for others to use."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.io.files import check_free, is_ours, output, staged, zip_folder

if TYPE_CHECKING:
    from ganlib.sampling.page.weights import Precision

Format = Literal["safetensors", "onnx", "all"]


@click.command()
@shared.of_model
@shared.path_option(
    "-o", "--out", callback=shared.folder, metavar="FOLDER", help="Where to; made if missing."
)
@click.option(
    "--to",
    metavar="USER/NAME",
    help="Write it there too, on a Hugging Face hub: that of HF_ENDPOINT, by the token of HF_TOKEN "
    "or of `hf auth login`.",
)
@click.option("--public", is_flag=True, help="With --to: a new repository is for all to see.")
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
    type=click.Choice(["float32", "float16", "int8"]),
    default="float32",
    help="Of the weights: float16 takes half the bytes, int8 a quarter of a page's; what is lost "
    "of pictures is said.",
)
@click.option(
    "--page",
    "paged",
    is_flag=True,
    help="A page instead of the ONNX file: any browser that opens its index.html draws pictures.",
)
@shared.path_option(
    "--beside", metavar="SNAPSHOT", help="Another generator, for the page to show beside this one."
)
@click.option("--zip", "zipped", is_flag=True, help="One file, FOLDER.zip, in place of the folder.")
@shared.back
@shared.plugin_dir
def command(
    options: shared.ModelOptions,
    out: Path | None,
    to: str | None,
    public: bool,
    force: bool,
    wanted: Format,
    precision: "Precision",
    paged: bool,
    beside: Path | None,
    zipped: bool,
) -> None:
    """Write a trained generator for others to use.

    SNAPSHOT is a run's folder, for its newest one, a snapshot file, an exported folder,
    gallery:NAME, or user/name[@REVISION] on a Hugging Face hub. The folder gets
    generator.safetensors, generator.onnx, and as model_card.json and README.md how to use them, in
    the form of Hugging Face's model cards, with a picture of samples. The ONNX file needs the
    packages of: pip install ganlib[onnx]

    --page makes a folder that a static host serves or a double click opens: whoever does plays with
    the generator on a machine of their own, without a server.

    A repository that --to makes is seen by its owner alone, unless --public is given. Needs the
    packages of: pip install ganlib[hub]
    """
    from ganlib.sampling.exports import export, hub, onnx, readme
    from ganlib.sampling.page import writing as page

    if out is None and (to is None or zipped):
        raise UserError("Say where to: --out FOLDER, or --to USER/NAME on a Hugging Face hub.")
    if public and to is None:
        raise UserError("--public is for a repository that --to makes: leave it out.")
    if to is not None:
        hub.check(to)
        if zipped:
            raise UserError("--to takes the files themselves: leave --zip out.")
    if not paged and (beside is not None or precision == "int8"):
        raise UserError("--beside and --precision int8 are for a page: give --page too.")
    missing = onnx.missing_packages() if paged or wanted != "safetensors" else []
    if paged or wanted == "onnx":
        onnx.require_packages()
    if out is not None:
        archive = out.with_name(f"{out.name}.zip")
        names = (export.WEIGHTS, export.CARD, readme.README, readme.SAMPLES)
        files = (out / name for name in (*names, *(page.FILES if paged else (onnx.ONNX,))))
        check_free([archive] if zipped else files, force)
    model = options.load()
    other = None if beside is None else replace(options, snapshot=beside).load()

    def write(folder: Path) -> None:
        weights = folder / export.WEIGHTS if wanted != "onnx" else None
        if weights is not None:
            export.write_weights(model, weights, half=precision != "float32")
        inputs = None
        if paged:
            with stderr_console().status("tracing the generator for its page"):
                about = page.write_page(model, folder, precision, other)
        elif wanted != "safetensors" and not missing:
            with stderr_console().status("tracing the generator for ONNX"):
                inputs = onnx.write_onnx(model, folder / onnx.ONNX)
        export.write_samples(model, folder / readme.SAMPLES)
        card = export.write_card(model, folder / export.CARD, weights, inputs, to)
        if to is not None and card["data_license"] == readme.UNKNOWN:
            click.echo(f"Licence of the data: {readme.UNKNOWN}", err=True)
        if paged:
            click.echo(_said(about, folder), err=True)

    if out is not None and zipped:
        with output(archive), TemporaryDirectory() as name:
            write(Path(name))
            zip_folder(Path(name), archive, out.name)
        return click.echo(archive)
    with TemporaryDirectory() as name:
        place = out or Path(name)
        with output(place / export.CARD), staged(place) as folder:
            write(folder)
            written = sorted(file.name for file in folder.iterdir())
        for name in written if out else ():
            click.echo(place / name)
        for name in {export.WEIGHTS, onnx.ONNX, *page.FILES}.difference(written):
            if is_ours(place / name):  # of another export, which the card tells nothing of
                (place / name).unlink()
        if to is not None:
            found = hub.upload(to, [place / name for name in written], not public)
            click.echo(f"{found.name}\n{found.address}{'' if public else ', private if it is new'}")
    if missing:
        click.echo(f"No {onnx.ONNX}: it needs {' and '.join(missing)} ({onnx.INSTALL}).", err=True)


def _said(about: Mapping[str, Any], folder: Path) -> str:
    """How large a page is, and how far its pictures are from PyTorch's."""
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    off, words = about["difference"], f"The folder takes {size:.1f} MB."
    if off is None:
        return f"{words} How far it is from PyTorch was not measured: that takes onnxruntime."
    return (
        f"{words} Of 255 levels the page's pictures are {off['mean']:.2g} from PyTorch's on "
        f"average, and {off['most']:.2g} at most."
    )

"""Find codes from which a trained generator makes given pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError

if TYPE_CHECKING:
    import torch

    from ganlib.sampling.codes import Space


@click.command()
@shared.of_model
@click.argument(
    "inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path)
)
@click.option(
    "--space",
    type=click.Choice(["z", "code", "layers"]),
    default="z",
    help="What is looked for: latents, or of a style-based generator a code, or one for each "
    "layer.",
)
@click.option("--steps", type=shared.AtLeast(1), help="Of the search.  [default: 400]")
@click.option("--seed", default=0, help="Of the samples that it begins at.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default="codes.npz",
    help="A .npz of the codes, for `ganlib interpolate --codes`; beside it a .png shows what was "
    "given and what was found.",
)
@shared.force
@shared.device("the CPU")
@shared.plugin_dir
def command(
    options: shared.ModelOptions,
    inputs: tuple[Path, ...],
    space: "Space",
    steps: int | None,
    seed: int,
    out: Path,
    force: bool,
) -> None:
    """Find codes from which a trained generator makes given pictures.

    SNAPSHOT is a run's folder, for its newest one, a snapshot file, an exported folder,
    gallery:NAME, or user/name[@REVISION] on a Hugging Face hub. INPUT is an image file, or a
    folder of such: the middle of each, at the size of the generator's images. How near a picture
    was found is said in dB. Files that cannot be read are left out.
    """
    shared.check_file(out, (".npz",), "an .npz", force)
    shared.check_file(picture := out.with_suffix(".png"), (".png",), "a .png", force)

    import torch

    from ganlib.common.io.files import output
    from ganlib.common.pictures import save, translation_grid
    from ganlib.sampling.codes import Codes
    from ganlib.sampling.inversion import STEPS

    model = options.load()
    given = _read(inputs, out, model.spec.native)
    images = torch.stack(list(given.values()))
    found = model.invert(images, space, steps or STEPS, seed)
    with output(out):
        Codes(found.codes, found.y, space).save(out)
        save(translation_grid({"given": images / 127.5 - 1, "found": found.images}), picture)
    for path, near in zip(given, found.psnr.tolist(), strict=True):
        click.echo(f"{near:5.1f} dB  {path}")
    click.echo(f"{out}\n{picture}")


def _read(
    inputs: tuple[Path, ...], out: Path, shape: tuple[int, int, int]
) -> "dict[Path, torch.Tensor]":
    """Of each file that can be read the middle, uint8 of `shape`; which cannot is told."""
    import torch

    from ganlib.common.formats.decode import Unusable, pixels
    from ganlib.common.io.console import say, stderr_console
    from ganlib.sampling.inversion import fitted
    from ganlib.sampling.translation.translated_files import found_files, left_out

    channels, height, width = shape
    given, useless = dict[Path, torch.Tensor](), list[tuple[Path, str]]()
    for path, _ in found_files(inputs, out):
        try:
            whole = pixels(path, channels, None)
        except Unusable as error:
            useless.append((path, str(error)))
        else:
            given[path] = fitted(torch.from_numpy(whole.copy()), (height, width))
    if not given:
        raise UserError(f"Nothing was inverted: {left_out(useless)}.")
    if useless:
        say(stderr_console(), f"{left_out(useless)}.")
    return given

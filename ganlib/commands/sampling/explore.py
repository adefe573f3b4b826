"""Play with a trained generator on a page: walks, directions, sums, and what PyTorch finds."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ganlib.commands.options import shared
from ganlib.common.io.console import stderr_console

if TYPE_CHECKING:
    from ganlib.sampling.model import Model


@click.command()
@shared.of_model
@shared.served
@shared.sources
@shared.device("the CPU")
@shared.plugin_dir
def command(options: shared.ModelOptions, port: int | None, host: str, opens: bool) -> None:
    """Play with a trained generator on a page: walks, directions, sums, and what PyTorch finds.

    SNAPSHOT is a run's folder, a snapshot file, an exported folder, gallery:NAME, or
    user/name[@REVISION] on a Hugging Face hub. The page is the one that `ganlib export --page`
    writes, and has more: the training images that are nearest to a sample, pictures that are found
    again, and the snapshots of a run, of which one slider shows how a sample became what it is.
    """
    from ganlib.common.io.server import serve
    from ganlib.sampling.page.exploring import Explorer
    from ganlib.training.snapshot import iteration_of, list_snapshots

    with stderr_console().status("loading"):
        model = options.load()
        if options.dataset or options.source:
            options.give_sources(model)
        # of one snapshot that is named, no others are asked for
        folder = options.snapshot / "snapshots"
        iterations = [iteration_of(path) for path in list_snapshots(folder)]

        def at(iteration: int) -> "Model":
            return replace(options, at=str(iteration), best=False).load()

        explorer = Explorer(model, iterations, at)
    serve(explorer, host, port, opens, f"{options.snapshot} is", "it")

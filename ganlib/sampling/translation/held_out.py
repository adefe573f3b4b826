"""What a translator starts from when it samples: images that it was not trained on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ganlib.common.errors import UserError
from ganlib.common.io.files import expand
from ganlib.common.query import DataQuery
from ganlib.training.update.streams import loader_of
from ganlib.training.updater import Updater

NOTHING_SAID = DataQuery()


def give_sources(
    updater: Updater, settings: Mapping[str, Any], query: DataQuery = NOTHING_SAID
) -> None:
    """Let a translator sample: from the test images that a query names, or from the training images
    where there are no others; what it does not say is as in the run of these settings.

    UserError for a data set that is missing or has no such sources, or is given to a generator that
    needs none.
    """
    if not updater.config.translates:
        for option, value in (("--dataset", query.dataset), ("--source", query.source)):
            if value is not None:
                raise UserError(
                    f"This generator needs no images to start from: leave {option} out."
                )
        return
    run = DataQuery.of_run(settings)
    wanted = query.completed(run)
    own = expand(run.dataset or "").resolve()
    if query.dataset is not None and expand(query.dataset).resolve() == own:
        # all of other images is new to the generator
        wanted = replace(wanted, hold_out=run.hold_out)
    try:
        split, data = "test", wanted.of_split("test")
        if data is None or data.source is None:
            split, data = "train", replace(wanted, split="train").open()
    except UserError as error:
        if query.dataset is not None:
            raise
        raise UserError(
            f"This generator translates images, and its run's cannot be opened ({error}): give "
            "--dataset."
        ) from None
    spec = updater.spec
    data = data.turned() if updater.turned else data
    assert spec.source is not None
    if data.source is not None:
        both = (data.source_kind, data.source.shape[1]), (spec.source_kind, spec.source[0])
        theirs, ours = (f"images of {n} channels" if kind == "image" else kind for kind, n in both)
        if theirs != ours:
            raise UserError(
                f"The sources of '{data.name}' are {theirs}, and this generator starts from {ours}."
            )
    updater.held_out_split = split
    updater.held_out = loader_of(updater.config, data, spec, 0, device=updater.clock.device)

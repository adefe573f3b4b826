"""What a translator starts from when it samples: images that it was not trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganlib.common.data import DataSet, Loader
from ganlib.common.errors import UserError
from ganlib.common.formats.stream import NoSuchSplit
from ganlib.common.io.files import expand
from ganlib.common.open_dataset import open_dataset
from ganlib.training.updater import Updater


def translates(updater: Updater) -> bool:
    """Whether its generator starts from images."""
    return updater.config.condition in ("images", "unpaired")


def give_sources(
    updater: Updater,
    settings: Mapping[str, Any],
    dataset: str | None = None,
    data_root: Path | None = None,
    source: str | None = None,
) -> None:
    """Let a translator sample: from the test images of `dataset`, a name or a path, or from its
    training images where there are no others; by default of its run's own data set. source: what of
    it, see common/sources/parse.py; by default as in its run.

    UserError for a data set that is missing or has no such sources, or is given to a generator that
    needs none.
    """
    if not translates(updater):
        for option, value in (("--dataset", dataset), ("--source", source)):
            if value is not None:
                raise UserError(
                    f"This generator needs no images to start from: leave {option} out."
                )
        return
    settings = {**settings, "source": source or settings.get("source")}
    if dataset is not None:
        own = str(settings.get("dataset"))
        same = dataset == own or expand(dataset).resolve() == expand(own).resolve()
        # all of other images is new to the generator
        told = settings if same else {**settings, "hold_out": 0.0}
        _hold_out(updater, *_opened(dataset, data_root, told))
        return
    root = Path(settings["data_root"]) if settings.get("data_root") else None
    try:
        split, data = _opened(settings["dataset"], data_root or root, settings)
    except (UserError, KeyError) as error:
        raise UserError(
            f"This generator translates images, and its run's cannot be opened ({error}): give "
            "--dataset."
        ) from None
    _hold_out(updater, split, data)


def _opened(dataset: str, root: Path | None, settings: Mapping[str, Any]) -> tuple[str, DataSet]:
    """The split that is taken, and the data."""
    shape = settings.get("size"), settings.get("crop")
    how = *shape, settings.get("source"), settings.get("hold_out", 0.0)
    try:
        test = open_dataset(dataset, root, "test", *how)
        if test.source is not None:
            return "test", test
    except NoSuchSplit:
        pass
    return "train", open_dataset(dataset, root, "train", *how)


def _hold_out(updater: Updater, split: str, data: DataSet) -> None:
    spec, config = updater.spec, updater.config
    data = data.turned() if updater.turned else data
    assert spec.source is not None
    if data.source is not None:
        found, wanted = (data.source_kind, data.source.shape[1]), (spec.source_kind, spec.source[0])
        if found != wanted:
            raise UserError(
                f"The sources of '{data.name}' are {_words(*found)}, and this generator starts "
                f"from {_words(*wanted)}."
            )
    device = updater.clock.device
    updater.held_out_split = split
    updater.held_out = Loader(
        data, spec, config.batch_size, 0, condition=config.condition, device=device
    )


def _words(kind: str, channels: int) -> str:
    return f"images of {channels} channels" if kind == "image" else kind

"""What a run trains: its updater with its data, on its device."""

from math import prod

import torch

from ganlib.common.data import DataSet, DataSpec, Loader, Size, fit_spec
from ganlib.common.data.in_memory import GIVEN
from ganlib.common.data.loader import readers
from ganlib.common.errors import UserError
from ganlib.common.formats.stream import NoSuchSplit
from ganlib.common.open_dataset import brought_to, open_dataset
from ganlib.common.seeds import mix
from ganlib.config import RunConfig
from ganlib.registry import algorithms
from ganlib.runs.resolving import check_architecture
from ganlib.runs.settings import Settings
from ganlib.training.device import devices, ranks
from ganlib.training.updater import Updater

SMALL, MOST_TIMES = 256, 4
"""To so many pixels any image is brought if the networks want that, and a larger one to so many
times its sides.
"""


def open_data(settings: Settings) -> tuple[DataSet, DataSet | None]:
    """The training set, and the test set if there is one and it is needed."""
    if settings.run.source is not None and not settings.translates:
        raise UserError(
            f"{settings.run.algorithm} starts from no images: leave --source out, or choose a "
            "method that translates."
        )
    with ranks.first_alone():  # it downloads what is to be downloaded
        data = _training_set(settings)
        return data, _test_set(settings) if settings.evaluates or settings.translates else None


def build(settings: Settings, data: DataSet, test: DataSet | None, device: torch.device) -> Updater:
    """The updater on its device with its data; a translator is held against the test set."""
    algorithm, s = algorithms[settings.run.algorithm], settings.run
    spec = fit_spec(data, _size(settings, data))
    check_architecture(settings, spec)
    _check_batch(settings, spec, device)
    loader = Loader(
        data,
        spec,
        settings.algorithm.batch_size,
        s.seed,
        condition=settings.algorithm.condition,
        device=device,
        flip=s.flip,
        jitter=settings.algorithm.jitter,
        dequantize=settings.algorithm.dequantize,
        workers=_workers(s),
    )
    torch.manual_seed(mix(s.seed, "weights"))
    updater = algorithm.assemble(settings.algorithm, loader, spec, device)
    if settings.translates:
        updater.held_out = loader.over(data)
        if test is not None and test.source is not None:
            updater.held_out, updater.held_out_split = loader.over(test), "test"
    return updater


def _size(settings: Settings, data: DataSet) -> Size:
    """Of the images that the networks see; UserError for what is out of all proportion to the
    data's own.
    """
    own, size = data.shape[1:], settings.algorithm.image_size(*data.shape[1:])
    if any(side > max(SMALL, MOST_TIMES * n) for side, n in zip(size, own, strict=True)):
        (high, wide), (height, width) = own, size
        raise UserError(
            f"{settings.run.algorithm} brings images of {wide}x{high} to {width}x{height} with "
            "these settings: give larger images by --size, or halve them less often by --downs."
        )
    return size


def _workers(s: RunConfig) -> int:
    """For one loader; each of a batch's passes has one."""
    here = devices.cores() // (ranks.local_count() * s.accumulate)
    return readers(s.workers, max(1, here))


def _training_set(settings: Settings) -> DataSet:
    s = settings.run
    if settings.data is not None:
        return brought_to(settings.data, s.size, s.crop, s.source)
    if s.dataset == GIVEN:
        raise UserError("This run was trained on data given in Python: give them again, dataset=.")
    return _opened(s, "train")


def _test_set(settings: Settings) -> DataSet | None:
    s = settings.run
    if settings.data is not None:
        return None
    try:
        return _opened(s, "test")
    except NoSuchSplit:
        return None


def _opened(s: RunConfig, split: str) -> DataSet:
    how = s.size, s.crop, s.source, s.hold_out
    return open_dataset(s.dataset, s.data_root, split, *how)


def _check_batch(settings: Settings, spec: DataSpec, device: torch.device) -> None:
    """UserError if not even the images of a batch, or numbers of four bytes in their place, fit
    the memory.
    """
    share = settings.algorithm.batch_size // (settings.run.accumulate * ranks.count())
    pixels = prod(spec.image) + prod(spec.source or (0,))
    devices.require(4 * share * pixels, "Batches", "give a smaller --batch-size", device)

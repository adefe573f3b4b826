"""Known answers: real images scored against real images, by the code that scores samples."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ganlib.commands.scores.sights import sights
from ganlib.common.io.console import progress_bar
from ganlib.common.io.files import expand
from ganlib.common.query import default_root
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import TRAINED, Extractor, default_extractor
from ganlib.evaluation.extractors.small import FOLDER
from ganlib.evaluation.formats import in_order
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import Criteria, make_scorer

RECORDS = FOLDER
"""The folder of NAME.json, which says how the weights of a bundled extractor were made."""
KEY, SIGHTS = "fd_train_test", "sights"
"""The names, in such a record, of the distance between training and test images, and of the marks
of each score for CHANGES.
"""
RELATIVE = 1e-3  # to that
SAME = 1e-6  # to the sum of the traces of two equal covariances


# torch-fidelity's, and that of the 50,000 training images against the 10,000 test images, and how
# far from them is still right
CIFAR10_IS = (11.237, 0.095)
CIFAR10_FID = (3.15, 0.05)


@dataclass(frozen=True)
class Answer:
    """right: None for what could not be checked, of which `text` gives the reason."""

    text: str
    right: bool | None

    def __str__(self) -> str:
        mark = {True: "right", False: "WRONG", None: "not checked"}[self.right]
        return f"{mark}: {self.text}"


def answers(
    real: RealImages, criteria: Criteria, device: torch.device | str, console: Console
) -> Iterator[Answer]:
    """Those of one data set, one by one as they are found.

    By default those of the bundled ones that an extractor was trained on, and of CIFAR-10 where it
    and Inception's weights are there.
    """
    names, missing = [real.dataset] if real.dataset else [*TRAINED], ""
    pairs = [(name, criteria.extractor or default_extractor(name)) for name in names]
    if real.dataset is None and criteria.extractor is None:
        missing = _missing(real.data_root, criteria.extractor_weights)
        pairs += [] if missing else [("cifar10", "inception")]
    for name, extractor in pairs:
        for_it = extractor in ("inception", criteria.extractor)
        weights = criteria.extractor_weights if for_it else None
        only = Criteria(None, (), extractor, weights, criteria.precision, criteria.channels_last)
        scorer = make_scorer(None, RealImages(name, real.data_root), only, device=device)
        assert scorer.evaluator is not None
        with progress_bar(console) as progress:
            yield from _answers(name, scorer.evaluator, progress)
    if missing:
        yield Answer(f"cifar10 in the features of 'inception': {missing}", None)


def _answers(dataset: str, evaluator: Evaluator, progress: Progress) -> Iterator[Answer]:
    images, extractor = evaluator.images, evaluator.extractor
    ours = Evaluator(extractor, {"train": images["train"]})
    label = f"{extractor.score_name} of {dataset}, train against"
    canonical = (dataset, extractor.name) == ("cifar10", "inception")

    def found(split: str, *metrics: str) -> list[float]:
        """The first score of each of these metrics, in ganlib's order, of all images."""
        x = images[split]
        scores = ours(in_order(x), metrics, len(x), progress=progress).scores
        kinds = {name.startswith("IS"): score for name, score in reversed(scores.items())}
        return [kinds[kind].value for kind in sorted(kinds, reverse=True)]

    traces = 2 * float(ours.reference("train", progress).moments.covariance().trace())
    *inception_score, own = found("train", *(["is"] if canonical else []), "fid")
    yield _compared(f"{label} itself", own, 0, SAME * traces)
    for value in inception_score:
        yield _compared("IS of cifar10, train", value, *CIFAR10_IS)
    if "test" not in images:
        yield Answer(f"{label} test: there are no test images", None)
    elif canonical:
        yield _compared(f"{label} test", found("test", "fid")[0], *CIFAR10_FID)
    else:
        yield _train_test(f"{label} test", found("test", "fid")[0], dataset, extractor)
        yield from _sights(dataset, evaluator, progress)


def _train_test(what: str, found: float, dataset: str, extractor: Extractor) -> Answer:
    """Data in the features that were trained on them as the record has it; nothing of others."""
    path, record = _record(dataset, extractor)
    if not record:
        return Answer(f"{what}: {found:.6g}; the right value is not known", None)
    if record["sha256"] != extractor.digest:
        return Answer(f"{what}: {found:.6g}; {path} describes other weights", False)
    if KEY not in record:
        return Answer(f"{what}: {found:.6g}; {path} does not say '{KEY}'", None)
    return _compared(what, found, record[KEY], RELATIVE * record[KEY])


def _record(dataset: str, extractor: Extractor) -> tuple[Path, dict[str, Any]]:
    """The file of an extractor that was trained on the data set and what is in it, {} of others."""
    path = RECORDS / f"{extractor.name}.json"
    known = TRAINED.get(dataset) == extractor.name
    return path, json.loads(path.read_text("utf-8")) if known else {}


def _sights(dataset: str, evaluator: Evaluator, progress: Progress) -> Iterator[Answer]:
    """What each score sees of CHANGES, where the record knows it."""
    known = _record(dataset, evaluator.extractor)[1].get(SIGHTS, {})
    for sight in sights(evaluator.extractor, evaluator.real, progress) if known else ():
        right, marks = known.get(sight.name), sight.marks
        yield Answer(f"{sight}{'' if right == marks else f' (known: {right})'}", right == marks)


def _compared(what: str, found: float, known: float, tolerance: float) -> Answer:
    right = abs(found - known) <= tolerance
    return Answer(f"{what}: {found:.6g} (known: {known:.6g} ± {tolerance:.2g})", right)


def _missing(data_root: Path | None, weights: Path | None) -> str:
    """What there is not of CIFAR-10 and Inception's weights, "" for nothing.

    Nothing is downloaded to find out.
    """
    # slow to import, and no part of the answers of the bundled data
    from torchvision.datasets import CIFAR10

    from ganlib.evaluation.extractors.inception import VARIABLE, local_weights, stored_weights

    root = expand(data_root or default_root())
    names = (CIFAR10.base_folder, CIFAR10.filename)
    files = [folder / name for folder in (root / "cifar10", root) for name in names]
    if not any(file.exists() for file in files):
        return f"there is no {files[0]}"
    if local_weights(weights) is None:
        where = f"neither --extractor-weights nor {VARIABLE} is given"
        return f"there is no {stored_weights()}, and {where}"
    return ""

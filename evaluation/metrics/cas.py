"""Classification accuracy score (Ravuri & Vinyals 2019, https://arxiv.org/abs/1905.10887): a
classifier is trained on samples alone and tested on real images.

The paper's is a ResNet-50 for ImageNet; this one is small (see _cas_classifier.py), so that
its numbers can be compared with each other and with what it reaches when it is trained on as many
real images, which is kept beside them.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from torch import Tensor

from ganlib.common.io.files import atomic
from ganlib.evaluation.cache import cache_folder, locked
from ganlib.evaluation.metrics._cas_classifier import (
    BATCH,
    EPOCHS,
    NETWORK,
    OPTIMIZER,
    SIDE,
    batches,
    right,
    trained,
)
from ganlib.evaluation.metrics.base import Instrument, Metric, Seen, Value
from ganlib.evaluation.metrics.by_class import accuracies, asked, lacks_classes
from ganlib.evaluation.protocol import Plain, versions
from ganlib.evaluation.statistics.real import Given, labels_digest

N = 50_000
SEEDS = (0, 1, 2)
RECIPE: dict[str, Plain] = {
    "network": NETWORK,
    "optimizer": OPTIMIZER,
    "epochs": EPOCHS,
    "batch": BATCH,
    "seeds": " ".join(map(str, SEEDS)),
}
"""What decides about a score besides its images."""
INSTRUMENT = Instrument("classifier", f"bilinear, antialiased, to {SIDE}x{SIDE} if larger")


def lacks_test(given: Given) -> str:
    """See Metric.lacks."""
    lacks = lacks_classes(given)
    if not lacks and given.test is None:
        lacks = (
            "tests a classifier on real test images, and there are none with labels of these "
            "classes: leave it out, or give a --dataset that has some."
        )
    return lacks


def cas(seen: Seen) -> dict[str, Value]:
    settings = {**asked(seen), **RECIPE}
    found = classified(seen, "samples", seen.images, seen.labels)
    real = {} if seen.main.name == "test" else on_real(seen)
    value = Value(
        found["value"],
        found["std"],
        reference="test",
        settings=settings,
        more={"by_class": found["by_class"], **({"real": real} if real else {})},
        instrument=INSTRUMENT,
    )
    return {"CAS": value}


def classified(seen: Seen, what: str, x: Tensor, y: Tensor) -> dict[str, Any]:
    """The mean accuracy on the test images, over SEEDS, of classifiers of x and y, with its
    deviation, and its mean for each class.
    """
    data, device = seen.given.test, seen.images.device
    assert data is not None
    accuracy, classes = [], []
    for k, seed in enumerate(SEEDS):
        told = _told(seen, f"classifier of {what}", k, batches(len(x)))
        network = trained(x, y, data.shape[0], len(seen.given.classes), seed, told)
        good = right(network, data, device)
        assert data.y is not None
        accuracy.append(float(good.double().mean()))
        classes.append(accuracies(good, data.y, data))
    return {
        "value": fmean(accuracy),
        "std": pstdev(accuracy),
        "by_class": {
            name: {"value": fmean(each[name]["value"] for each in classes), "n": row["n"]}
            for name, row in classes[0].items()
        },
    }


def _told(seen: Seen, what: str, k: int, each: int) -> Callable[[int], None]:
    return lambda done: seen.progress(what, k * each + done, len(SEEDS) * each)


def on_real(seen: Seen) -> dict[str, Any]:
    """The same of classifiers of as many real images, if there are so many; from the cache folder
    if it was computed before.
    """
    n, main = min(seen.n, len(seen.main.which)), seen.main
    facts = {
        **RECIPE,
        "train": [main.digest, labels_digest(seen.real), n],
        "test": [seen.references["test"].digest, labels_digest(seen.given.real["test"])],
        "versions": versions(),
    }
    key = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_folder() / "cas" / f"{key}.json"

    def compute() -> dict[str, Any]:
        with locked(path):
            known = _read(path)
            if known is None:
                rows, device = main.which[:n], seen.images.device
                assert seen.real.y is not None
                x, y = seen.real.x[rows].to(device), seen.real.y[rows].to(device)
                known = classified(seen, "real images", x, y)
                _write(path, known)
        return known

    found = seen.once(key, compute)
    return {**found, "split": main.name, "n": n, "digest": main.digest}


def _read(path: Path) -> dict[str, Any] | None:
    """What is kept there, None if nothing is or it is damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"value", "std", "by_class"} == set(found) else None


def _write(path: Path, found: dict[str, Any]) -> None:
    try:
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(found), "utf-8")
    except OSError:  # a full disk or a read-only folder costs time, no scores
        pass


METRIC = Metric(cas, needs=("images", "labels"), n=N, lacks=lacks_test)

"""How good the predictions of a roll-out are: frames, scored against those that came."""

from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.sources.futures import future
from ganlib.evaluation import Score
from ganlib.evaluation.pairs.frames import STEPS, FrameSums, frame_measures, score_name
from ganlib.evaluation.pairs.sums import exact
from ganlib.evaluation.statistics.references import Progress
from ganlib.training.bases.predicting import Predicting
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.pairs import has_pairs
from ganlib.training.updater import Updater

SEQUENCES = 500
"""Of how many held-out sequences scores are, as far as there are so many."""
AT_ONCE = 100


def predicts(updater: Updater) -> TypeGuard[Predicting]:
    """Whether it predicts frames of which it is known what came."""
    return isinstance(updater, Predicting) and has_pairs(updater)


def frame_scores(updater: Updater, drawing: Drawing, progress: Progress) -> dict[str, Score]:
    """Of what it predicts for held-out sequences, which lie evenly among all, by name, those of a
    measure one behind the other; none of one that predicts nothing. drawing: by which seed,
    weights and statistics, of however many.

    Steps so far ahead that the data know no such frame are left out.
    """
    if not predicts(updater):
        return {}
    stream, (data, index) = drawing.stream(updater), _sequences(updater)
    sums = {step: FrameSums(step, data.frame) for step in STEPS}
    for k, rows in enumerate(torch.split(index, AT_ONCE)):
        progress("sequences", k * AT_ONCE, len(index))
        known = _known(data, rows)
        if not known:
            continue
        outputs = exact(updater.predicted(stream, rows, max(known)))
        last = updater.context(data, rows)[:, -1]
        for step, (whole, truth) in known.items():
            output = outputs[whole.to(outputs.device), step - 1]
            sums[step].add(output, last[whole].to(output.device), truth.to(output.device))
    progress("sequences", len(index), len(index))
    split, origin, found = updater.held_out_split, drawing.origin(updater), dict[str, Score]()
    for one in sums.values():
        found.update(one.scores(split, origin) if one.n else {})
    return {name: found[name] for name in _names(data, STEPS) if name in found}


def frame_names(updater: Updater) -> list[str]:
    """What those scores will be called; what came is read for it."""
    if not predicts(updater):
        return []
    data, index = _sequences(updater)
    known = {step for rows in torch.split(index, AT_ONCE) for step in _known(data, rows)}
    return _names(data, sorted(known))


def _known(data: DataSet, rows: Tensor) -> dict[int, tuple[Tensor, Tensor]]:
    """By each step, which of these pairs have a frame so far ahead, bool (n,), and those frames,
    uint8 (m, C, H, W).
    """
    found = {}
    for step in STEPS:
        truth, whole = future(data, rows, step)
        if whole.any():
            found[step] = whole, truth[whole, -1]
    return found


def _sequences(updater: Predicting) -> tuple[DataSet, Tensor]:
    """The held-out pairs, and the numbers of those after whose past predictions are scored."""
    assert updater.held_out is not None
    data = updater.held_out.data
    k = min(len(data), SEQUENCES)
    return data, torch.arange(k) * len(data) // k


def _names(data: DataSet, steps: Sequence[int]) -> list[str]:
    measures = frame_measures(min(data.shape[1:]))
    return [score_name(measure, step) for measure in measures for step in steps]

"""What `ganlib evaluate` compares translations by."""

from pathlib import Path

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator
from ganlib.training.pairs import PairScores, for_pairs, has_pairs
from ganlib.training.updater import Updater


def pair_scores(
    updater: Updater | None,
    evaluator: Evaluator,
    lpips_weights: Path | None,
    segmentation: bool,
    device: str,
) -> PairScores | None:
    """What compares with the images that belong to the sources, None where there are none; by LPIPS
    and by a segmenter too, if that is asked for. UserError if it cannot be.
    """
    if updater is None or not has_pairs(updater):
        if lpips_weights is not None or segmentation:
            flag = "--lpips-weights" if lpips_weights is not None else "--segmentation"
            raise UserError(for_pairs(flag))
        return None
    measure = None
    if lpips_weights is not None:
        from ganlib.evaluation.perceptual import lpips  # a slow import that few ask for

        measure = lpips(lpips_weights, device)
    lessons = _lessons(evaluator) if segmentation else None
    return PairScores(updater, evaluator.images[evaluator.main], measure, lessons)


def _lessons(evaluator: Evaluator) -> DataSet:
    if "train" not in evaluator.real:
        raise UserError(
            "--segmentation trains on real training images, and these are left out: leave "
            "--reference out too."
        )
    return evaluator.real["train"]

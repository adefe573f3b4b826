"""What `ganlib evaluate` compares translations by."""

from pathlib import Path

from ganlib.common.console import stderr_console
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator
from ganlib.evaluation.segmenter import Segmenter, load_segmenter
from ganlib.training.pairs import PairScores, has_pairs
from ganlib.training.scoring import progress_bar
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
        flag = "--lpips-weights" if lpips_weights is not None else "--segmentation"
        if lpips_weights is not None or segmentation:
            raise UserError(
                f"{flag} is for a generator that translates sources to which images belong: leave "
                "it out."
            )
        return None
    measure = None
    if lpips_weights is not None:
        from ganlib.evaluation.perceptual import lpips  # a slow import that few ask for

        measure = lpips(lpips_weights, device)
    segmenter = _segmenter(evaluator, device) if segmentation else None
    return PairScores(updater, evaluator.images[evaluator.main], measure, segmenter)


def _segmenter(evaluator: Evaluator, device: str) -> Segmenter:
    if "train" not in evaluator.real:
        raise UserError(
            "--segmentation trains on real training images, and these are left out: leave "
            "--reference out too."
        )
    with progress_bar(stderr_console()) as progress:
        return load_segmenter(evaluator.real["train"], device, progress)

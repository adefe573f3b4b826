"""Scores of image sets: `evaluation.score(images, {"train": real})`.

Imports nothing from ganlib: a score is a function of a stream of images.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluation.evaluate import Evaluator, score
    from evaluation.protocol import Protocol, Score, differences
    from evaluation.report import Evaluation, Origin

_HOME = {
    "Evaluation": "evaluation.report",
    "Evaluator": "evaluation.evaluate",
    "Origin": "evaluation.report",
    "Protocol": "evaluation.protocol",
    "Score": "evaluation.protocol",
    "differences": "evaluation.protocol",
    "score": "evaluation.evaluate",
}
__all__ = ["Evaluation", "Evaluator", "Origin", "Protocol", "Score", "differences", "score"]


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and a table of scores needs none of it
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'evaluation' has no attribute '{name}'")

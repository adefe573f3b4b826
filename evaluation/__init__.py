"""Scores of image sets: `ganlib.evaluation.score(images, {"train": real})`.

Knows ganlib.common and nothing above: a score is a function of a stream of images.
"""

from typing import TYPE_CHECKING, Any

if __name__ == "evaluation":  # two modules of one file would hold two classes of one name
    raise ImportError("Import ganlib.evaluation: 'evaluation' is only the folder that it lies in.")

if TYPE_CHECKING:
    from ganlib.evaluation.evaluate import Evaluation, Evaluator, score
    from ganlib.evaluation.protocol import Origin, Protocol, Score, differences

__all__ = ["Evaluation", "Evaluator", "Origin", "Protocol", "Score", "differences", "score"]
_EVALUATE = ("Evaluation", "Evaluator", "score")


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and a table of scores needs none of it
    if name in __all__:
        from importlib import import_module

        home = "evaluate" if name in _EVALUATE else "protocol"
        return getattr(import_module(f"ganlib.evaluation.{home}"), name)
    raise AttributeError(f"module 'ganlib.evaluation' has no attribute '{name}'")

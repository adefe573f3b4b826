"""evaluation/comparison/beside.py, by runs on disk."""

import json
from pathlib import Path
from typing import Any

from ganlib.evaluation import Origin
from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.pairs.pixels import measures
from ganlib.evaluation.pairs.sums import Truths, protocol_of
from ganlib.evaluation.protocol import BESIDE, Score


def test_a_sentence_for_each_and_a_value_for_each_score(tmp_path: Path) -> None:
    scores = {}
    for k, measure in enumerate(measures(28)):
        protocol = protocol_of(measure, 10, Truths("test", 10, "ab"), Origin("raw", seed=0))
        more: dict[str, Any] = {BESIDE: {"source": k + 0.5, "mean image": 2 * k + 0.25}}
        more |= {"real": {"value": 7.5}} if k == 1 else {}
        scores[measure.name] = Score(measure.name, 1.0, None, protocol, more).to_dict()
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"dataset": "emoji", "source": "edges", "scores": scores}))
    (table,) = compare([path])
    assert table.dataset == "emoji from edges"
    assert [note for note in table.notes if "reach" in note] == [
        "What the source itself reaches: L1 0.5000, PSNR 1.500, SSIM 2.500.",
        "What the mean image itself reaches: L1 0.2500, PSNR 2.250, SSIM 4.250.",
        "What real images reach: PSNR 7.500.",
    ]

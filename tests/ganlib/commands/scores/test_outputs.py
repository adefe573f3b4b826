"""The table of `ganlib evaluate` on terminals of any width."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from ganlib.commands.scores.outputs import show
from ganlib.evaluation import Origin, Score
from ganlib.evaluation.pairs.pixels import measures
from ganlib.evaluation.pairs.sums import protocol_of
from ganlib.evaluation.protocol import BASELINES, Split

NAMES = [f"nearest-median-wardrobe1k-{which}" for which in "abcdefgh"]


def scores() -> dict[str, Score]:
    protocol = protocol_of(measures(28)[0], 1000, Split("test", 10_000, "ab"), Origin("raw"))
    found = {name: Score(name, 0.25, 0.125, protocol, {}) for name in NAMES}
    found[NAMES[0]] = Score(NAMES[0], 0.25, None, protocol, {BASELINES: {"mean image": 15.0}})
    found[NAMES[1]] = Score(NAMES[1], 0.25, None, protocol, {"real": {"value": 0.5}})
    return found


def printed(width: int) -> list[str]:
    file = io.StringIO()
    show(scores(), "a run", "a sentence", Console(file=file, width=width, force_terminal=True))
    return Text.from_ansi(file.getvalue()).plain.splitlines()


@pytest.mark.parametrize("width", [130, 100, 80, 60])
def test_nothing_is_cut_off(width: int) -> None:
    lines = printed(width)
    assert not any("…" in line for line in lines)
    assert max(map(len, lines)) <= width
    found = "".join(line.split()[0] for line in lines if line.strip())
    assert all(name in found for name in NAMES)


def test_real_images_stand_beside_as_translations_do() -> None:
    lines = [line.split() for line in printed(130)]
    assert ["score", "value", "mean", "image", "real", "images", "n"] == lines[2][:7]
    assert lines[4][:4] == [NAMES[0], "0.2500", "15.00", "–"]
    assert lines[5][:4] == [NAMES[1], "0.2500", "–", "0.5000"]


def test_a_standard_error_has_a_column_where_some_score_has_one() -> None:
    file, found = io.StringIO(), scores()
    found[NAMES[2]] = replace(found[NAMES[2]], error=0.03125)
    show(found, "a run", "a sentence", Console(file=file, width=160, force_terminal=True))
    lines = [line.split() for line in Text.from_ansi(file.getvalue()).plain.splitlines()]
    assert ["score", "value", "±", "over", "draws", "mean", "image"] == lines[2][:7]
    assert lines[4][:4] == [NAMES[0], "0.2500", "–", "15.00"]
    assert lines[6][:5] == [NAMES[2], "0.2500", "±", "0.12", "0.031"]

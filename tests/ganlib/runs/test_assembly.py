"""What a run's settings make of its loader."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganlib.common.data import DataSet
from ganlib.common.data.loader import WORKERS
from ganlib.common.errors import UserError
from ganlib.runs.assembly import build, open_data
from ganlib.runs.run import gather
from ganlib.training.device import devices


@pytest.mark.skipif(WORKERS == 0, reason="no safe forks here")
@pytest.mark.parametrize(
    ("given", "ranks", "number"),
    [({}, 1, 6), ({}, 3, 2), ({"accumulate": 4}, 1, 1), ({"workers": 3}, 1, 3), ({}, 9, 1)],
)
def test_readers_share_the_cores_of_this_machine(
    given: dict[str, Any],
    ranks: int,
    number: int,
    toy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the other processes of a job, and with the other passes over a batch."""
    monkeypatch.setattr(devices, "cores", lambda: 6)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    settings = gather(
        {"algorithm": "dcgan", "dataset": str(toy_file), "width": 0.05, "evaluation_interval": 0}
        | given
    )
    updater = build(settings, *open_data(settings), torch.device("cpu"))
    assert updater.data.workers == number


@pytest.mark.parametrize(
    ("algorithm", "downs", "wanted"), [("pix2pix", 9, 512), ("pix2pixhd", 9, 2048)]
)
def test_images_are_not_brought_to_sizes_out_of_proportion(
    algorithm: str, downs: int, wanted: int
) -> None:
    x = torch.zeros(4, 1, 16, 16, dtype=torch.uint8)
    small = DataSet("x", x, source=x)
    settings = gather({"algorithm": algorithm, "downs": downs, "jitter": 0})
    sentence = f"{algorithm} brings images of 16x16 to {wanted}x{wanted} with these settings: give"
    with pytest.raises(UserError, match=sentence):
        build(settings, small, None, torch.device("cpu"))
    with pytest.raises(UserError, match="downs is 1000000000, but should be less than or equal"):
        gather({"algorithm": algorithm, "downs": 10**9})

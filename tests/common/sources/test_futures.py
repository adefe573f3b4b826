"""The future of a pair, out of the pairs after it."""

from pathlib import Path

import pytest
import torch

from ganlib.common.data.spec import DataSet
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.sources.futures import future

PAST = 3


def pairs(lengths: list[int], m: int, channels: int = 1) -> tuple[DataSet, list[torch.Tensor]]:
    """Every pair of noisy sequences of these lengths, and the sequences."""
    random = torch.Generator().manual_seed(0)
    shape = (channels, 4, 5)
    videos = [torch.randint(256, (n, *shape), generator=random).byte() for n in lengths]
    x, source = [], []
    for video in videos:
        for t in range(len(video) - PAST - m + 1):
            source.append(video[t : t + PAST].flatten(0, 1))
            x.append(video[t + PAST : t + PAST + m].flatten(0, 1))
    data = DataSet(
        "noise", torch.stack(x), source=torch.stack(source), frames=m, source_frames=PAST
    )
    return data, videos


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 3, 5])
def test_it_is_what_the_sequence_says(channels: int, m: int, n: int) -> None:
    lengths = [12, 7, 9]
    data, videos = pairs(lengths, m, channels)
    frames, whole = future(data, torch.arange(len(data)), n)
    assert frames.shape == (len(data), n, channels, 4, 5) and frames.dtype == torch.uint8
    i = 0
    for video in videos:
        for t in range(len(video) - PAST - m + 1):
            left = len(video) - t - PAST
            assert bool(whole[i]) == (left >= n), (i, left)
            if left >= n:
                assert torch.equal(frames[i], video[t + PAST : t + PAST + n])
            i += 1
    assert i == len(data)


def test_also_out_of_a_file(tmp_path: Path) -> None:
    data, videos = pairs([10, 10], 1)
    write_hdf5(tmp_path / "a.h5", data)
    frames, whole = future(read_hdf5(tmp_path / "a.h5", "train"), torch.tensor([9, 1, 0]), 6)
    assert whole.tolist() == [False, True, True]
    assert torch.equal(frames[1], videos[0][4:10]) and torch.equal(frames[2], videos[0][3:9])

"""Folders of videos as people have them, against arrays they were written from."""

import struct
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganlib.commands.data import command
from ganlib.common.data import DataSet
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError
from ganlib.common.io import memory as _memory
from ganlib.common.query import DataQuery, open_dataset
from ganlib.common.sources.futures import future

Pixels = NDArray[np.uint8]
N, M = 3, 2


def clip(seed: int, length: int, side: int = 8, width: int | None = None) -> Pixels:
    """(length, side, width, 3) of noise."""
    shape = length, side, width or side, 3
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def blocks(seed: int, length: int) -> Pixels:
    """Large blocks of plain colours, which a codec keeps nearly."""
    coarse = np.random.default_rng(seed).integers(40, 215, (length, 2, 2, 3), dtype=np.uint8)
    return coarse.repeat(16, 1).repeat(16, 2)


def as_files(folder: Path, frames: Pixels) -> None:
    """1.png, 2.png, ..., of which the tenth comes after the ninth."""
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(folder / f"{i}.png")


def as_gif(path: Path, frames: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=40)


def as_coded(path: Path, frames: Pixels, codec: str = "mpeg4") -> None:
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())


def pairs(frames: Pixels, n: int = N, m: int = M) -> tuple[Tensor, Tensor]:
    """Sources and images of every pair, by hand."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2)
    past = [torch.cat([x[t + k] for k in range(n)]) for t in range(len(x) - n - m + 1)]
    after = [torch.cat([x[t + n + k] for k in range(m)]) for t in range(len(x) - n - m + 1)]
    return torch.stack(past), torch.stack(after)


def opened(folder: Path, source: str = f"past:{N}:{M}", **how: int) -> tuple[DataSet, Tensor]:
    data = open_dataset(str(folder), source=source, **how)  # type: ignore[arg-type]
    assert isinstance(data.x, Tensor) and isinstance(data.source, Tensor)
    return data, data.source


def test_pairs_of_folders_of_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [clip(0, 11), clip(1, 5)]
    for name, frames in zip("ab", clips, strict=True):
        as_files(tmp_path / "clips" / name, frames)
    data, source = opened(tmp_path / "clips")
    expected = [torch.cat(side) for side in zip(*map(pairs, clips), strict=True)]
    assert len(data) == 7 + 1
    assert torch.equal(source, expected[0]) and torch.equal(data.x[:], expected[1])  # type: ignore[index]
    assert (data.frames, data.source_frames, data.shape) == (M, N, (3 * M, 8, 8))
    assert data.provenance["sources"] == "3 past frames"
    assert data.provenance["images"] == "the next 2 frames"
    line = "clips: 8 images, each 2 frames after 3, out of 2 videos, 8x8 RGB\n"
    assert capsys.readouterr().err == line
    frames, whole = future(data, torch.tensor([0, 7]), 4)
    assert whole.tolist() == [True, False]
    assert torch.equal(frames[0], torch.from_numpy(clips[0]).permute(0, 3, 1, 2)[3:7])


def test_one_frame_is_next_where_nothing_else_is_said(tmp_path: Path) -> None:
    as_files(tmp_path / "clips" / "a", clip(0, 5)[..., :1].repeat(3, -1)[..., 0])
    data, source = opened(tmp_path / "clips", "past:4")
    assert data.shape == (1, 8, 8) and source.shape == (1, 4, 8, 8)
    assert (data.frames, data.source_frames) == (1, 4)
    assert DataQuery(str(tmp_path / "clips"), source="past:4").label == "clips_from_past_4"


def test_gifs(tmp_path: Path) -> None:
    """Of few colours, which a palette keeps."""
    frames = clip(0, 7) // 128 * 255
    as_gif(tmp_path / "gifs" / "a.gif", frames)
    data, source = opened(tmp_path / "gifs")
    expected = pairs(frames)
    assert torch.equal(source, expected[0]) and torch.equal(data.x[:], expected[1])  # type: ignore[index]
    grey = frames[..., :1].repeat(3, -1)
    as_gif(tmp_path / "grey" / "a.gif", grey)
    assert opened(tmp_path / "grey")[0].shape == (M, 8, 8)


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mov"])
def test_coded_videos(suffix: str, tmp_path: Path) -> None:
    frames = blocks(0, 9)
    as_coded(tmp_path / "clips" / f"a.{suffix}", frames)
    data, source = opened(tmp_path / "clips")
    expected = pairs(frames)
    assert data.shape == (3 * M, 32, 32) and len(data) == len(expected[0]) == 5
    for seen, wanted in ((source, expected[0]), (data.x[:], expected[1])):  # type: ignore[index]
        assert (seen.double() - wanted.double()).abs().mean() < 4


def test_webm(tmp_path: Path) -> None:
    frames = blocks(1, 6)
    as_coded(tmp_path / "clips" / "a.webm", frames, "libvpx")
    data, source = opened(tmp_path / "clips", "past:5")
    assert len(data) == 1 and (source.double() - pairs(frames, 5, 1)[0]).abs().mean() < 8


def turn(path: Path) -> None:
    """Say in an MP4 file that its pictures are to be turned by a quarter, clockwise."""
    content = path.read_bytes()
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes
    one = 1 << 16
    assert struct.unpack(">9i", content[at : at + 36]) == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    matrix = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content[:at] + matrix + content[at + 36 :])


def test_a_video_stands_upright(tmp_path: Path) -> None:
    """x' = -y, y' = x, y downwards: what was on top is on the right."""
    frames = blocks(2, 5)
    as_coded(tmp_path / "clips" / "a.mp4", frames)
    turn(tmp_path / "clips" / "a.mp4")
    _, source = opened(tmp_path / "clips")
    expected = pairs(np.rot90(frames, -1, (1, 2)).copy())[0]
    assert (source.double() - expected).abs().mean() < 4


def test_what_is_of_no_use_is_counted_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "clips"
    as_files(place / "good", clip(0, 6))
    as_files(place / "short", clip(1, 4))
    as_files(place / "mixed", clip(2, 6))
    Image.fromarray(clip(3, 1, 9)[0]).save(place / "mixed" / "3.png")
    as_files(place / "broken", clip(4, 12))
    whole = (place / "broken" / "10.png").read_bytes()
    (place / "broken" / "10.png").write_bytes(whole[: len(whole) // 2])
    as_gif(place / "still.gif", clip(5, 1))
    (place / "damaged.gif").write_bytes(b"GIF89a, and nothing else")
    (place / "notes.txt").write_text("")
    data, source = opened(place)
    expected = pairs(clip(4, 12)[:9])[0], pairs(clip(0, 6))[0]
    assert torch.equal(source, torch.cat(expected)) and len(data) == 5 + 2
    assert capsys.readouterr().err == (
        "clips: 7 images, each 2 frames after 3, out of 2 videos, 8x8 RGB; "
        "1 cut short where damaged; skipped 5: 1 not images (damaged.gif), "
        "1 not videos (notes.txt), 2 shorter than 5 frames (short, still.gif), "
        "1 with frames of several sizes (mixed)\n"
    )


def test_damaged_coded_videos_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_coded(tmp_path / "clips" / "a.mp4", blocks(0, 9))
    (tmp_path / "clips" / "b.mp4").write_bytes(b"no video")
    (tmp_path / "clips" / "c.webm").write_bytes(b"")
    assert len(opened(tmp_path / "clips")[0]) == 5
    line = capsys.readouterr().err
    assert line.endswith("skipped 2: 2 damaged or no videos (b.mp4, c.webm)\n")


def test_a_folder_without_a_video_ends_in_a_sentence(tmp_path: Path) -> None:
    as_files(tmp_path / "clips" / "a", clip(0, 4))
    with pytest.raises(UserError) as error:
        open_dataset(str(tmp_path / "clips"), source="past:4")
    assert str(error.value).startswith(
        f"There is no usable video of 5 frames or more in {tmp_path / 'clips'}; skipped 1: "
        "1 shorter than 5 frames (a): a video is a folder of image files, in the order of their "
    )


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"some")
    with pytest.raises(UserError) as error:
        open_dataset(str(tmp_path), source="past:4")
    assert str(error.value) == (
        "Videos like a.mp4 need the package av: run `pip install ganlib[video]`."
    )


def test_splits_are_of_whole_videos(tmp_path: Path) -> None:
    for split, seed, length in (("train", 0, 6), ("test", 1, 8)):
        as_files(tmp_path / "clips" / split / "a", clip(seed, length))
    assert len(open_dataset(str(tmp_path / "clips"), source="past:4")) == 2
    test = open_dataset(str(tmp_path / "clips"), split="test", source="past:4")
    assert len(test) == 4 and test.source is not None
    assert torch.equal(test.source[torch.arange(4)], pairs(clip(1, 8), 4, 1)[0])
    with pytest.raises(NoSuchSplit):
        open_dataset(str(tmp_path / "clips" / "train"), split="test", source="past:4")


def test_frames_become_square_as_images_do(tmp_path: Path) -> None:
    frames = clip(0, 5, 16, 24)
    as_files(tmp_path / "clips" / "a", frames)
    assert opened(tmp_path / "clips")[0].shape == (6, 64, 64)  # as of a folder
    _, source = opened(tmp_path / "clips", size=16)
    assert torch.equal(source, pairs(frames[:, :, 4:20].copy())[0])
    cropped = open_dataset(str(tmp_path / "clips"), size=16, crop=8, source=f"past:{N}:{M}")
    assert cropped.shape == (6, 8, 8) and cropped.source is not None
    middle = pairs(frames[:, 4:12, 8:16].copy())[0]
    assert torch.equal(cropped.source[torch.arange(1)], middle)
    as_files(tmp_path / "clips" / "b", clip(1, 5, 8))
    assert len(opened(tmp_path / "clips", size=16)[0]) == 2


def test_what_does_not_fit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_files(tmp_path / "clips" / "a", clip(0, 6))
    monkeypatch.setattr(_memory, "available_memory", lambda: 10)
    with pytest.raises(UserError, match="'clips' takes .* ganlib data prepare"):
        open_dataset(str(tmp_path / "clips"), source="past:4")


def test_a_folder_becomes_a_file(tmp_path: Path) -> None:
    frames = clip(0, 9)
    as_files(tmp_path / "clips" / "train" / "a", frames)
    as_files(tmp_path / "clips" / "test" / "a", clip(1, 6))
    out = tmp_path / "clips.h5"
    arguments = ["prepare", str(tmp_path / "clips"), str(out), "--source", f"past:{N}:{M}"]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    data = open_dataset(str(out))
    expected = pairs(frames)
    assert data.source is not None and (data.frames, data.source_frames) == (M, N)
    rows = torch.arange(len(data))
    assert torch.equal(data.source[rows], expected[0]) and torch.equal(data.x[rows], expected[1])
    assert len(open_dataset(str(out), split="test")) == 2
    told = CliRunner().invoke(command, ["info", str(out)]).output
    assert "train: 5 images, 8x8 RGB, 2 frames\n  each with a source image, 8x8, 9 channels" in told


def test_made_sequences_take_it_and_others_do_not(tmp_path: Path) -> None:
    data = open_dataset("moving", None, "test", source="past:2:10")
    assert (data.frames, data.source_frames, data.shape[0]) == (10, 2, 10)
    stream = DataQuery("pushed", None, "test", 16, source="past:2").stream()
    assert stream.source == (4, 16, 16)
    for name in ("fashion_mnist", "wardrobe"):
        with pytest.raises(UserError) as error:
            open_dataset(name, source="past:4")
        assert str(error.value) == (
            "The source 'past:4' is for a folder of videos or for sequences like those of moving, "
            f"and {name} is none: give another source."
        )

"""Pairs of past and next frames out of a folder of videos.

A pair of each frame that has so many before and after it, video by video, each pair a frame later
than the one before: common/sources/futures.py finds what comes after it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ganlib.common.data.spec import Shape
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import Account, attempt, count, in_threads
from ganlib.common.formats.decode import Pixels, Unusable, pixels, smaller
from ganlib.common.formats.folders import WAYS, common_side, split_folder
from ganlib.common.formats.hold_out import of_split
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Block, Stream, block_length, check_split
from ganlib.common.formats.video import CODED, GIF, Frame, Look, Video, frames, look, videos
from ganlib.common.io.console import progress
from ganlib.common.io.files import reading
from ganlib.common.sources.windows import frames_told

AT_ONCE = 64  # frames that threads square together
SHORT = "shorter than"


class Past(NamedTuple):
    """Sources that are n frames, of images that are the next m."""

    n: int
    m: int = 1


class _Videos(NamedTuple):
    """Usable videos, each with a look at it."""

    account: Account
    found: list[tuple[Video, Look]]
    asked: Past

    @property
    def channels(self) -> int:
        return 1 if all(seen.header.grey for _, seen in self.found) else 3

    @property
    def pairs(self) -> int:
        """At most so many."""
        return sum(seen.length - sum(self.asked) + 1 for _, seen in self.found)

    def refuse(self) -> UserError:
        """The sentence where there is no pair."""
        ends = " ".join(sorted({GIF, *CODED}))
        return UserError(
            f"There is no usable video of {sum(self.asked)} frames or more in "
            f"{self.account.place}{self.account.skipped()}: a video is a folder of image files, in "
            f"the order of their names, or a file that ends in one of {ends}."
        )


def stream_past(
    root: Path,
    asked: Past,
    split: str,
    size: int | None,
    sizing: Sizing = CROPPED,
    hold_out: float = 0.0,
) -> Stream:
    """The pairs of one split of the folder `root`, decoded frame by frame. Frames are squared as
    images of a folder are; where all are squares of one size, that is their size by default.

    Videos that are too short, cannot be read, or have frames of several sizes are left out, and the
    line on stderr says how many. Subfolders `train` and `test` are the splits, of whole videos.
    """
    check_split(split)
    with reading(root):
        if not root.is_dir():
            raise UserError(f"There is no folder {root}: give the path of a folder of videos.")
    place, name = split_folder(root, split, hold_out), root.resolve().name
    all_ = _look(Account(name if split == "train" else f"{name} ({split})", place), asked)
    side = size or common_side([seen.header for _, seen in all_.found])
    all_ = _large_enough(all_, side, sizing)
    shared = hold_out if place == root else 0.0
    chosen = of_split([video for video, _ in all_.found], split, shared)
    mine = all_._replace(found=[(video, seen) for video, seen in all_.found if video in chosen])
    kept = all(seen.header[:2] == (side, side) for _, seen in all_.found)
    return Stream(
        name,
        (asked.m * all_.channels, side, side),
        mine.pairs,
        _blocks(mine, all_.channels, side, sizing),
        source=(asked.n * all_.channels, side, side),
        provenance={
            "folder": str(place.resolve()),
            "size": "as in the files" if kept else f"{WAYS[sizing.fit]}, resized to {side}x{side}",
            **frames_told(*asked),
        },
        frames=asked.m,
        source_frames=asked.n,
        actions=0,
        resized=not kept,
        held_out=tuple(video.name for video in chosen) if shared and split == "test" else (),
    )


def _look(account: Account, asked: Past) -> _Videos:
    candidates, strange = videos(account.place)
    for name, reason in strange:
        account.skip(name, reason)
    result = _Videos(account, [], asked)
    with progress(f"looking at {account.name}", len(candidates)) as advance:
        for group, looks in in_threads(lambda one: attempt(lambda: look(one)), candidates, AT_ONCE):
            for video, seen in zip(group, looks, strict=True):
                if isinstance(seen, Unusable):
                    account.skip(video.name, str(seen))
                elif seen.length < sum(asked):
                    account.skip(video.name, f"{SHORT} {sum(asked)} frames")
                else:
                    result.found.append((video, seen))
            advance(len(group))
    if not result.found:
        raise result.refuse()
    return result


def _large_enough(all_: _Videos, side: int, sizing: Sizing) -> _Videos:
    """Without those that would have to be enlarged and are not to be."""
    found = []
    for video, seen in all_.found:
        if not sizing.enlarge and sizing.grows(seen.header[:2], side):
            all_.account.skip(video.name, smaller(side))
        else:
            found.append((video, seen))
            all_.account.changed.update(sizing.words(seen.header[:2], side))
    result = all_._replace(found=found)
    if not found:
        raise result.refuse()
    return result


def _blocks(all_: _Videos, channels: int, side: int, sizing: Sizing) -> Iterator[Block]:
    account, (n, m) = all_.account, all_.asked
    shape: Shape = ((n + m) * channels, side, side)
    for block in _grouped(_windows(all_, channels, side, sizing), block_length(shape)):
        windows = torch.from_numpy(np.stack(block))
        account.used += len(windows)
        source, x = windows[:, : n * channels], windows[:, n * channels :]
        yield Block(x.contiguous(), source=source.contiguous())
    if not account.used:
        raise all_.refuse()
    each = f"each {count(m, 'frame', 'frames')} after {n}"
    of = count(len(all_.found), "video", "videos")
    account.close((channels, side, side), (), f"{each}, out of {of}, ")


def _windows(all_: _Videos, channels: int, side: int, sizing: Sizing) -> Iterator[Pixels]:
    """n + m frames on the channels, of each pair."""
    for video, seen in all_.found:
        window: deque[Pixels] = deque(maxlen=sum(all_.asked))
        try:
            for frame in _squared(video, seen.length, channels, side, sizing):
                window.append(frame)
                if len(window) == window.maxlen:
                    yield np.concatenate(window)
        except Unusable as error:
            if len(window) == window.maxlen:
                all_.account.changed["cut short where damaged"] += 1
            else:
                all_.account.skip(video.name, str(error))


def _squared(
    video: Video, length: int, channels: int, side: int, sizing: Sizing
) -> Iterator[Pixels]:
    """The first `length` frames; Unusable at a damaged one, once those before it are given."""

    def squared(frame: Frame | Unusable) -> Pixels | Unusable:
        if isinstance(frame, Unusable):
            return frame
        return attempt(lambda: pixels(frame, channels, side, sizing))

    for _, results in in_threads(squared, islice(_marked(frames(video)), length), AT_ONCE):
        for result in results:
            if isinstance(result, Unusable):
                raise result
            yield result


def _marked(found: Iterator[Frame]) -> Iterator[Frame | Unusable]:
    """With what ends them too early as the last."""
    try:
        yield from found
    except Unusable as error:
        yield error


def _grouped(items: Iterable[Pixels], length: int) -> Iterator[list[Pixels]]:
    rest = iter(items)
    while group := list(islice(rest, length)):
        yield group

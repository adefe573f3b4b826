"""past:N[:M]: of a folder of videos, of `moving` and of `pushed`: N frames on the channels, oldest
first; the image is the next frame, or the next M on its channels

A pair of each frame that has so many before and after it, video by video, each pair a frame later
than the one before: common/sources/futures.py finds what comes after it.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from ganlib.common.data.spec import DataSet, Shape
from ganlib.common.errors import UserError
from ganlib.common.formats.blocks import Account, count, in_threads, looked
from ganlib.common.formats.decode import Pixels, Unusable, pixels, smaller
from ganlib.common.formats.folders import common_side, of_split, open_account, told_size
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Block, Stream, as_stream, block_length
from ganlib.common.formats.video import CODED, GIF, Frame, Look, Video, frames, look, videos
from ganlib.common.query import OWN, DataQuery, FileSource
from ganlib.common.synthetic.sequences import frames_told

AT_ONCE = 64  # frames that threads square together


def make(text: str) -> "Past":
    """So many past frames, and how many are next."""
    argument = text.partition(":")[2]
    if not re.fullmatch("[1-9][0-9]{0,3}(:[1-9][0-9]{0,3})?", argument):
        raise UserError(
            f"The source '{text}' should say how many frames are past, as in past:4, and perhaps "
            "how many are next, as in past:4:10."
        )
    return Past(*map(int, argument.split(":")))


@dataclass(frozen=True)
class Past(FileSource):
    """Sources that are n frames, of images that are the next m, of a folder of videos or of made
    sequences.
    """

    n: int
    m: int = 1

    @property
    def length(self) -> int:
        """Frames of a pair."""
        return self.n + self.m

    def open(self, query: DataQuery) -> DataSet:
        if query.find().is_folder:
            return super().open(query)
        return OWN.fit(self._made(query), query)

    def stream(self, query: DataQuery, sizing: Sizing = CROPPED) -> Stream:
        """Frames are squared as images of a folder are; where all are squares of one size, that is
        their size by default.

        Videos that are too short, cannot be read, or have frames of several sizes are left out, and
        the line on stderr says how many. Subfolders `train` and `test` are the splits, of whole
        videos.
        """
        if not query.find().is_folder:
            return as_stream(self._made(query))
        root, split = query.find().place, query.split
        account = open_account(root, split, query.hold_out, "videos")
        found = dict(looked(account, videos(account), self._look, AT_ONCE))
        side = query.size or common_side([seen.header for seen in found.values()])
        for video, seen in [*found.items()]:
            if not sizing.enlarge and sizing.grows(seen.header[:2], side):
                del found[video]
                account.skip(video.name, smaller(side))
            else:
                account.changed.update(sizing.words(seen.header[:2], side))
        if not found:
            raise self._refuse(account)
        channels = 1 if all(seen.header.grey for seen in found.values()) else 3
        shared = query.hold_out if account.place == root else 0.0
        mine = {video: found[video].length for video in of_split([*found], split, shared)}
        own = all(seen.header[:2] == (side, side) for seen in found.values())
        return Stream(
            root.resolve().name,
            (self.m * channels, side, side),
            sum(length - self.length + 1 for length in mine.values()),
            self._blocks(mine, account, (channels, side, side), sizing),
            source=(self.n * channels, side, side),
            provenance={
                "folder": str(account.place.resolve()),
                "size": told_size(own, side, sizing),
                **frames_told(self.n, self.m),
            },
            frames=self.m,
            source_frames=self.n,
            actions=0,
            resized=not own,
            held_out=tuple(video.name for video in mine) if shared and split == "test" else (),
        )

    def _made(self, query: DataQuery) -> DataSet:
        past = query.find().also("past")
        if past is None:
            raise UserError(
                f"The source '{query.source}' is for a folder of videos or for sequences like "
                f"those of moving, and {query.dataset} is none: give another source."
            )
        data: DataSet = past(query.split, query.size, self.n, self.m)
        return data

    def _look(self, video: Video) -> Look:
        """What there is of a video; Unusable if it is too short, too."""
        seen = look(video)
        if seen.length < self.length:
            raise Unusable(f"shorter than {self.length} frames")
        return seen

    def _refuse(self, account: Account) -> UserError:
        """The sentence where there is no pair."""
        ends = " ".join(sorted({GIF, *CODED}))
        return UserError(
            f"There is no usable video of {self.length} frames or more in "
            f"{account.place}{account.skipped()}: a video is a folder of image files, in "
            f"the order of their names, or a file that ends in one of {ends}."
        )

    def _blocks(
        self, found: Mapping[Video, int], account: Account, frame: Shape, sizing: Sizing
    ) -> Iterator[Block]:
        """The pairs of videos of so many frames."""
        channels, side, _ = frame
        windows = self._windows(found, account, frame, sizing)
        length = block_length((self.length * channels, side, side))
        while group := list(islice(windows, length)):
            block = torch.from_numpy(np.stack(group))
            account.used += len(block)
            source, x = block[:, : self.n * channels], block[:, self.n * channels :]
            yield Block(x.contiguous(), source=source.contiguous())
        if not account.used:
            raise self._refuse(account)
        each = f"each {count(self.m, 'frame', 'frames')} after {self.n}"
        account.close(frame, (), f"{each}, out of {count(len(found), 'video', 'videos')}, ")

    def _windows(
        self, found: Mapping[Video, int], account: Account, frame: Shape, sizing: Sizing
    ) -> Iterator[Pixels]:
        """n + m frames on the channels, of each pair."""
        for video, length in found.items():
            window: deque[Pixels] = deque(maxlen=self.length)
            try:
                for one in _squared(video, length, frame, sizing):
                    window.append(one)
                    if len(window) == window.maxlen:
                        yield np.concatenate(window)
            except Unusable as error:
                if len(window) == window.maxlen:
                    account.changed["cut short where damaged"] += 1
                else:
                    account.skip(video.name, str(error))


def _squared(video: Video, length: int, frame: Shape, sizing: Sizing) -> Iterator[Pixels]:
    """The first `length` frames; Unusable at a damaged one, once those before it are given."""

    def squared(one: Frame | Unusable) -> Pixels:
        if isinstance(one, Unusable):
            raise one
        return pixels(one, *frame[:2], sizing)

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

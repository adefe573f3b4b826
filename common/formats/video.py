"""One video: a folder of image files, a GIF, or a file that the package av reads, or writes.

Frames are pictures, to be squared as image files are.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageSequence

from ganlib.common.formats.blocks import Account
from ganlib.common.formats.decode import SUFFIXES, Header, Unusable, header, opened
from ganlib.common.formats.folders import files
from ganlib.common.io.files import MARK, as_user_error

GIF, MP4 = ".gif", ".mp4"
CODED = frozenset(".avi .m4v .mkv .mov .mp4 .webm".split())
INSTALL = "pip install ganlib[video]"

Frame: TypeAlias = Path | Image.Image


class Video(NamedTuple):
    """A name to call it by, and its file or the files of its frames in their order."""

    name: str
    place: Path | tuple[Path, ...]


class Look(NamedTuple):
    """What is known before frames are squared: the size and kind of each, and how many there are at
    most.
    """

    header: Header
    length: int


def videos(account: Account) -> list[Video]:
    """The videos below an account's folder by name; what else lies there goes to the account.

    A folder, also that itself, is a video of the image files directly inside it, in the order of
    their names, in which numbers count by value: frame2 is before frame10.
    """
    found, frames, folder = [], dict[Path, list[Path]](), account.place
    for path in files(folder):
        suffix, name = path.suffix.lower(), str(path.relative_to(folder))
        if not os.path.isfile(path):
            account.skip(name, "unreadable")
        elif suffix == GIF or suffix in CODED:
            found.append(Video(name, path))
        elif suffix in SUFFIXES:
            frames.setdefault(path.parent, []).append(path)
        else:
            account.skip(name, "not videos")
    for place, paths in frames.items():
        name = str(place.relative_to(folder))
        found.append(Video(name, tuple(sorted(paths, key=lambda path: _natural(path.name)))))
    return sorted(found)


def look(video: Video) -> Look:
    """What there is of a video; Unusable if it cannot be read or its frames differ in size.
    UserError if the package is missing that reads it.
    """
    if isinstance(video.place, tuple):
        headers = [header(path) for path in video.place]
    elif video.place.suffix.lower() == GIF:
        headers = [_header(frame) for frame in frames(video)]
    else:
        return _look_into(video.place)
    if len({(one.width, one.height) for one in headers}) > 1:
        raise Unusable("with frames of several sizes")
    return Look(headers[0]._replace(grey=all(one.grey for one in headers)), len(headers))


def frames(video: Video) -> Iterator[Frame]:
    """Its frames, which are files or pictures; Unusable where it cannot be read any further."""
    if isinstance(video.place, tuple):
        yield from video.place
    elif video.place.suffix.lower() == GIF:
        with opened(video.place) as image:
            yield from (frame.copy() for frame in ImageSequence.Iterator(image))
    else:
        with _coded(video.place) as (container, stream):
            for frame in container.decode(stream):
                yield _upright(frame)


def write_video(pictures: Sequence[Image.Image], path: Path, rate: Fraction) -> None:
    """Pictures of one size as the frames of an MP4, so many a second; a last odd row or column of
    pixels is repeated, which the format asks for.
    """
    width, height = (side + side % 2 for side in pictures[0].size)
    with av_for(path).open(str(path), "w", format="mp4") as container:
        container.metadata["comment"] = MARK
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            pixels = np.asarray(picture.convert("RGB"))
            odd = [(0, height - picture.height), (0, width - picture.width), (0, 0)]
            frame = av_for(path).VideoFrame.from_ndarray(np.pad(pixels, odd, "edge"))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _natural(name: str) -> tuple[list[Any], str]:
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _header(frame: Frame) -> Header:
    """Of a frame of a GIF, whose palettes may be of colours and the pixels grey."""
    assert isinstance(frame, Image.Image)
    red, green, blue = np.asarray(frame.convert("RGB")).transpose(2, 0, 1)
    return Header(*frame.size, bool((red == green).all() and (red == blue).all()))


def _look_into(path: Path) -> Look:
    """Without decoding more than one frame, so that packets are what is counted."""
    with _coded(path) as (container, stream):
        picture = next(map(_upright, container.decode(stream)), None)
        if picture is None:
            raise Unusable("without frames")
        container.seek(0)
        length = sum(packet.size > 0 for packet in container.demux(stream))
    return Look(Header(*picture.size, picture.mode == "L"), length)


@contextmanager
def _coded(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container of a video file and its first stream of pictures."""
    av = av_for(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise Unusable("without pictures")
            yield container, container.streams.video[0]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise Unusable("damaged or no videos") from error


def _upright(frame: Any) -> Image.Image:
    """A decoded frame, turned as the file says; grey only if it is coded so."""
    picture: Image.Image = frame.to_image()
    if frame.format.name.startswith("gray"):
        picture = picture.convert("L")
    turn = getattr(frame, "rotation", 0)
    return picture.rotate(turn, expand=True) if turn else picture


def av_for(path: Path) -> Any:
    """The package av; UserError where it is missing."""
    missing = f"Videos like {path.name} need the package av: run `{INSTALL}`."
    with as_user_error(lambda _: missing, ImportError):
        return import_module("av")

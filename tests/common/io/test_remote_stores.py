"""Object stores and web servers as they answer, on this machine alone."""

import os
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from PIL import Image

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io import remote
from ganlib.common.io.remote import place_of
from ganlib.common.query import DataQuery
from ganlib.contract.fixtures import toy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sessions end with the process
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of botocore's, about clocks
]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photos/ of two classes, maps/ of their names and toy.h5."""
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "FRESH", -1.0)
    random, folder = np.random.default_rng(0), tmp_path / "bucket"
    for name in ("a/0.png", "a/1.png", "b/2.png"):
        for kind, shape in (("photos", (8, 8, 3)), ("maps", (8, 8))):
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 3, shape, np.uint8)).save(path)
    write_hdf5(folder / "toy.h5", toy(), toy(n=8))
    return folder


@pytest.fixture
def s3(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server of S3's that holds these as s3://bucket."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install ganlib[remote]")
    moto = pytest.importorskip("moto.server", reason="moto is not: pip install moto[server]")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.makedirs("bucket", exist_ok=True)
    system.put(f"{bucket}/", "bucket", recursive=True)
    fsspec.filesystem("s3").clear_instance_cache()
    yield system
    server.stop()


def assert_same(one: DataSet, other: DataSet) -> None:
    for name in ("x", "y", "source"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        assert mine is None or torch.equal(mine, theirs)


def assert_as_local(bucket: Path, address: str) -> None:
    for how in ({}, {"source": "{}/maps"}, {"source": "label-maps:{}/maps", "hold_out": 1.0}):
        both = []
        for place in (str(bucket), address):
            more: dict[str, Any] = {**how, "source": how.get("source", "edges").format(place)}  # type: ignore[attr-defined]
            both.append(DataQuery(f"{place}/photos", **more).open())
        assert_same(*both)
    assert_same(*(DataQuery(f"{p}/toy.h5", split="test").open() for p in (str(bucket), address)))


def test_s3(s3: Any, bucket: Path) -> None:
    assert_as_local(bucket, "s3://bucket")
    place = place_of("s3://bucket/photos")
    before = (place / "a" / "0.png").stat().st_mtime_ns
    s3.put(str(bucket / "photos" / "b" / "2.png"), "bucket/photos/a/1.png")
    place_of("s3://bucket/photos")
    assert (place / "a" / "0.png").stat().st_mtime_ns == before
    assert (place / "a" / "1.png").read_bytes() == (place / "b" / "2.png").read_bytes()


@pytest.mark.parametrize(
    ("address", "environment", "words"),
    [
        ("s3://bucket/none", {}, "There is nothing at s3://bucket/none: see whether"),
        ("s3://no-bucket/photos", {}, "There is nothing at s3://no-bucket/photos: see whether"),
        (
            "s3://bucket/photos",
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nowhere"},
            r"s3://bucket/photos cannot be read \(NoCredentialsError: .*: give credentials",
        ),
        (
            "s3://bucket/photos",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            r"s3://bucket/photos cannot be read \(EndpointConnectionError: ",
        ),
    ],
)
def test_what_s3_refuses_is_a_sentence(
    s3: Any,
    address: str,
    environment: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=words):
        place_of(address)


def test_a_server_that_goes_away_leaves_what_has_come(
    bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install ganlib[remote]")
    monkeypatch.setattr(remote, "AT_ONCE", 1)
    lost = [bucket / "photos" / "b" / "2.png"]

    class Handler(SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            if lost and getattr(source, "name", "") == str(lost[0]):  # a page has none
                outputfile.write(source.read(20))
                lost.clear()
                raise ConnectionResetError
            super().copyfile(source, outputfile)

        def log_message(self, *_: object) -> None:
            pass

    with served(bucket, Handler) as address:
        with pytest.raises(UserError, match=rf"{address}/photos cannot be read .*[12] of 3 files"):
            place_of(f"{address}/photos")
        assert_as_local(bucket, address)
    with pytest.raises(UserError, match=f"{address}/toy.h5 cannot be read .ClientConnector"):
        place_of(f"{address}/toy.h5")


class served:  # noqa: N801
    """A web server of a folder, at the address that it is given as."""

    def __init__(self, folder: Path, handler: Any) -> None:
        made = partial(handler, directory=str(folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), made)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]

    def __enter__(self) -> str:
        Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

"""ganlib explore: what PyTorch answers to the page, and who may ask."""

import base64
import json
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.io.server import Server
from ganlib.common.pictures import to_uint8
from ganlib.common.query import DataQuery
from ganlib.common.sources.edges import edges
from ganlib.contract.fixtures import small_updater
from ganlib.runs.settings import resolve
from ganlib.sampling.model import Model
from ganlib.sampling.page import exploring
from ganlib.sampling.page.exploring import Explorer
from ganlib.sampling.page.graphs import ToSource

Make = Callable[..., Path]


def asked(explorer: Explorer, way: str, **what: Any) -> dict[str, Any]:
    answer = explorer.post(f"/{way}", json.dumps(what).encode())
    assert answer is not None
    found: dict[str, Any] = json.loads(answer.content)
    return found


def images(packed: dict[str, Any]) -> torch.Tensor:
    content = bytearray(base64.b64decode(packed["data"]))
    return torch.frombuffer(content, dtype=torch.uint8).reshape(packed["dims"])


def test_pictures_are_the_snapshots(explorer: Explorer) -> None:
    stream = explorer.model.updater.sample_stream(4, y=2)
    z, _ = stream.latents([3, 8])
    told = {"codes": z.flatten().tolist(), "y": 2 * [0, 0, 1], "noise": 1, "n": 2}
    found = asked(explorer, "images", **told)
    assert torch.equal(images(found["images"]), to_uint8(stream.images([3, 8])))
    later = explorer._at(9).updater.sample_stream(4, y=2).images([3, 8])
    found = asked(explorer, "images", **told, iteration=9)
    assert torch.equal(images(found["images"]), to_uint8(later))
    assert asked(explorer, "codes", z=z[0].tolist(), y=[0, 0, 1])["codes"] == z[0].tolist()


def test_the_nearest_training_images(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "NEAREST", 3)
    x = explorer._data.x[torch.tensor([11])]
    packed = {"dims": list(x.shape), "data": base64.b64encode(x.numpy().tobytes()).decode()}
    found = images(asked(explorer, "nearest", images=packed)["images"]).double()
    every = explorer._data.x[torch.arange(40)].double()
    order = (every - x.double()).square().sum((1, 2, 3)).argsort()[:3]
    assert order[0] == 11 and torch.equal(found, every[order])


def test_of_the_way_back_the_sources_are_the_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = small_updater("cyclegan")
    updater.turn()
    model = Model(updater, resolve({"algorithm": "cyclegan", "source": "grey"}).flat(), tmp_path)
    x, grey = torch.zeros(3, 3, 8, 8).byte(), torch.ones(3, 1, 8, 8).byte()
    data = DataSet("two sides", x, source=grey, pairs=False)
    monkeypatch.setattr(DataQuery, "open", lambda _: data)
    explorer = Explorer(model, [], lambda _: model)
    assert torch.equal(explorer._data.x, grey)
    assert ToSource.of(model) is None  # of an upload nothing has to be made


def test_codes_are_truncated_by_the_mean_of_their_own_snapshot(tmp_path: Path) -> None:
    settings = resolve({"algorithm": "stylegan2"}).flat()
    newest, earlier = (Model(small_updater("stylegan2"), settings, tmp_path) for _ in range(2))
    earlier.updater.sampling_gen.w_mean.add_(1)
    explorer = Explorer(newest, [5], lambda _: earlier)
    stream = earlier.updater.sample_stream(0, truncation=0.3)
    z, y = stream.latents([4])
    found = asked(explorer, "codes", z=z[0].tolist(), y=y, psi=0.3, iteration=5)["codes"]
    torch.testing.assert_close(torch.tensor(found), stream.code(z, y)[0])


def test_a_picture_is_found_again(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "STEPS", 3)
    x = to_uint8(explorer.model.sample(1, seed=0, y=1))
    packed = {"dims": list(x.shape), "data": base64.b64encode(x.numpy().tobytes()).decode()}
    found = asked(explorer, "invert", images=packed)
    assert len(found["codes"]) == 100 and sum(found["y"]) == 1 and found["psnr"] > 0
    later = asked(explorer, "invert", images=packed, iteration=9)
    assert later["psnr"] < found["psnr"]  # of another generator it is no sample


def test_a_picture_becomes_what_is_started_from(tmp_path: Path) -> None:
    settings = resolve({"algorithm": "pix2pix", "source": "edges"}).flat()
    model = Model(small_updater("pix2pix"), settings, tmp_path)
    explorer = Explorer(model, [], lambda _: model)
    x = torch.randint(256, (1, *model.spec.native)).byte()
    packed = {"dims": list(x.shape), "data": base64.b64encode(x.numpy().tobytes()).decode()}
    found = images(asked(explorer, "source", images=packed)["images"])
    assert torch.equal(found, F.pad(edges(x), (2, 2, 2, 2)))


@pytest.mark.parametrize(
    ("way", "what"),
    [
        ("source", {"images": {"dims": [1, 1, 2, 2], "data": "AAAA"}}),
        ("images", {"codes": [1.0], "y": [1], "noise": 1, "n": 1}),
        ("images", {"n": 1}),
        ("images", {"codes": [], "y": None, "noise": 1, "n": 1, "iteration": 8}),
        ("codes", {"z": "x", "y": None}),
        ("nearest", {"images": {"dims": [1, 3, 4, 4], "data": "AAAA"}}),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(explorer: Explorer, way: str, what: Any) -> None:
    with pytest.raises(UserError, match="cannot be drawn|There is no snapshot|No source is"):
        asked(explorer, way, **what)


def send(server: Server, path: str, content: str, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("POST", path, content, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_who_may_ask(server: Server) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", "/")
    page = connection.getresponse()
    assert page.status == 200 and b"connect-src 'self'" in page.read()
    connection.request("GET", "/about.js")
    assert b"ganlibServed" in connection.getresponse().read()
    connection.close()
    own = f"http://127.0.0.1:{server.server_port}"
    z = json.dumps({"z": [0.0] * 100, "y": [1, 0, 0]})
    assert send(server, "/codes", z, Origin=own)[0] == 200
    assert send(server, "/codes", z)[0] == 403  # of another page, or of none
    assert send(server, "/codes", z, Origin="http://elsewhere.test")[0] == 403
    assert send(server, "/codes", z, Origin=own, Host="elsewhere.test")[0] == 421
    assert send(server, "/nothing", z, Origin=own)[0] == 404
    status, words = send(server, "/codes", "{}", Origin=own)
    assert status == 400 and b"cannot be drawn" in words

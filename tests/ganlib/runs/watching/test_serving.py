"""The page over HTTP, and what of a machine can be had through it."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.common.io.server import Server

Begin = Callable[..., Any]
Serving = Callable[..., AbstractContextManager[Server]]


def get(server: Server, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.content = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def test_page_news_and_pictures_and_nothing_else(
    serving: Serving, begin: Begin, tmp_path: Path
) -> None:
    run = begin()
    run.log(100, loss=1.0)
    picture = run.grid(100).read_bytes()
    with serving(tmp_path / "result") as server:
        page = get(server, "/")
        assert page.status == 200 and b'id="runs"' in page.content
        assert b"connect-src 'self'" in page.content
        assert page.getheader("X-Frame-Options") == "DENY"
        news = json.loads(get(server, "/now?since=").content)
        ((_, source),) = next(iter(news["runs"].values()))["grids"]
        answer = get(server, f"/{source}")
        assert answer.content == picture and answer.getheader("Content-Type") == "image/png"
        for path in (
            *("/config.yaml", "/../config.yaml", "/picture/", "/picture/../config.yaml"),
            *("/picture/%2e%2e/config.yaml", "//etc/passwd", "/picture//etc/passwd", "/%00"),
            *("/dcgan_seed0/samples/0000100.png", "/result", "/now/", "/page.html"),
        ):
            assert get(server, path).status == 404, path
        for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
            assert get(server, "/", method).status == 501
        before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
        get(server, "/")
        assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}


def test_who_comes_by_another_name_is_refused(serving: Serving, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for host in ("evil.com", "evil.com:80", "127.0.0.1.evil.com", "", "10.0.0.1", "[", "a b"):
            assert get(server, "/", Host=host).status == 421, host
        for host in ("localhost", "LOCALHOST:9", "127.0.0.1:80", "[::1]:8"):
            assert get(server, "/", Host=host).status == 200, host


def test_another_address_needs_the_token(serving: Serving, tmp_path: Path) -> None:
    with serving(tmp_path, "0.0.0.0") as server:
        assert len(server.token) > 20 and server.token in server.url
        for path in ("/", "/now?since=", "/picture/x", f"/now?token={server.token}"):
            assert get(server, path).status == 403
        assert get(server, "/?token=wrong").status == 403
        assert get(server, "/?token=%ff").status == 403
        sent = get(server, f"/?token={server.token}")
        assert sent.status == 303 and sent.getheader("Location") == "/"
        cookie = sent.getheader("Set-Cookie") or ""
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert get(server, "/", Cookie=cookie.partition(";")[0]).status == 200
        name = cookie.partition("=")[0]
        for wrong in (f"{name}=", f"{name}=x", f"other={server.token}", ";;=", '"'):
            assert get(server, "/", Cookie=wrong).status == 403
        assert get(server, "/", Host="evil.com").status == 421


def test_the_own_address_needs_none(serving: Serving, tmp_path: Path) -> None:
    with serving(tmp_path, "localhost") as server:
        assert server.token == "" and get(server, "/").status == 200
        assert server.url == f"http://localhost:{server.server_port}/"


def test_what_cannot_be_served_is_a_sentence(serving: Serving, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with pytest.raises(UserError, match=f"port {server.server_port}: Address already in use"):
            Server(server.answers, "127.0.0.1", server.server_port)
        with Server(server.answers, "127.0.0.1", None) as other:
            assert other.server_port != server.server_port
    for host in ("no such host", "x" * 300, "256.0.0.1"):
        with pytest.raises(UserError, match="is no address of a machine"):
            Server(server.answers, host, None)


def test_a_reader_who_goes_away_is_no_error(
    serving: Serving, tmp_path: Path, begin: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    begin().log(1, loss=1.0)
    with serving(tmp_path / "result") as server:
        connection = HTTPConnection("127.0.0.1", server.server_port)
        connection.request("GET", "/")
        connection.close()
        assert get(server, "/").status == 200
    assert capsys.readouterr().err == ""

"""A page over HTTP, with what it asks for: answers that are made, and no file by where it lies."""

import hmac
import ipaddress
import secrets
import socket
import sys
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import parse_qs, urlsplit

import click

from ganlib.common.errors import UserError
from ganlib.common.io.console import printable
from ganlib.common.io.files import MIB

PORT = 7007
"""The first choice, so that a page that is open finds who serves it again."""
PATIENCE = 30  # seconds for a request, and between two of a connection
LARGEST = 64 * MIB
"""Of what a page may send."""
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Answer(NamedTuple):
    """kept: whether a browser need not ask for it again."""

    content: bytes
    kind: str = "application/json"
    kept: bool = False


class Answers(Protocol):
    """What is served. get: of "/", the page, and of other paths; None for what is not there. In the
    words of `verb` whoever lacks the token is told where to find it.
    """

    verb: str

    def get(self, path: str, query: Mapping[str, str]) -> Answer | None: ...


class Asked(Answers, Protocol):
    """Of a page that sends something too: post, with what it has sent. UserError: a sentence that
    the page is to show.
    """

    def post(self, path: str, content: bytes) -> Answer | None: ...


class Server(ThreadingHTTPServer):
    """Answers whoever names it by a name of its own, and from other machines knows its token.

    host: an address of this machine, or a name of it. port: None for the first choice, or any that
    is free.
    """

    daemon_threads = True

    def __init__(self, answers: Answers, host: str, port: int | None) -> None:
        self.answers, self.host = answers, host
        self.address_family, address = _address(host)
        self.loopback = ipaddress.ip_address(address).is_loopback
        self.token = "" if self.loopback else secrets.token_urlsafe(24)
        for choice in (PORT, 0) if port is None else (port,):
            try:
                super().__init__((address, choice), Page)
                return
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"Nothing can be served at {host}, port {port}: {reason}.")

    @property
    def url(self) -> str:
        """What a browser is to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if ipaddress.ip_address(str(self.server_address[0])).is_unspecified:  # of every address
            host = socket.gethostname()
        token = f"?token={self.token}" if self.token else ""
        return f"http://{host}:{self.server_port}/{token}"

    def knows(self, host: str) -> bool:
        """Whether a browser that asks for this host means this server, and was not led here by the
        name of another's site.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            return ipaddress.ip_address(name).is_loopback or not self.loopback
        except ValueError:
            return name in {"localhost", self.host.lower(), *self._names()}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """That a browser went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def _names(self) -> set[str]:
        return set() if self.loopback else {socket.gethostname().lower(), socket.getfqdn().lower()}


def serve(answers: Answers, host: str, port: int | None, opens: bool, what: str, end: str) -> None:
    """Serve until Ctrl-C. what: in words, which the place follows; end: what Ctrl-C does. opens: in
    a browser too.
    """
    with suppress(KeyboardInterrupt), Server(answers, host, port) as server:
        click.echo(f"{printable(what)} at {server.url}")
        click.echo(f"Ctrl-C ends {end}.")
        if opens:
            webbrowser.open(server.url)
        server.serve_forever()


def _address(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        family, *_, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise UserError(
            f"--host {host} is no address of a machine: give 127.0.0.1, or 0.0.0.0 for all of this "
            "one's."
        ) from None
    return family, str(address[0])


class Page(BaseHTTPRequestHandler):
    """GET of what Answers have, and POST of what Asked have, by pages of this server alone."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ganlib", ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        path, _, text = self.path.partition("?")
        query = {name: values[0] for name, values in parse_qs(text).items()}
        if self._refused(path, query.get("token", "")):
            return
        if path == "/favicon.ico":  # browsers ask for it unasked
            return self._answer(HTTPStatus.NO_CONTENT, b"")
        self._give(self._server.answers.get(path, query))

    def do_POST(self) -> None:
        answers = self._server.answers
        if not hasattr(answers, "post"):
            return self.send_error(HTTPStatus.NOT_IMPLEMENTED)
        # what it sends is not read before it is known to be welcome
        self.close_connection = True
        if self._refused(self.path):
            return None
        if urlsplit(self.headers.get("Origin", "")).netloc != self.headers.get("Host"):
            return self._answer(HTTPStatus.FORBIDDEN, b"This is for a page of this server.\n")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            return self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"That is too much.\n")
        content = self.rfile.read(int(length))
        try:
            return self._give(cast(Asked, answers).post(self.path, content))
        except UserError as error:
            return self._answer(HTTPStatus.BAD_REQUEST, str(error).encode())

    @property
    def _server(self) -> Server:
        return cast(Server, self.server)

    def _refused(self, path: str, given: str = "") -> bool:
        """Whether this was answered already: whoever names another server is sent away, and whoever
        has no token yet is asked for it.
        """
        server = self._server
        if not server.knows(self.headers.get("Host", "")):
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"This is another server.\n")
            return True
        if not server.token or self._may(server.token):
            return False
        if path == "/" and hmac.compare_digest(given.encode(), server.token.encode()):
            cookie = f"{self._cookie}={given}; HttpOnly; SameSite=Strict; Path=/"
            more = {"Location": "/", "Set-Cookie": cookie}
            self._answer(HTTPStatus.SEE_OTHER, b"", more=more)
        else:
            words = f"Open the address that ganlib {server.answers.verb} has printed.\n"
            self._answer(HTTPStatus.FORBIDDEN, words.encode())
        return True

    def _give(self, answer: Answer | None) -> None:
        if answer is None:
            return self._answer(HTTPStatus.NOT_FOUND, b"There is nothing.\n")
        keep = {"Cache-Control": "private, max-age=31536000, immutable"} if answer.kept else {}
        return self._answer(HTTPStatus.OK, answer.content, answer.kind, keep)

    @property
    def _cookie(self) -> str:
        """Its name: cookies do not tell ports apart."""
        return f"ganlib-{self._server.server_port}"

    def _may(self, token: str) -> bool:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return False
        given = cookies[self._cookie].value if self._cookie in cookies else ""
        return hmac.compare_digest(given.encode(), token.encode())

    def _answer(
        self,
        status: HTTPStatus,
        content: bytes,
        kind: str = "text/plain",
        more: dict[str, str] | None = None,
    ) -> None:
        try:
            self.send_response(status)
            kind = kind if kind.startswith("image/") else f"{kind}; charset=utf-8"
            headers = {"Content-Type": kind, "Content-Length": str(len(content))}
            headers |= {"Cache-Control": "no-store"} | SAFE | (more or {})
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:  # the page was closed
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: a line a second would be no news."""

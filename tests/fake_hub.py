"""A Hugging Face hub on loopback: what a client asks it for to make a repository, to write into it
in commits, and to read files at a revision.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_right"
Files = dict[str, bytes]


class Hub(ThreadingHTTPServer):
    """private: repositories that are seen with TOKEN alone. commits: the files of each commit of a
    repository by its id, the newest last. asked: (method, path) of every request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.private = set[str]()
        self.commits = dict[str, dict[str, Files]]()
        self.asked = list[tuple[str, str]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers meanwhile."""
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, content: Any = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def may(self, repository: str) -> bool:
        """Whether who asks may see it; said if not, as hubs do."""
        token = self.headers.get("Authorization")
        if token not in (None, f"Bearer {TOKEN}"):
            words = "Invalid credentials in Authorization header"
            self.answer(401, {"error": words}, X_Error_Message=words)
            return False
        hidden = repository in self.server.private and token is None
        if hidden or repository not in self.server.commits:
            self.answer(401 if token is None else 404, X_Error_Code="RepoNotFound")
            return False
        return True

    def files(self, repository: str, revision: str) -> tuple[str, Files] | None:
        """The commit and its files; said if there is none."""
        commits = self.server.commits[repository]
        commit = list(commits)[-1] if revision == "main" and commits else unquote(revision)
        if commit not in commits:
            self.answer(404, X_Error_Code="RevisionNotFound")
            return None
        return commit, commits[commit]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.partition("?")[0]
        self.server.asked.append(("POST", path))
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "Invalid username or password."})
            asked = json.loads(content)
            name = f"{asked['organization']}/{asked['name']}"
            if asked["organization"] != "me":
                return self.answer(403, {"error": "You don't have the rights"})
            new = name not in self.server.commits
            if new:
                self.server.commits[name] = {}
                if asked.get("visibility") == "private" or asked.get("private"):
                    self.server.private.add(name)
            return self.answer(200 if new else 409, {"url": f"{self.server.url}/{name}"})
        name, verb = re.fullmatch(
            "/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path
        ).groups()  # type: ignore[union-attr]
        if not self.may(name):
            return None
        if verb == "preupload":
            found = [f["path"] for f in json.loads(content)["files"]]
            modes = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in found]
            return self.answer(200, {"files": modes})
        lines = [json.loads(line) for line in content.splitlines()]
        commits = self.server.commits[name]
        files = dict(list(commits.values())[-1]) if commits else {}
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = sha1(content + str(len(commits)).encode()).hexdigest()
        commits[commit] = files
        url = f"{self.server.url}/{name}/commit/{commit}"
        return self.answer(200, {"commitUrl": url, "commitOid": commit})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path))
        api = re.fullmatch("/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path)
        resolve = re.fullmatch("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        matched = api or resolve
        if matched is None:
            return self.answer(404)
        if not self.may(name := matched[1]):
            return None
        found = self.files(name, (matched[3] or "main") if api else matched[2])
        if found is None:
            return None
        commit, files = found
        if resolve:
            if resolve[3] not in files:
                return self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            content = files[resolve[3]]
            etag = f'"{sha1(content).hexdigest()}"'
            return self.answer(200, content, ETag=etag, X_Repo_Commit=commit)
        if matched[2] == "tree":
            rows = [
                {"type": "file", "path": p, "size": len(c), "oid": sha1(c).hexdigest()}
                for p, c in files.items()
            ]
            return self.answer(200, rows)
        listed = [{"rfilename": p} for p in files]  # which older clients ask for
        facts = {"id": name, "modelId": name, "sha": commit, "tags": [], "siblings": listed}
        return self.answer(200, facts)

    def do_HEAD(self) -> None:
        self.do_GET()

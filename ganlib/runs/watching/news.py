"""What a page that is open is told: only what is new since it was told last."""

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from PIL import Image

from ganlib.common.errors import UserError
from ganlib.common.io.files import MIB, regular
from ganlib.common.io.server import Answer
from ganlib.evaluation.comparison.compare import tables_of
from ganlib.evaluation.comparison.runs import Picture, Run
from ganlib.evaluation.comparison.table import figures
from ganlib.evaluation.page import document
from ganlib.evaluation.page.drawn import key_of, plan_of
from ganlib.runs.watching.seen import Seen, Watcher, rate, size, span

PAUSE = 0.9  # seconds between two looks, at least
SHARE, BURST = 0.03, 0.5
"""Of a core looking may take, and seconds that it may take at once, after which it comes later."""
LARGEST = 64 * MIB
KINDS = {"png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF8"}
"""How pictures of these kinds begin; nothing else is handed out."""


class Served:
    """Pictures by names that say nothing of where they lie: those alone can be had."""

    notes: Sequence[str] = ()

    def __init__(self) -> None:
        self._pictures = dict[str, Picture]()
        self._widths = dict[str, int]()

    def source(self, picture: Picture) -> tuple[str, int] | None:
        name = self._name(picture)
        if name not in self._widths:
            try:
                with Image.open(regular(picture.path, LARGEST)) as image:
                    self._widths[name] = image.width
            except (OSError, ValueError, UserError, Image.DecompressionBombError):
                return None
        return f"picture/{name}", self._widths[name]

    def grids(self, run: Run) -> list[tuple[int, str | None]]:
        return [(p.iteration, f"picture/{self._name(p)}") for p in run.grids]

    def _name(self, picture: Picture) -> str:
        """Another one once the file is another, so that browsers may keep what they have."""
        try:
            changed = picture.path.stat().st_mtime_ns
        except OSError:
            changed = 0
        text = f"{picture.path} {changed}".encode("utf-8", "replace")
        name = f"{hashlib.sha256(text).hexdigest()[:24]}.{picture.suffix}"
        self._pictures[name] = picture
        return name

    def read(self, name: str) -> bytes | None:
        """The content of a picture that was named; None if there is none, or no longer, or what
        lies there is none, or lies elsewhere.
        """
        if (picture := self._pictures.get(name)) is None:
            return None
        try:
            path = picture.path.resolve(strict=True)
            if path.parent != picture.path.parent.resolve():
                return None
            content = regular(path, LARGEST).read_bytes()
        except (OSError, UserError):
            return None
        return content if content.startswith(KINDS[picture.suffix]) else None


class News:
    """The page of the runs below a folder, whole and by what has changed since a version of it.

    A version is a text; that of another process is no version, so that all is told.
    """

    verb = "watch"

    def __init__(self, watcher: Watcher) -> None:
        self.album = Served()
        self._watcher, self._lock = watcher, threading.Lock()
        self._boot, self._count = secrets.token_hex(4), 0
        self._last, self._next, self._credit = time.monotonic(), 0.0, BURST
        self._told = dict[tuple[str, str], tuple[int, Any]]()
        self._parts = dict[tuple[str, str], tuple[Any, Any]]()
        self._seen: list[Seen] = []

    def get(self, path: str, query: Mapping[str, str]) -> Answer | None:
        """/, the page; /now?since=VERSION; /picture/NAME; and no more."""
        if path == "/":
            return Answer(self.page().encode(), "text/html")
        if path == "/now":
            return Answer(self.since(query.get("since", "")).encode())
        name = path.removeprefix("/picture/")
        if (content := self.album.read(name)) is None:
            return None
        return Answer(content, f"image/{name.rpartition('.')[2]}", kept=True)

    def page(self) -> str:
        """The whole page."""
        with self._lock:
            self._look()
            html, runs = self._every("html"), self._every("runs")
            data = {"tables": self._every("tables"), "runs": runs, "version": self._version}
            return document.whole(self._title, html.values(), data, live=True)

    def since(self, version: str) -> str:
        """As JSON what is new: HTML of sections and numbers of tables and runs by their ids, and
        the ids of all sections in their order.
        """
        with self._lock:
            self._look()
            boot, _, count = version.partition("-")
            known = boot == self._boot and count.isdecimal() and len(count) < 20
            after = int(count) if known else -1
            kinds = {kind: self._every(kind, after) for kind in ("html", "tables", "runs")}
            order = list(self._every("html"))
            news = {"version": self._version, "title": self._title, "order": order, **kinds}
            return json.dumps(news, separators=(",", ":"), allow_nan=False)

    @property
    def _version(self) -> str:
        return f"{self._boot}-{self._count}"

    @property
    def _title(self) -> str:
        running = sum(seen.state.name == "running" for seen in self._seen)
        return f"{running} of {len(self._seen)} runs at work in {self._watcher.top}"

    def _every(self, kind: str, after: int = -1) -> dict[str, Any]:
        return {k: v for (of, k), (n, v) in self._told.items() if of == kind and n > after}

    def _look(self) -> None:
        """Once in a while, however many pages are open."""
        if (now := time.monotonic()) < self._next:
            return
        start = time.thread_time()
        with suppress(OSError):  # a file went away meanwhile, as the next look finds
            self._take(self._watcher.look())
        self._credit = min(BURST, self._credit + SHARE * (now - self._last))
        self._credit -= time.thread_time() - start
        self._last, self._next = now, time.monotonic() + max(PAUSE, -self._credit / SHARE)

    def _take(self, every: list[Seen]) -> None:
        """What is told from now on."""
        runs = [seen.run for seen in every if seen.run]
        stamps = {key_of(seen.run): seen.stamp for seen in every if seen.run}
        states = [(seen.path, seen.stamp, seen.state, size(seen.memory)) for seen in every]
        made: Callable[[], Any] = partial(self._runs_html, every)
        told = {("html", "runs"): self._part("html", "runs", states, made)}
        for run in runs:
            key = key_of(run)
            made = partial(document.told_of, run, self.album)
            told["runs", key] = self._part("runs", key, stamps[key], made)
        for table in tables_of(runs, split=True):
            key = document.id_of(table)
            stamp = [stamps[key_of(run)] for row in table.rows for run in row.runs]
            made = partial(document.section_of, table, self.album)
            told["html", key] = self._part("html", key, stamp, made)
            told["tables", key] = self._part("tables", key, stamp, partial(plan_of, table))
        changed = [k for k, v in told.items() if k not in self._told or self._told[k][1] is not v]
        self._count += bool(changed) or bool(self._told.keys() - told.keys())
        new = {key: (self._count, told[key]) for key in changed}
        self._told = {key: new.get(key) or self._told[key] for key in told}
        self._seen = every

    def _part(self, kind: str, key: str, stamp: Any, make: Callable[[], Any]) -> Any:
        """What was made by the same stamp; else what is made now, or the old one if that equals."""
        old = self._parts.get((kind, key))
        if old and old[0] == stamp:
            return old[1]
        now = make()
        value = old[1] if old and old[1] == now else now
        self._parts[kind, key] = stamp, value
        return value

    def _runs_html(self, every: list[Seen]) -> str:
        return document.TEMPLATES.get_template("runs.html").render(
            seen=every, figure=figures, rate=rate, size=size, span=span
        )

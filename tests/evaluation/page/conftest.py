"""Run folders with logs, scores and sample grids, and the page that is made of them."""

import json
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from ganlib.evaluation.comparison.compare import compare
from ganlib.evaluation.page.document import to_html

EVIL = "<script>alert('\"&')</script>"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Every tag with its attributes, and the text; tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """make("dcgan", seed=1, n=900, note="x") writes a run's folder: n log lines, scores, a grid."""

    def write(algorithm: str, seed: int = 0, n: int = 40, side: int = 240, **extra: Any) -> Path:
        folder = tmp_path / "result" / f"run{len(list(tmp_path.rglob('config.yaml')))}"
        (folder / "samples").mkdir(parents=True)
        flat = {"algorithm": algorithm, "dataset": extra.pop("dataset", "toy"), "seed": seed}
        (folder / "config.yaml").write_text(yaml.safe_dump({**flat, **extra.pop("settings", {})}))
        environment = {"device": "x86_64", "torch": "2.7", "command": ["train.py", EVIL]}
        (folder / "environment.json").write_text(json.dumps(environment))
        with (folder / "log.jsonl").open("w") as file:
            for i in range(1, n + 1):
                losses = {"loss_dis": math.sin(i / 30) + seed, "loss_gen": math.nan, **extra}
                line = {"iteration": i, "images": i * 64, **losses}
                file.write(json.dumps({**line, "seconds": i, "images_per_second": 64.0}) + "\n")
        protocol = {"extractor": EVIL, "n_generated": 10_000}
        with (folder / "scores.jsonl").open("w") as file:
            for i in (n // 2, n):
                score = {"value": 40.0 / i + seed, "std": None, "protocol": protocol, "hash": "ab"}
                file.write(json.dumps({"iteration": i, "scores": {"FD-toy": score}}) + "\n")
        picture = np.random.default_rng(seed).integers(0, 255, (side, side), np.uint8)
        for iteration in (n // 2, n):
            Image.fromarray(picture).save(folder / "samples" / f"{iteration:07d}.png")
        (folder / "samples" / "reconstruction_9999999.png").write_bytes(b"not this")
        (folder / "DONE").touch()
        return folder

    return write


@pytest.fixture
def html(tmp_path: Path) -> Callable[[], str]:
    """html(): the page of the runs that were made."""
    return lambda: to_html(compare([tmp_path / "result"]))


@pytest.fixture
def told(html: Callable[[], str]) -> Callable[[], Any]:
    """told(): what the page tells its scripts."""

    def read() -> Any:
        return json.loads(html().partition('id="data">')[2].partition("</script>")[0])

    return read


@pytest.fixture
def page(html: Callable[[], str]) -> Callable[[], Page]:
    """page(): the same, parsed."""
    return lambda: Page(html())

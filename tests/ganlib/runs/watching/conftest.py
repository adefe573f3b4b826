"""A folder of runs, written by hand, that goes on."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ganlib.common.io.server import Server
from ganlib.runs.state import STATE
from ganlib.runs.watching.news import News
from ganlib.runs.watching.seen import Watcher


class Training:
    """A run's folder, whose process is this one."""

    def __init__(self, path: Path, algorithm: str = "dcgan", seed: int = 0) -> None:
        self.path = path
        (path / "samples").mkdir(parents=True)
        settings = {"algorithm": algorithm, "dataset": "toy", "seed": seed}
        (path / "config.yaml").write_text(yaml.safe_dump(settings))
        (path / "environment.json").write_text(json.dumps({"device_type": "cpu"}))
        self.state("running")

    def state(self, name: str, sentence: str = "", pid: int = 0) -> None:
        told = {"state": name, "sentence": sentence, "pid": pid or os.getpid(), "max_iter": 1000}
        (self.path / STATE).write_text(json.dumps({**told, "host": socket.gethostname()}))

    def log(self, iteration: int, **losses: float) -> None:
        line = {"iteration": iteration, "images": 64 * iteration, **losses}
        line |= {"seconds": iteration / 10, "images_per_second": 640.0}
        with (self.path / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def score(self, iteration: int, value: float, key: str = "ab", **protocol: Any) -> None:
        score = {"value": value, "std": None, "protocol": protocol, "hash": key}
        with (self.path / "scores.jsonl").open("a") as file:
            file.write(json.dumps({"iteration": iteration, "scores": {"FD-toy": score}}) + "\n")

    def grid(self, iteration: int, level: int = 128) -> Path:
        path = self.path / "samples" / f"{iteration:07d}.png"
        Image.new("L", (20, 20), level).save(path)
        return path

    def done(self) -> None:
        self.state("done")
        (self.path / "DONE").touch()


Begin = Callable[..., Training]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """begin("sngan", seed=1): a run that has begun below result/."""

    def make(algorithm: str = "dcgan", seed: int = 0, name: str = "") -> Training:
        return Training(tmp_path / "result" / (name or f"{algorithm}_seed{seed}"), algorithm, seed)

    return make


Serving = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def serving() -> Serving:
    """serving(folder, host="127.0.0.1"): what is below the folder, over HTTP, while it is open."""

    @contextmanager
    def serve(folder: Path, host: str = "127.0.0.1") -> Iterator[Server]:
        with Server(News(Watcher(folder)), host, 0) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()

    return serve

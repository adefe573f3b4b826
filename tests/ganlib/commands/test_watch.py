"""ganlib watch."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import Result

from ganlib.common.errors import UserError

Run = Callable[..., Result]


def make(name: str, sentence: str = "") -> None:
    folder = Path("result", name)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("algorithm: dcgan\ndataset: toy\nseed: 0\n")
    (folder / "state.json").write_text(json.dumps({"state": "failed", "sentence": sentence}))
    line = {"iteration": 100, "images": 6400, "loss_gen": 0.25, "images_per_second": 64.0}
    (folder / "log.jsonl").write_text(json.dumps(line) + "\n")


def test_without_a_terminal_the_table_is_printed_once(run: Run) -> None:
    make("one", "The loss was no number: \x1b]0;x\x07.")
    done = run("watch", "--text")
    assert done.exit_code == 0, done.exception
    (line,) = [line for line in done.output.splitlines() if line.split()[:1] == ["one"]]
    assert "failed" in line and "loss_gen 0.2500" in line and "1 s/it" in line
    (note,) = [line for line in done.output.splitlines() if line.startswith("one: ")]
    assert "The loss was no number: \\x1b" in note and "\x1b]" not in done.output


def test_a_folder_that_is_not_there_is_a_sentence(run: Run) -> None:
    error = run("watch").exception
    assert isinstance(error, UserError) and "There is no folder result" in str(error)


@pytest.mark.usefixtures("usual_signals")  # a process in the background has Ctrl-C ignored
def test_ctrl_c_ends_it_in_good_order(run: Run) -> None:
    make("one")
    command = [sys.executable, "-m", "ganlib", "watch", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        try:
            url = process.stdout.readline().decode().split()[-1]
            with urlopen(url) as page:
                assert b"dcgan, seed 0" in page.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0 and process.stderr.read() == b""
        finally:
            process.kill()  # or the test would wait for it for ever

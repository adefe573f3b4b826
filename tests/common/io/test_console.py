"""A console outlives whoever reads it."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from rich.console import Console

import ganlib
from ganlib.common.io.console import note, say, stderr_console

ROOT = Path(ganlib.__file__).parents[1]
TALKER = """
import sys, warnings
from ganlib.common.io.console import note, say, stderr_console
console = stderr_console()
for k in range(2000):
    console.print(f"line {k}")
warnings.warn("told to nobody")
open(sys.argv[1], "w").write("done")
"""


def test_nobody_reads_and_the_work_is_done(tmp_path: Path) -> None:
    done = tmp_path / "done"
    process = subprocess.Popen(
        [sys.executable, "-c", TALKER, str(done)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "line 0\n"
    process.stderr.close()
    assert process.wait(600) == 0 and done.read_text() == "done"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EPIPE])
def test_what_cannot_be_written_is_dropped(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()

    class Full:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise OSError(number, os.strerror(number))

        def flush(self) -> None:
            self.write("")

        def isatty(self) -> bool:
            return False

        def fileno(self) -> int:
            return writer

    monkeypatch.setattr(sys, "stderr", Full())
    stderr_console().print("to nobody")
    note("to nobody")
    os.close(writer)
    os.close(reader)


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_end_between_words_on_a_terminal_alone(terminal: bool) -> None:
    path = "/a/path/" + 50 * "x"  # whole, so that it can be copied
    text, file = (
        f"Training [b]dcgan on fashion_mnist of 60,000 images. Results: {path} seed0",
        io.StringIO(),
    )
    say(Console(file=file, width=40, force_terminal=terminal, color_system=None), text)
    lines = file.getvalue().splitlines()
    assert " ".join(line.strip() for line in lines) == text
    if terminal:
        assert [line for line in lines if len(line) > 40] == [path] and len(lines) > 2
    else:
        assert lines == [text]


def test_a_note_is_one_write_whoever_else_writes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Mock()
    monkeypatch.setattr(sys, "stderr", stderr)
    note("decoded")
    assert [call.args for call in stderr.write.call_args_list if call.args[0]] == [("decoded\n",)]

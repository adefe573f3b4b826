"""Paths that a user gives."""

import errno
from pathlib import Path

import pytest

from ganlib.common.errors import UserError
from ganlib.common.io.files import expand, reading


def test_a_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert expand("~/x") == Path("/home/someone/x")
    assert expand(Path("x/~")) == Path("x/~")
    with pytest.raises(UserError, match="no home folder '~nobody-of-that-name'"):
        expand("~nobody-of-that-name/x")


def test_what_the_system_refuses_is_a_sentence() -> None:
    long = Path("x" * 300)
    too_long = "^x{300} cannot be read: File name too long.$"
    with pytest.raises(UserError, match=too_long), reading("this"):
        long.stat()
    failed = "^this cannot be read: Input/output error.$"
    with pytest.raises(UserError, match=failed), reading("this"):
        raise OSError(errno.EIO, "Input/output error")

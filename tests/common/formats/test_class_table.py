"""The file that names the classes of maps."""

from pathlib import Path

import pytest

from ganlib.common.errors import UserError
from ganlib.common.formats.folders import class_table


def test_names_are_lines(tmp_path: Path) -> None:
    assert class_table(tmp_path) is None
    (tmp_path / "classes.txt").write_bytes("\ufeffsky \r\nB\u00e4ume\r\n\r\n".encode())
    assert class_table(tmp_path) == ("sky", "B\u00e4ume")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "classes.txt has an empty line: give a name in each line"),
        (b"sky\n\nroad\n", "classes.txt has an empty line"),
        (b"sky\nroad\nsky\n", "classes.txt names 'sky' twice"),
        (b"\xff\xfe\x00", "classes.txt is no text in UTF-8"),
        (b"".join(b"%d\n" % k for k in range(4097)), "names 4,097 classes, and 4,096 are the most"),
        (b"x\n" * 3_000_000, "classes.txt has 6 MiB, and what belongs there at most 1 MiB"),
    ],
)
def test_what_is_no_table_is_a_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        class_table(tmp_path)

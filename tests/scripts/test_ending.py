"""Scripts end on bad input as the library's commands do."""

import pytest

from ganlib.common.errors import UserError
from scripts.ending import in_a_sentence


def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("There are no runs.")

    with pytest.raises(SystemExit) as ended:
        in_a_sentence(main)
    assert ended.value.code == 2 and capsys.readouterr().err == "Error: There are no runs.\n"

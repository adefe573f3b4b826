"""The folder of what is kept on this machine."""

import pytest

from ganlib.common.errors import UserError
from ganlib.common.io.cache import cache_folder
from ganlib.evaluation.extractors.inception import VARIABLE, find_weights


def test_a_home_folder_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_CACHE", "~nobody-of-that-name/x")
    monkeypatch.setenv(VARIABLE, "~nobody-of-that-name/weights.pth")
    for find in (cache_folder, lambda: find_weights(None)):
        with pytest.raises(UserError, match="no home folder '~nobody-of-that-name'"):
            find()

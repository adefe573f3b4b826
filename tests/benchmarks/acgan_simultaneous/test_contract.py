"""What every algorithm promises, this one promises too."""

import pytest

from ganlib.contract.test_contract import *  # noqa: F403

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("algorithm", ["acgan_simultaneous"])]

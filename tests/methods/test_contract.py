"""What every algorithm promises, the small methods promise too."""

import pytest
from small_methods import NAMES

from ganlib.contract.test_contract import *  # noqa: F403

pytestmark = pytest.mark.parametrize("algorithm", NAMES)

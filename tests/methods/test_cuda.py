"""The small methods on the fast path of a GPU: stages, phases, pools and frozen networks there."""

import pytest
from small_methods import NAMES
from test_cuda_speed import (  # noqa: F401
    DEVICES,
    on_gpu,
    test_captured_iterations_are_eager_ones,
    test_no_update_waits_for_the_gpu,
)

pytestmark = [
    pytest.mark.usefixtures("switches"),
    pytest.mark.parametrize("device", DEVICES),
    pytest.mark.parametrize("name", NAMES),
]

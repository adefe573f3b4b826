"""The small methods on the fast path of a GPU: stages, phases, pools and frozen networks there."""

import pytest
from small_methods import NAMES
from test_cuda_speed import (  # noqa: F401
    GPUS,
    deterministic,
    on_gpu,
    test_fifty_captured_iterations_are_fifty_eager_ones,
    test_no_update_waits_for_the_gpu,
)

pytestmark = [
    pytest.mark.parametrize("device", GPUS),
    pytest.mark.parametrize("name", NAMES),
]

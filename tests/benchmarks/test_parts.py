"""Updates taken apart, by events as PyTorch's profiler gives them."""

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import parts

EVENTS = {
    "aten::mm": 3000.0,
    "aten::convolution_backward": 4000.0,
    "aten::_convolution": 500.0,
    "aten::mkldnn_convolution": 500.0,
    "aten::convolution": 2.0,  # what calls the one before, and does nothing itself
    "aten::addmv_": 1000.0,  # reads a matrix once
    "aten::copy_": 900.0,
    "aten::add": 18.0,
    "autograd::engine::evaluate_function: AddmmBackward0": 80.0,
}


def test_operations_are_told_apart() -> None:
    events = [SimpleNamespace(name=n, self_cpu_time_total=t) for n, t in EVENTS.items()]
    profiled: Any = SimpleNamespace(events=lambda: events)
    *found, number = parts.seconds(profiled)
    assert found == pytest.approx([8e-3, 1.98e-3, 2e-5]) and number == 2


def test_the_whole_is_as_near_as_its_products_share_and_rate() -> None:
    cells = parts.Parts(products=6, passes=3, small=1, number=2600, rate=0.5).cells
    assert cells == ("60%", "30%", "10%", "2,600", "50%", "30%")

import pytest
import torch

from ganlib.common.seeds import seed_layers


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Which devices other than the CPU were seeded, and how."""
    found: list[tuple[str, int]] = []
    for name in ("cuda", "xpu", "mps"):
        module = torch.get_device_module(name)
        for function in ("manual_seed", "manual_seed_all"):
            if hasattr(module, function):
                monkeypatch.setattr(module, function, lambda n, name=name: found.append((name, n)))
    return found


def test_layers_draw_as_after_torchs_own_function(seeded: list[tuple[str, int]]) -> None:
    torch.manual_seed(2**62 + 5)
    usual = torch.nn.functional.dropout(torch.ones(1000))
    assert seeded
    seeded.clear()
    seed_layers(2**62 + 5, torch.device("cpu"))
    assert torch.equal(torch.nn.functional.dropout(torch.ones(1000)), usual) and not seeded


def test_a_device_is_seeded_beside_the_cpu_and_no_other(seeded: list[tuple[str, int]]) -> None:
    seed_layers(7, torch.device("cuda:0"))
    assert seeded == [("cuda", 7)] and torch.initial_seed() == 7

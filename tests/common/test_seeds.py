import pytest
import torch

from ganlib.common.seeds import seed_layers


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Which devices other than the CPU were seeded, all of a kind where it can have several."""
    found: list[tuple[str, int]] = []
    for name, function in (
        ("cuda", "manual_seed_all"),
        ("xpu", "manual_seed_all"),
        ("mps", "manual_seed"),
    ):
        module = torch.get_device_module(name)
        monkeypatch.setattr(module, function, lambda n, name=name: found.append((name, n)))
    return found


def test_layers_draw_as_after_torchs_own_function(seeded: list[tuple[str, int]]) -> None:
    torch.manual_seed(2**62 + 5)
    usual = torch.nn.functional.dropout(torch.ones(1000))
    assert seeded
    seeded.clear()
    seed_layers(2**62 + 5, torch.device("cpu"))
    assert torch.equal(torch.nn.functional.dropout(torch.ones(1000)), usual) and not seeded


def test_gpus_are_seeded_beside_the_cpu_and_no_others(seeded: list[tuple[str, int]]) -> None:
    seed_layers(7, torch.device("cuda:1"))
    assert seeded == [("cuda", 7)] and torch.initial_seed() == 7


def test_what_lies_elsewhere_is_seeded_as_by_torch(seeded: list[tuple[str, int]]) -> None:
    torch.manual_seed(7)
    usual = [*seeded]
    seeded.clear()
    seed_layers(7, torch.device("xpu"))
    assert seeded == usual and ("xpu", 7) in seeded and torch.initial_seed() == 7

"""Adaptive augmentation: p against the paper's rule in a loop, on every road of the machine."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_methods import FOLDER
from torch import Tensor

from ganlib.common.augment import Adaptation, is_of_adaptation, probability_of
from ganlib.contract.tape import prepare, record
from ganlib.registry import add_plugins, algorithms
from ganlib.runs.resuming import Resumption
from ganlib.runs.settings import resolve
from ganlib.speed.graph import WARM_UP, Graphs
from ganlib.training.snapshot import write_snapshot

Make = Callable[..., Any]
CALLERS = [
    *(
        "acgan",
        "alpha_gan",
        "biggan",
        "cgan",
        "dcgan",
        "dfm",
        "dragan",
        "fastgan",
        "gan",
        "lsgan",
        "minibatch_discrimination",
        "pgn",
        "pix2pix",
        "projected_gan",
    ),
    *("sagan", "sngan", "sngan_projection", "stylegan2"),
]
RESTLESS = {"ada_target": 0.01, "ada_images": 40, "diffaugment": "color,translation"}
"""p is moved by 0.4 a window of 4 minibatches of 4."""


@pytest.fixture
def adaptive(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))
    add_plugins(FOLDER)
    return "adaptive"


def papers_walk(
    batches: list[list[np.ndarray]], target: float, images: int
) -> list[tuple[float, float]]:
    """p and r_t after each iteration, which sees these minibatches: p goes a fixed amount for each
    image up or down once four minibatches were seen, and stays in [0, 1].
    """
    p, window, found = 0.0, [], []
    for minibatches in batches:
        window += minibatches
        r = np.mean(np.sign(np.concatenate([b.ravel() for b in window])))
        if len(window) >= 4:
            p += np.sign(r - target) * sum(map(len, window)) / images
            p, window = min(max(p, 0.0), 1.0), []
        found.append((p, r))
    return found


def feed(updater: Any, batches: list[list[np.ndarray]]) -> list[tuple[float, float]]:
    """p and r_t as logged where update_core() says these logits; its shares say theirs."""
    found = []
    for minibatches in batches:

        def core(minibatches: list[np.ndarray] = minibatches) -> dict[str, Tensor]:
            for logits in minibatches:
                n = len(logits) // updater.micro_batches.shares
                first = n * updater.micro_batches.share(updater.micro_batches.current)
                updater.saw_real(torch.from_numpy(logits[first : first + n]))
            return {}

        updater.update_core = core
        log = updater.update()
        assert log["ada_p"] == probability_of(updater.dis)
        found.append((log["ada_p"].item(), log["ada_r"].item()))
    return found


def logits(n_dis: int, patches: int = 1) -> list[list[np.ndarray]]:
    """Of 60 iterations: mostly real, then mostly not."""
    random = np.random.default_rng(0)
    return [
        [random.normal(1.2 if k < 24 else -0.5, 1, (12, patches)) for _ in range(n_dis)]
        for k in range(60)
    ]


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize(("n_dis", "patches"), [(1, 1), (5, 1), (1, 4)])
def test_p_walks_as_the_paper_says(
    passes: int, n_dis: int, patches: int, adaptive: str, make_updater: Make
) -> None:
    batches = logits(n_dis, patches)
    updater = make_updater(adaptive, batch_size=12, ada_images=500)
    updater.split(passes)
    wanted = np.array(papers_walk(batches, 0.6, 500))
    np.testing.assert_allclose(np.array(feed(updater, batches)), wanted, atol=1e-5)
    p = wanted[:, 0]
    assert p.max() > 0.25 and p[-1] == 0  # it has gone up, down, and against its lower end


def test_p_goes_from_0_to_1_in_so_many_images_and_no_further(
    adaptive: str, make_updater: Make
) -> None:
    real, images = [np.ones((8, 1))], 320
    updater = make_updater(adaptive, batch_size=8, ada_images=images)
    p = [p for p, _ in feed(updater, [real] * 60)]
    assert p[images // 8 - 2] < 1 - 1e-6 and p[images // 8 - 1] == pytest.approx(1, abs=1e-6)
    assert max(p) == p[-1] == 1
    assert feed(updater, [[-logit for logit in real]] * 4)[-1][0] == pytest.approx(1 - 32 / images)


def test_r_at_the_target_leaves_p_alone(adaptive: str, make_updater: Make) -> None:
    batch = np.array([1, 1, 1, 1, -1] * 2, dtype=np.float64)[:, None]  # of mean sign 0.6
    updater = make_updater(adaptive, batch_size=10)
    probability_of(updater.dis).fill_(0.5)
    assert feed(updater, [[batch]] * 8)[-1][0] == 0.5


def test_d_sees_each_image_augmented_with_probability_p(adaptive: str, make_updater: Make) -> None:
    n = 4000
    updater = make_updater(adaptive, 3, width=0.2, diffaugment="color")
    x = torch.rand(n, *updater.spec.image)
    plain = deepcopy(updater.dis).eval()(x)
    for p in (0.0, 0.3, 1.0):
        probability_of(updater.dis).fill_(p)
        same = (updater.dis(x) == plain).double().mean().item()
        wanted = (1 - p) ** 3  # none of the three operations
        assert same == pytest.approx(wanted, abs=4 * (wanted * (1 - wanted) / n) ** 0.5 + 1e-3)
    assert torch.equal(updater.dis.eval()(x), plain)


@pytest.mark.parametrize("algorithm", CALLERS)
def test_the_methods_say_what_d_thinks_of_their_real_images(
    algorithm: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logit of each, or those of its patches, above 0 where D takes it for real: D learns to say
    so.
    """
    seen: list[Tensor] = []
    plain = make_updater(algorithm)
    monkeypatch.setattr(Adaptation, "note", lambda self, logits, shares: seen.append(logits))
    updater = make_updater(algorithm, ada_target=0.6)
    updater.update()
    patches = {"pix2pix": (1, 2, 2), "fastgan": (50,), "projected_gan": (32,)}.get(algorithm)
    assert all(logits.shape in ([(4, *patches)] if patches else [(4,), (4, 1)]) for logits in seen)
    assert len(seen) == getattr(updater.config, "n_dis", 1)
    extra = set(updater.state_dict()) - set(plain.state_dict())
    assert len(extra) == 2 and all(is_of_adaptation(name) for name in extra)
    monkeypatch.undo()
    assert {"ada_p", "ada_r"} == set(updater.update()) - set(plain.update())


def test_resume_is_bitwise(adaptive: str, make_updater: Make) -> None:
    straight, second = (make_updater(adaptive, **RESTLESS) for _ in range(2))
    probability_of(straight.dis).fill_(0.5)
    for _ in range(6):
        straight.update()
    second.load_state(deepcopy(straight.state()))
    for _ in range(6):
        a, b = straight.update(), second.update()
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert probability_of(straight.dis) != 0.5
    modules = second.state()["modules"]
    assert all(torch.equal(t, modules[n]) for n, t in straight.state()["modules"].items())


def test_a_captured_update_moves_p_as_an_eager_one(
    adaptive: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager, captured = (make_updater(adaptive, **RESTLESS) for _ in range(2))
    for updater in (eager, captured):
        probability_of(updater.dis).fill_(0.5)
    prepare(monkeypatch, eager, captured)
    captured.perform = Graphs(captured, record, pytest.fail)
    walk = []
    for _ in range(WARM_UP + 12):
        a, b = eager.update(), captured.update()
        assert all(torch.equal(a[name], b[name]) for name in a)
        walk.append(b["ada_p"].item())
    assert len(set(walk)) > 2


def test_each_of_several_discriminators_is_adapted(make_updater: Make) -> None:
    """Which share p on a CPU, but not once they have been moved."""
    updater = make_updater("cyclegan", ada_target=0.6)
    assert len(updater.adaptation.ps) == 1
    updater.double()
    ps = updater.adaptation.ps
    assert len(ps) == 2
    updater.ada_seen.copy_(torch.tensor([4.0, 4, 8, 4]))
    updater.adaptation.move()
    assert ps[0] == ps[1] == pytest.approx(8 / updater.config.ada_images)


def test_without_a_target_nothing_is_there(adaptive: str, make_updater: Make) -> None:
    updater = make_updater(adaptive, ada_target=0)
    assert not [name for name, _ in updater.named_buffers() if is_of_adaptation(name)]
    assert set(updater.update()) == {"loss_dis", "loss_gen"}


def test_a_target_alone_adapts_all_policies(make_updater: Make) -> None:
    found, wanted = (
        make_updater("sngan", ada_target=0.6, **given)
        for given in ({}, {"diffaugment": "color,translation,cutout"})
    )
    for updater in (found, wanted):
        probability_of(updater.dis).fill_(0.5)
    a, b = found.update(), wanted.update()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_both_settings_are_of_the_trajectory() -> None:
    trajectory = resolve({"algorithm": "sngan", "ada_target": 0.6}).trajectory()
    assert trajectory["ada_target"] == 0.6 and trajectory["ada_images"] == 500_000


@pytest.mark.parametrize(("old", "new"), [(0.6, 0.0), (0.0, 0.6), (0.6, 0.6)])
def test_weights_of_a_run_with_another_augmentation(
    old: float, new: float, adaptive: str, make_updater: Make, tmp_path: Path
) -> None:
    """Fine-tuning takes the networks; p starts anew."""
    first = make_updater(adaptive, seed=1, ada_target=old)
    if old:
        probability_of(first.dis).fill_(0.5)
    settings = {"algorithm": adaptive, **first.config.model_dump(mode="json")}
    path = tmp_path / "iter_0000000.pt"
    write_snapshot(path, settings, first.spec, {"updater": first.state(), "extensions": {}})
    second = make_updater(adaptive, ada_target=new)
    now = resolve({"algorithm": adaptive, "ada_target": new})
    Resumption(now, {}).take_weights(second, path, pytest.fail)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not new or probability_of(second.dis) == 0

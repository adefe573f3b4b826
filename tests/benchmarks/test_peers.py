"""Other programs' updates beside ours, of clones as small as can be."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks import beside, clones, peers, table
from benchmarks.clones import Program
from benchmarks.peers import Pair
from benchmarks.workloads import of
from ganlib.common.errors import UserError
from ganlib.speed import bench

NETWORKS = """
from torch import nn
from torch.nn.utils.spectral_norm import spectral_norm

class Generator32(nn.Sequential):
    def __init__(self, n):
        super().__init__(nn.Linear(n, 48), nn.Unflatten(1, (3, 4, 4)), nn.Upsample(scale_factor=8))

class Discriminator32(nn.Sequential):
    def __init__(self):
        super().__init__(nn.AvgPool2d(8), nn.Flatten(), spectral_norm(nn.Linear(48, 1)))
"""
LOSSES = """
class Hinge:
    def __call__(self, real, fake=None):
        return -real.mean() if fake is None else (1 - real).relu().mean() + (1 + fake).relu().mean()
"""
SNGAN = of("sngan", architecture="sndcgan", width=0.02)
PAIR = Pair(
    "SNGAN 32x32",
    SNGAN,
    Program("theirs", "somebody", clones.collections("sngan", "", "Hinge")),
    batch_size=2,
    n_dis=3,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bench, "DATA_BYTES", 2**16)
    monkeypatch.setattr(peers, "SIDE", 32)
    monkeypatch.setattr(peers, "use_cores", lambda: None)
    before = set(sys.modules)
    yield
    assert not {name for name in set(sys.modules) - before if name.startswith("source")}


def cloned(folder: Path, losses: str = LOSSES) -> Path:
    for name, text in (("source/models/sngan.py", NETWORKS), ("source/losses.py", losses)):
        path = folder / "theirs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_both_are_timed(tmp_path: Path) -> None:
    row = peers.measure(PAIR, cloned(tmp_path), "fp32", 2)
    assert not row.error and all(seconds > 0 for seconds in row.seconds)
    assert 0 < row.ratio[0] <= row.ratio[1] <= row.ratio[2] and row.ceiling > 0
    weights = (128 * 48 + 48) + (48 + 1)
    assert row.weights[1] == weights and row.weights[0] > 0


def test_theirs_does_what_a_script_of_theirs_does(tmp_path: Path) -> None:
    """n_dis steps of D, each of real and fakes, and one of G through D: operations by hand."""
    update = PAIR.theirs(cloned(tmp_path), "fp32")
    before = [p.detach().clone() for net in update.networks for p in net.parameters()]
    gen, dis, b = 128 * 48, 48, PAIR.batch_size
    # forward of G, and of D with its weight's gradient for two batches; both of both, through D
    assert peers.count(update.run) == 2 * b * (3 * (gen + 2 * 2 * dis) + 2 * gen + 3 * dis)
    after = [p for net in update.networks for p in net.parameters()]
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert moved == [True, True, False, True]  # in the hinges D's bias cancels


def test_ours_is_of_the_same_batches(tmp_path: Path) -> None:
    work = replace(PAIR, batch_size=2, n_dis=1), replace(PAIR, batch_size=2, n_dis=2)
    once, twice = (peers.count(pair.ours("fp32").run) for pair in work)
    assert once < twice < 2 * once


def test_bfloat16_is_theirs_too(tmp_path: Path) -> None:
    update = PAIR.theirs(cloned(tmp_path), "bf16")
    seen = []
    update.networks[1].register_forward_hook(lambda _, __, y: seen.append(y.dtype))
    update.run()
    assert set(seen) == {torch.bfloat16}


def test_a_clone_that_is_missing_is_a_row_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PAIRS", (PAIR, replace(PAIR, peer=PAIR.peer._replace(clone="no"))))
    folder = tmp_path / "results"
    asked = [str(cloned(tmp_path)), "--rounds", "1", "--precision", "fp32"]
    done = CliRunner().invoke(peers.command, [*asked, "--results", str(folder)])
    assert done.exit_code == 0, (done.output, done.exception)
    (runs,) = table.read(folder).values()
    again = CliRunner().invoke(peers.command, [*asked, "--only", "no)", "--results", str(folder)])
    assert again.exit_code == 0 and list(table.read(folder).values()) == [runs]
    here, missing = runs["peers"]["rows"]
    assert not here["error"] and here["ratio"][1] > 0
    assert "git clone https://github.com/somebody/no" in missing["error"]
    lines = table.all_tables(table.read(folder)).splitlines()
    assert len([line for line in lines if "| SNGAN 32x32, batch 2, n_dis 3 |" in line]) == 2


def test_a_clone_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="theirs is not as expected.*Hinge"):
        PAIR.theirs(cloned(tmp_path, ""), "fp32")


def test_rows_are_chosen_by_their_names(tmp_path: Path) -> None:
    done = CliRunner().invoke(peers.command, [str(tmp_path), "--only", "SNGN"])
    assert isinstance(done.exception, UserError) and "SNGAN ResNet 32x32" in str(done.exception)


MIMICRY = """
from torch import nn

class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.l, self.steps = nn.Linear(2, 2), []

    def train_step(self, batch, log_data, **others):
        log_data.add_metric("loss", 0.0, group="loss")
        self.steps.append((tuple(batch[0].shape), sorted(others)))

class SNGANGenerator32(Steps): pass
class SNGANDiscriminator32(Steps): pass
"""
PIX2PIX = """
import torch
from torch import nn

class Pix2PixModel:
    def __init__(self, opt):
        assert opt.isTrain and not opt.gpu_ids and opt.netG == "unet_256" and opt.netD == "basic"
        self.netG = nn.Conv2d(opt.input_nc, opt.output_nc, 1).to(opt.device)
        self.netD = nn.Conv2d(opt.input_nc + opt.output_nc, 1, 1)
        self.optimizer = torch.optim.Adam(self.netG.parameters(), opt.lr, (opt.beta1, 0.999))

    def set_input(self, input):
        self.real_A, self.real_B = input["A"], input["B"]

    def optimize_parameters(self):
        self.netD(torch.cat((self.real_A, self.netG(self.real_A)), 1)).mean().backward()
        self.optimizer.step()
"""


def test_mimicrys_own_steps_are_taken_past_the_files_of_its_packages(tmp_path: Path) -> None:
    for name, text in (("__init__", "import a_large_one"), ("nets/sngan/sngan_32", MIMICRY)):
        path = tmp_path / "theirs" / "torch_mimicry" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    update = Program("theirs", "x", clones.mimicry("sngan", "SNGAN")).update(tmp_path, 2, 3)
    update.run()
    gen, dis = (network.steps for network in update.networks)
    assert dis == [((2, 3, 32, 32), ["netG", "optD"])] * 3
    assert gen == [((2, 3, 32, 32), ["netD", "optG"])]
    assert not any(name.startswith("torch_mimicry") for name in sys.modules)


def test_pix2pix_is_set_as_its_options_are(tmp_path: Path) -> None:
    path = tmp_path / "theirs" / "models" / "pix2pix_model.py"
    path.parent.mkdir(parents=True)
    path.write_text(PIX2PIX)
    update = Program("theirs", "x", clones.pix2pix).update(tmp_path, 1, 1)
    # G's forward and its weight's gradient; D's forward and both of its gradients
    assert peers.count(update.run) == 2 * 256**2 * (2 * 3 * 3 + 3 * 6)
    assert update.weights == 12 + 7


@pytest.mark.parametrize(("ceiling", "bar"), [(1.5, "1.35"), (2.2, "1.98"), (3.0, "2.00")])
def test_the_bar_is_two_or_nine_tenths_of_what_can_be(ceiling: float, bar: str) -> None:
    make = partial(beside.PeerRow, "SNGAN", "theirs", "fp32", 16, 2)
    row = make("", (2, 2), (1, 2), (0.5, 0.75), (1.4, 1.5, 1.6), ceiling)
    assert row.cells[6:] == (
        "**1.50** (1.40 - 1.60)",
        bar,
        f"{ceiling:.2f}",
        f"{1.5 / ceiling:.0%}",
    )
    assert len(row.cells) == len(beside.HEADERS) == len(make("no clone").cells)

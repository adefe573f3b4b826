"""--lecam for methods whose discriminator is logistic or hinge."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ganlib.common.errors import UserError
from ganlib.training.extensions.checks import Unmoved
from ganlib.training.trainer import Trainer

Make = Callable[..., Any]
HEEDING = [
    *("acgan", "biggan", "cgan", "dcgan", "dfm", "dragan", "fastgan", "gan", "pgn", "pix2pix"),
    *("sagan", "sngan", "sngan_projection", "srgan", "stylegan2"),
]


@pytest.mark.parametrize("algorithm", ["dcgan", "sngan"])
def test_resume_is_bitwise(algorithm: str, make_updater: Make) -> None:
    straight, second = (make_updater(algorithm, lecam=0.5) for _ in range(2))
    plain = make_updater(algorithm)
    for _ in range(2):
        values, others = straight.update(), plain.update()
    assert values["loss_dis"] > others["loss_dis"]
    second.load_state(deepcopy(straight.state()))
    straight.update()
    second.update()
    a, b = straight.state_dict(), second.state_dict()
    assert a["lecam.means"].all() and set(a) - set(plain.state_dict()) == {"lecam.means"}
    assert list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", HEEDING)
def test_every_such_method_heeds_it(algorithm: str, make_updater: Make) -> None:
    updater = make_updater(algorithm, lecam=0.5)
    for _ in range(2):
        values = updater.update()
    assert updater.lecam.means.any() and all(value.isfinite() for value in values.values())


def test_a_method_of_another_loss_refuses_it(make_updater: Make, tmp_path: Path) -> None:
    updater = make_updater("wgan", lecam=0.5)
    trainer = Trainer(updater, tmp_path, 1)
    updater.update()
    with pytest.raises(UserError, match="No loss of this algorithm heeds lecam"):
        Unmoved(Console(quiet=True))(trainer)


def test_a_d_that_begins_later_is_waited_for(make_updater: Make, tmp_path: Path) -> None:
    updater = make_updater("srgan", lecam=0.5, ada_target=0.6, pretrain_iter=5)
    updater.update()
    Unmoved(Console(quiet=True))(Trainer(updater, tmp_path, 1))
    assert not updater.lecam.means.any() and not updater.heard_of_real
    for _ in range(5):
        updater.update()
    assert updater.lecam.means.any() and updater.heard_of_real

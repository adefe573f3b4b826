"""What an algorithm may write: when it is asked, and what there is without it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganlib.common.data import Loader
from ganlib.training.updater import Updater

Make = Callable[..., Any]


class Starting(Updater):
    """Keeps a number, and starts from it where there are data."""

    k: Tensor

    def setup(self) -> None:
        self.register_buffer("k", torch.tensor(3.0))

    def start_from(self, data: Loader) -> None:
        assert next(self.stream("start", data.over(data.data))).x.shape == (4, 1, 32, 32)
        with torch.no_grad():
            for p in self.gen.parameters():
                p.copy_(self.k)


def test_what_starts_from_data_comes_before_the_average(make_updater: Make) -> None:
    like = make_updater("dcgan", ema_decay=0.9)
    networks = {"gen": like.gen, "dis": like.dis}
    before = [p.detach().clone() for p in like.gen.parameters()]
    sampling = Starting(like.config, None, like.spec, networks)
    assert all(map(torch.equal, sampling.gen.parameters(), before))
    updater = Starting(like.config, like.data, like.spec, networks)
    assert updater.average is not None
    assert all((p == 3).all() for p in updater.average.parameters())
    assert updater.state()["positions"] == {"": 0, "start": 4}
    added = updater.state_dict().keys() - like.state_dict().keys()
    assert added == sampling.state_dict().keys() - like.state_dict().keys() == {"k"}


def test_a_phase_is_constant_by_default(make_updater: Make) -> None:
    updater = make_updater("dcgan")
    assert updater.phase(0) == updater.phase(99)

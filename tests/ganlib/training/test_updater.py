"""What an algorithm may write: when it is asked, and what there is without it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganlib.common.data import DataSet, Loader
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


class Showing(Updater):
    """Shows and scores with networks in the mode in which it finds them."""

    def pictures(self, seed: int) -> dict[str, Tensor]:
        return {"fake": self.gen(self.hidden(4))}

    def scores(self, test: DataSet) -> dict[str, float]:
        return {"mean": self.gen(self.hidden(4)).mean()}


def test_what_is_shown_and_scored_leaves_training_as_it_was(make_updater: Make) -> None:
    like = make_updater("dcgan")
    updater = Showing(like.config, like.data, like.spec, {"gen": like.gen, "dis": like.dis})
    before = {name: t.clone() for name, t in updater.state_dict().items()}
    found = [updater.pictures(0)["fake"], updater.scores(like.data.data)["mean"]]
    assert not any(t.requires_grad for t in found)
    assert all(torch.equal(t, before[name]) for name, t in updater.state_dict().items())
    assert all(module.training for module in updater.modules())

"""What a new method may get wrong ends its run in a sentence, at the first iteration."""

from pathlib import Path
from typing import Any

import pytest

import ganlib
from ganlib.__main__ import main
from ganlib.common.errors import UserError
from ganlib.dcgan.updater import Config, Updater

SETTINGS = {"algorithm": "dcgan", "gpu": -1, "width": 0.05, "batch_size": 4, "max_iter": 3}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def step_by_another_name(self: Any) -> Any:
    x_real, _ = next(self.data)
    self.step(dsi=self.loss_dis(x_real, self.fake(self.hidden(len(x_real)))))
    return {}


def return_a_float(self: Any) -> Any:
    x_real, _ = next(self.data)
    loss = self.loss_gen(self.gen(self.hidden(len(x_real))))
    self.step(gen=loss)
    return {"loss_gen": loss.item()}


def return_a_batch(self: Any) -> Any:
    x_real, _ = next(self.data)
    return {"size": x_real.flatten(1).mean(1)}


def return_nothing(self: Any) -> Any:
    next(self.data)


MISTAKES = {
    step_by_another_name: r"step\(dsi=...\): there is no optimizer 'dsi'. Did you mean 'dis'\?",
    return_a_float: r"returned .* float as 'loss_gen': return the tensor itself, without .item\(\)",
    return_a_batch: r"returned a tensor \([24],\) as 'size': return its mean",
    return_nothing: r"update_core\(\) returned None: return a dict",
}


@pytest.mark.parametrize("update_core", MISTAKES)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_what_an_update_gets_wrong(
    update_core: Any, accumulate: int, toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Updater, "update_core", update_core)
    with pytest.raises(UserError, match=MISTAKES[update_core]):
        ganlib.train(dataset=str(toy_file), accumulate=accumulate, **SETTINGS)


def test_a_condition_of_an_unknown_word(
    toy_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Config, "condition", "label")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
    monkeypatch.setattr("sys.argv", ["train.py", *flags, f"--dataset={toy_file}"])
    with pytest.raises(SystemExit) as end:
        main("train")
    assert end.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "Error: The condition of this algorithm cannot be 'label'. Did you mean 'labels'?"
    ]
    assert not Path("result").exists()


@pytest.mark.parametrize(("steps", "still"), [("dis", "gen"), ("gen", "dis"), ("", "gen, dis")])
def test_a_network_that_nothing_moves_is_named(
    steps: str,
    still: str,
    toy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = Updater.step

    def only(self: Any, **losses: Any) -> None:
        if steps in losses:
            step(self, **losses)

    monkeypatch.setattr(Updater, "step", only)
    ganlib.train(dataset=str(toy_file), **SETTINGS)
    assert f"No step has moved {still} so far." in capsys.readouterr().err.splitlines()

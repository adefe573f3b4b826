"""Which run is gone on with, and what is said of those that are not."""

from pathlib import Path
from typing import Any

import pytest
from begun import DATA, SAID, begun, run

import ganlib
from ganlib.common.errors import UserError

SEED0 = Path("result/dcgan_fashion_mnist/seed0")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def auto(**settings: Any) -> tuple[Path | None, bool]:
    """The snapshot that --resume auto goes on from, and whether its run has finished."""
    with begun(resume="auto", **settings) as place:
        return place.snapshot, place.finished


def test_the_same_command_again_is_told_of_the_run_that_was_stopped() -> None:
    run(5)
    assert SAID == [] and run(5).name == "seed0-2"
    assert SAID == [f"{SEED0} has these settings, unfinished: --resume auto goes on with it."]
    assert run(5, adam_alpha=0.1).name == "seed0-3" and SAID == []


def test_and_of_one_that_has_finished() -> None:
    run(5, done=True)
    assert run(5).name == "seed0-2"
    assert SAID == [f"{SEED0} has finished with these settings; this one repeats it."]


def test_auto_has_the_newest_run_with_these_settings_also_a_finished_one() -> None:
    run(5, done=True)
    assert auto() == (SEED0 / "snapshots/iter_0000005.pt", True)
    run(7)
    assert auto() == (SEED0.with_name("seed0-2") / "snapshots/iter_0000007.pt", False)
    with pytest.raises(UserError, match="seed0-2 differs: adam_alpha was 0.0002 and is now 0.1"):
        auto(adam_alpha=0.1)
    with begun(adam_alpha=0.1):
        assert SAID == []


def test_auto_without_the_preset_says_what_is_there_and_what_differs() -> None:
    """Where it is finished, it is in nobody's way; stopped, it may have been meant."""
    run(5, preset="quick")
    words = rf"{SEED0}, which had --preset quick, differs: .*adam_alpha was 0.001735 and is now"
    with pytest.raises(UserError, match=f"^No unfinished run has these settings. {words}"):
        auto()
    (SEED0 / "DONE").touch()
    assert auto() == (None, False)
    assert len(SAID) == 1 and SAID[0].startswith("There is no run to go on with in ")
    assert SAID[0].count(" was ") == SAID[0].count(" and is now ") > 2


def test_auto_on_other_data_says_so_too() -> None:
    run(5)
    other = {**DATA, "images": "b"}
    with begun(resume="auto", dataset="emoji", data=other) as place:
        assert place.snapshot is None and place.out == Path("result/dcgan_emoji/seed0")
    begins = "There is no run to go on with in result/dcgan_emoji."
    assert SAID == [f"{begins} {SEED0} differs: the data differ (other images)."]
    with begun(resume="auto", dataset="emoji"):  # the same, moved to a folder of another name
        words = f"{SEED0} has these settings and data: --resume={SEED0} goes on with it."
        assert SAID[1:] == [f"{begins} {words}"]


def test_a_damaged_run_is_in_nobodys_way() -> None:
    run(5)
    (SEED0 / "snapshots/iter_0000005.pt").write_text("no snapshot")
    assert run(5).name == "seed0-2" and SAID == []


def test_what_cannot_go_on_says_what_can(toy_file: Path) -> None:
    small = {"dataset": str(toy_file), "width": 0.1, "batch_size": 4, "evaluation_interval": 0}
    given = {**small, "max_iter": 2, "lr_decay": "linear", "tensorboard": False, "out": "run"}
    ganlib.train("dcgan", gpu=-1, **given)
    with pytest.raises(UserError, match='max_iter was 2 and is now 3. Rates fall .*init_from="run'):
        ganlib.train(resume="run", max_iter=3, gpu=-1)
    with pytest.raises(UserError, match='is of dcgan: leave algorithm="wgan_gp" out'):
        ganlib.train(resume="run", algorithm="wgan_gp", gpu=-1)

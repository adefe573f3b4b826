"""Snapshot files: whole or refused, whatever is in them."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

import ganlib
from ganlib.common.errors import UserError
from ganlib.training.snapshot import (
    is_whole,
    list_snapshots,
    newest_snapshot,
    peek_snapshot,
    read_snapshot,
)

Make = Callable[..., Path]


def test_a_flipped_bit_is_refused_and_a_whole_one_is_named(make_snapshot: Make) -> None:
    older, path = make_snapshot(iteration=3), make_snapshot(iteration=7)
    whole, random = path.read_bytes(), Random(0)
    torch.load(path, weights_only=True)
    accepted = 0
    for _ in range(40):
        place, bit = random.randrange(len(whole)), random.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            content = read_snapshot(path)
        except UserError as error:
            assert str(older) in str(error)
            continue
        # a bit between the parts of the file, which nobody reads
        accepted += 1
        path.write_bytes(whole)
        same = read_snapshot(path)
        for name, tensor in same["updater"]["modules"].items():
            assert torch.equal(tensor, content["updater"]["modules"][name]), name
    assert accepted < 10


def test_torch_alone_would_not_see_it(make_snapshot: Make) -> None:
    """A bit of a weight: why the checksums are looked at."""
    path = make_snapshot()
    weight = read_snapshot(path)["updater"]["modules"]["gen.l0.0.weight"].numpy().tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(weight) + 5] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)
    assert not is_whole(path)
    with pytest.raises(UserError, match="damaged"):
        ganlib.load(path)


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_what_was_cut_off_is_refused(size: int, snapshot: Path) -> None:
    snapshot.write_bytes(snapshot.read_bytes()[:size])
    with pytest.raises(UserError, match=r"not a whole snapshot: it is damaged, or another kind"):
        read_snapshot(snapshot)


def change(path: Path, what: Callable[[dict[str, Any]], object]) -> None:
    """Write a snapshot again with something in it changed."""
    content = torch.load(path, weights_only=True)
    what(content)
    torch.save(content, path)


ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "of this version": lambda c: c.update(format="ganlib snapshot 0"),
    "settings: Input should be": lambda c: c.update(settings=[1]),
    "settings: Field required": lambda c: c.pop("settings"),
    "settings.algorithm": lambda c: c["settings"].update(algorithm=3),
    "spec: Input should be": lambda c: c.update(spec=None),
    "image": lambda c: c["spec"].update(image="large"),
    "fit": lambda c: c["spec"].update(fit="stretch"),
    "native": lambda c: c["spec"].pop("native"),
    "colour": lambda c: c["spec"].update(colour=True),
    "updater.iteration": lambda c: c["updater"].update(iteration="7"),
    "greater than or equal to 0": lambda c: c["updater"].update(iteration=-1),
    "updater.modules.gen": lambda c: c["updater"]["modules"].update(gen=1),
    "updater.positions": lambda c: c["updater"].update(positions={"": 1.5}),
    "updater.optimizers": lambda c: c["updater"].pop("optimizers"),
    "extensions": lambda c: c.update(extensions={"log_report": 3}),
}


@pytest.mark.parametrize("words", ODD)
def test_other_content_is_refused_by_name(words: str, snapshot: Path) -> None:
    change(snapshot, ODD[words])
    with pytest.raises(UserError) as error:
        read_snapshot(snapshot)
    assert words in str(error.value) and str(snapshot) in str(error.value)


@pytest.mark.parametrize(
    "what",
    [
        lambda modules: modules.update({"gen.l0.0.bias": torch.zeros(3)}),
        lambda modules: modules.pop("gen.l0.0.bias"),
        lambda modules: modules.update({"gen.l9.bias": torch.zeros(3)}),
    ],
)
def test_other_tensors_are_refused(what: Callable[[Any], object], snapshot: Path) -> None:
    change(snapshot, lambda content: what(content["updater"]["modules"]))
    with pytest.raises(UserError, match="does not fit 'dcgan' as it is here"):
        ganlib.load(snapshot)


def test_settings_are_read_without_the_tensors(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.training.snapshot.is_whole", pytest.fail)
    assert peek_snapshot(snapshot)["settings"]["algorithm"] == "dcgan"


def test_only_numbers_are_snapshots(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    folder.mkdir()
    for name in (
        "iter_0000010.pt",
        "iter_9.pt",
        "iter_old.pt",
        "iter_.pt",
        "best.pt",
        ".iter_7.pt",
    ):
        (folder / name).touch()
    assert [path.name for path in list_snapshots(folder)] == ["iter_9.pt", "iter_0000010.pt"]
    assert newest_snapshot(tmp_path).name == "iter_0000010.pt"


def test_what_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no snapshot"):
        read_snapshot(tmp_path / "none.pt")
    with pytest.raises(UserError, match="is a folder"):
        read_snapshot(tmp_path)
    with pytest.raises(UserError, match="holds no snapshots"):
        newest_snapshot(tmp_path)
    for name in ("a", "b", "c/d"):
        (tmp_path / name / "snapshots").mkdir(parents=True)
    for name in ("b", "c/d"):
        (tmp_path / name / "snapshots" / "iter_1.pt").touch()
    both = f"{tmp_path / 'b'}, {tmp_path / 'c' / 'd'}"
    with pytest.raises(UserError, match=f"name the folder of one: {both}\\."):
        newest_snapshot(tmp_path)

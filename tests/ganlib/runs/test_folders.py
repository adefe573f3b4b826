"""A run's folder: whose files are written over, and whose are not; and it is held by one process,
and by none that has ended.
"""

import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from begun import SAID, SMALL, begun, run

import ganlib
from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.reading import find_runs
from ganlib.runs.folders import LOCK, PLAN, Place, _lock, locked
from ganlib.runs.settings import read_yaml

ROOT = Path(ganlib.__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from ganlib.runs.folders import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files(folder: str | Path) -> dict[str, str]:
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes().decode("latin-1") for p in paths}


def put(*names: str) -> dict[str, str]:
    """Files of somebody's."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"mine: {name}")
    return {name: f"mine: {name}" for name in names}


def test_what_a_run_does_not_write_is_left_alone(toy_file: Path) -> None:
    names = [".bashrc.original", ".vimrc.personal", "proj/.git/.index.abcdefgh", ".lock"]
    names += ["samples.txt", "photos/a.png", ".7.png.abcdefgh.png", ".config.yaml.a_1b2c3d.yaml"]
    mine = put(*(f"out/{name}" for name in names))
    for length in (1, 2):
        ganlib.train(**SMALL, dataset=str(toy_file), out="out", max_iter=length, resume="auto")
        Path("out/DONE").unlink()
        assert mine.items() <= {f"out/{name}": text for name, text in files("out").items()}.items()


@pytest.mark.parametrize(
    "name",
    ["config.yaml", "environment.json", "log.jsonl", "scores.jsonl", "trials.jsonl", "DONE"]
    + ["samples/real.png", "snapshots/iter_0000005.pt", "tensorboard/events", "samples"],
)
@pytest.mark.parametrize("resume", [None, "auto"])
def test_what_lies_where_a_run_writes_needs_force(name: str, resume: str | None) -> None:
    mine, there = put(f"out/{name}", "out/notes.txt"), name.partition("/")[0]
    with pytest.raises(UserError) as told:
        run(out="out", resume=resume)
    words = f"out/{there} is there already: give --force, or another --out."
    assert str(told.value) == words and files(".") == mine
    run(out="out", resume=resume, force=True)
    assert SAID == ["What was in out is in out/.earlier now."]
    assert (Path("out/.earlier") / name).read_text() == f"mine: out/{name}"
    assert Path("out/notes.txt").exists() and Path("out/config.yaml").exists()


def test_a_link_into_nowhere_is_somebodys(tmp_path: Path) -> None:
    Path("out").mkdir()
    Path("out/log.jsonl").symlink_to("/nowhere/log.jsonl")
    with pytest.raises(UserError, match=r"out/log\.jsonl is there already"):
        run(out="out")


def test_a_run_is_moved_aside_by_force_alone() -> None:
    run(5, done=True, out="result/a")
    before = files("result/a")
    with pytest.raises(UserError, match="result/a already holds a run"):
        run(out="result/a")
    assert files("result/a") == before
    for k in ("", "-2"):
        run(out="result/a", force=True)
        assert SAID[-1] == f"What was in result/a is in result/a/.earlier{k} now."
    assert files("result/a/.earlier") == before
    assert not Path("result/a/snapshots").exists()
    assert [str(found.path) for found in find_runs([Path("result")])] == ["result/a"]


def test_empty_folders_and_another_programs_names_are_in_nobodys_way() -> None:
    for name in ("samples", "snapshots", "tensorboard", "data"):
        Path("out", name).mkdir(parents=True)
    put("out/data/x.txt", "out/train.log")
    run(out="out")
    assert SAID == [] and Path("out/config.yaml").exists()


def test_a_copy_of_a_runs_settings_is_no_run_and_stays() -> None:
    copy = (run(5, out="a") / "config.yaml").read_text() + "# mine\n"
    Path("b").mkdir()
    Path("b/config.yaml").write_text(copy)
    for resume in (None, "auto"):
        with pytest.raises(UserError, match="^b/config.yaml is there already"):
            run(out="b", resume=resume)
    assert files("b") == {"config.yaml": copy}


def test_a_run_that_was_killed_as_it_began_is_in_nobodys_way_and_its_torn_files_go() -> None:
    run(out="out")
    Path("out/config.yaml").unlink()
    torn = Path("out/.ganlib-abcdefgh.yaml")
    for killed in (False, True):
        put(str(torn))
        if killed:
            Path("out", LOCK).write_text("process 1 on a")
        assert run(out="out") == Path("out") and SAID == []
        assert torn.exists() != killed
        Path("out/config.yaml").unlink()


@pytest.mark.parametrize("force", [False, True])
def test_a_run_does_not_settle_in_the_folder_of_a_grid(force: bool) -> None:
    mine = put(f"out/{PLAN}", "out/dcgan_seed0/config.yaml")
    with pytest.raises(UserError, match="^out holds a grid, whose runs lie in it"):
        run(out="out", force=force)
    assert files(".") == mine
    run(out="out/dcgan_seed1")


def test_a_run_without_its_environment_is_a_run() -> None:
    run(5, out="out")
    Path("out/environment.json").unlink()
    with pytest.raises(UserError, match="already holds a run"):
        run(out="out")
    with begun(out="out", resume="auto") as place:
        assert place.snapshot is not None


def test_going_on_elsewhere_writes_over_no_other_run() -> None:
    run(5, out="a")
    run(5, out="b")
    with pytest.raises(UserError, match="^b already holds a run"):
        run(resume="a", out="b")
    with begun(resume="a", out="c") as place:
        assert place.out == Path("c") and place.snapshot == Path("a/snapshots/iter_0000005.pt")
    with begun(resume="a") as place:
        assert place.out == Path("a").resolve()


def test_a_snapshot_that_lies_elsewhere_makes_no_run_of_its_surroundings() -> None:
    put("home/notes.txt", "home/.profile")
    snapshot = run(5, out="a") / "snapshots" / "iter_0000005.pt"
    Path("home/downloads").mkdir()
    snapshot.rename("home/downloads/iter_0000005.pt")
    before = files("home")
    with begun(resume="home/downloads/iter_0000005.pt") as place:
        assert place.out == Path("result/dcgan_fashion_mnist/seed0")
    assert files("home") == before


@pytest.mark.parametrize("place", [{}, {"out": "chosen"}])
@pytest.mark.parametrize("resume", [None, "auto"])
def test_a_run_that_ended_before_its_first_snapshot_begins_anew(
    place: dict[str, Any], resume: str | None
) -> None:
    """With the settings that were wrong the first time, for instance."""
    out = run(batch_size=4_000, **place)
    put(f"{out}/samples/real.png", f"{out}/samples/0000000.png", f"{out}/notes.txt")
    with begun(resume=resume, **place) as again:
        assert again == Place(out, None)
    assert SAID == [f"The run in {out} ended before its first snapshot, and begins anew."]
    assert read_yaml(out / "config.yaml")["batch_size"] == 4
    assert not (out / ".earlier").exists() and (out / "notes.txt").exists()


@pytest.mark.parametrize("name", ["log.jsonl", "samples/0000010.png"])
def test_what_it_left_of_its_training_is_kept(name: str) -> None:
    run(out="out", seed=1)
    put(f"out/{name}", "out/tensorboard/events")
    run(out="out")
    assert SAID[1:] == ["What was in out is in out/.earlier now."]
    left = files("out/.earlier")
    assert left[name] == f"mine: out/{name}" and "tensorboard/events" in left
    assert "seed: 1" in left["config.yaml"] and "seed: 0" in files("out")["config.yaml"]


@pytest.mark.parametrize("name", ["DONE", "snapshots/best.pt"])
def test_a_finished_run_without_its_snapshots_is_no_failed_one(name: str) -> None:
    out = run()
    put(f"{out}/{name}")
    before = files(out)
    assert run(resume="auto").name == "seed0-2"
    with pytest.raises(UserError, match="already holds a run"):
        run(out=str(out), resume="auto")
    assert files(out) == before


def test_a_run_that_goes_on_before_its_first_snapshot_is_no_failed_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def held_by_another(file: FileIO) -> None:
        if Path(str(file.name)).parent == out:
            raise BlockingIOError

    out = run()
    monkeypatch.setattr("ganlib.runs.folders._lock", held_by_another)
    assert run().name == "seed0-2" and SAID == []
    with pytest.raises(UserError, match="is being trained in by "):
        run(out=str(out), force=True)


def test_the_process_that_has_it_is_named_and_a_killed_one_has_it_no_more(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "held\n"
        owner = f"trained in by process {process.pid} on "
        with pytest.raises(UserError, match=owner), locked(tmp_path):
            pytest.fail("held twice")
        process.kill()
        process.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path) as killed:
        assert killed and (tmp_path / LOCK).read_text().startswith("process ")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_owner_removed_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening and its locking: or two processes would hold two files of one name."""
    original, calls = _lock, []

    def late(file: object) -> None:
        if not calls:
            (tmp_path / LOCK).unlink()
        calls.append(file)
        original(file)  # type: ignore[arg-type]

    monkeypatch.setattr("ganlib.runs.folders._lock", late)
    with locked(tmp_path) as killed:
        assert len(calls) == 2 and (tmp_path / LOCK).exists() and not killed


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    words = "none cannot be written: No such file"
    with pytest.raises(UserError, match=words), locked(tmp_path / "none"):
        pass

"""Jobs of SLURM, by commands in place of its own: what is submitted, and what a script does when it
runs. tests/ganlib/runs/test_real_slurm.py has a SLURM.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import Result

from ganlib.common.errors import UserError
from ganlib.runs.run import fitted, gather
from ganlib.runs.slurm import Launcher, parse_launcher
from ganlib.runs.state import read_state
from ganlib.training.snapshot import newest_snapshot, read_snapshot

Run = Callable[..., Result]
Main = Callable[..., subprocess.CompletedProcess[str]]
LIMIT = 60.0  # seconds that anything may take
FLAGS = "-a dcgan --dataset ring8 --batch-size 4 -g -1 --evaluation-interval 0 --no-tensorboard"
FLAGS += " --sample-interval 0 --max-iter 3"
COMMANDS = {
    "sbatch": '[ -e refusal ] && cat refusal >&2 && exit 1\necho "$@" >> submitted\necho "17;here"',
    "scontrol": 'echo "$@" >> requeued',
    "scancel": 'echo "$@" >> cancelled\n',
    "srun": 'exec "$@"',
    # in place of `python -m ganlib train --config FILE`
    "stub": """out=$(dirname "$5"); mkdir -p "$out/snapshots"; echo "threads: $OMP_NUM_THREADS"
trap 'echo >> "$out/asked"; [ $KIND = hears ] && touch "$out/snapshots/2.pt"; exit 5' TERM
[ $KIND = done ] && touch "$out/DONE" "$out/snapshots/2.pt"
touch "$out/ready"
for _ in {1..600}; do [ $KIND = hears ] || [ $KIND = deaf ] || exit 3; sleep 0.1 & wait $!; done""",
}


@pytest.fixture(autouse=True)
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    for name, text in COMMANDS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


def begun(script: Path, kind: str = "", **environment: str) -> "subprocess.Popen[bytes]":
    """The script, as SLURM starts it."""
    own = {"SLURM_JOB_ID": "17", "KIND": kind, **environment}
    return subprocess.Popen(
        ["bash", str(script)], env={**os.environ, **own}, start_new_session=True
    )


def wait_for(path: Path) -> None:
    limit = time.monotonic() + LIMIT
    while not path.exists():
        assert time.monotonic() < limit, path
        time.sleep(0.01)


def submitted(run: Run, launcher: str = "slurm", more: str = "") -> Path:
    done = run("train", *FLAGS.split(), *more.split(), "--launcher", launcher)
    assert done.exit_code == 0, done.output
    assert "Job 17 trains" in done.output
    return Path("result/dcgan_ring8/seed0/job.sbatch")


def test_a_launcher_is_options_of_sbatch_and_words_of_ours() -> None:
    text = "slurm\ntime=4:00:00 exclusive comment='a b' setup='module load x' setup=y python='a\nb'"
    options = {"time": "4:00:00", "exclusive": "", "comment": "a b"}
    assert parse_launcher(text) == Launcher(options, ["module load x", "y"], "a b")
    assert [Launcher({"cpus-per-task": n}).threads for n in ("4", "0", "x")] == [4, 1, 1]


@pytest.mark.parametrize(
    ("launcher", "sentence"),
    [
        ("", "There is no launcher ''. There is: slurm."),
        ("pbs time=3", "There is no launcher 'pbs'. There is: slurm."),
        (
            "slurm --time=3",
            "--launcher has '--time=3'; after slurm come options of sbatch as NAME=",
        ),
        ("slurm -p gpu", "--launcher has '-p'; after slurm"),
        ("slurm\n=1", "--launcher has '=1'; after slurm"),
        ("slurm a='", "--launcher cannot be read: No closing quotation."),
        ("slurm time=3 array=0-3", "Leave array out of --launcher: ganlib's script says it itself"),
        ("slurm output=my.log", "Leave output out of --launcher"),
    ],
)
def test_other_words_are_refused(launcher: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        parse_launcher(launcher)


@pytest.mark.parametrize("more", ["", "--seeds 0,1"])
def test_without_slurm_there_is_a_sentence(
    more: str, main_here: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = main_here(*FLAGS.split(), *more.split(), "--launcher", "slurm", verb="train")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("Error: There is no sbatch here: ")
    assert not Path("result").exists()


def test_what_slurm_refuses_is_a_sentence_and_leaves_nothing(main_here: Main) -> None:
    Path("refusal").write_text("sbatch: error: invalid partition specified: x\nsbatch: error: y\n")
    done = main_here(*FLAGS.split(), "--launcher", "slurm partition=x", verb="train")
    assert done.returncode == 2
    assert done.stderr == "Error: SLURM refuses the job: invalid partition specified: x.\n"
    assert not Path("result").exists()


def test_bad_settings_and_data_are_told_before_anything_is_submitted(main_here: Main) -> None:
    for bad in ("--width=0", "--dataset=nowhere"):
        done = main_here(*FLAGS.split(), bad, "--launcher", "slurm", verb="train")
        assert done.returncode == 2 and done.stderr.startswith("Error: ")
    assert not Path("submitted").exists() and not Path("result").exists()


def test_a_script_says_what_was_asked_for(run: Run) -> None:
    """In an order in which the user's words go before what is so by default."""
    launcher = "slurm signal=B:USR1@9 comment='a b' cpus-per-task=3 setup='export KIND=\"done\"'"
    submitted(run, f"{launcher} python='stub'", "--out 100%/d'it --flip")
    script = Path("100%/d'it/job.sbatch")
    lines = script.read_text().splitlines()
    flags = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    assert flags == [
        "--job-name='ganlib-d'\"'\"'it'",
        f"--chdir={Path.cwd()}",
        "--open-mode=append",
        "--output='100%%/d'\"'\"'it/job.log'",
        "--requeue",
        "--signal=B:USR1@9",
        "--comment='a b'",
        "--cpus-per-task=3",
    ]
    assert lines[0] == "#!/bin/bash" and 'export KIND="done"' in lines
    assert begun(script).wait(LIMIT) == 3 and (script.parent / "DONE").exists()
    told = yaml.safe_load((script.parent / "job.yaml").read_text())
    assert told["flip"] is True and told["max_iter"] == "3" and told["out"] == str(script.parent)


def test_a_job_trains_what_the_command_would_have_trained(run: Run) -> None:
    script = submitted(run, "slurm python=echo")
    assert Path("submitted").read_text() == f"--parsable {script}\n"
    assert begun(script).wait(LIMIT) == 0
    first, started = (script.parent / "job.log").read_text().splitlines()
    assert first.startswith("Job 17 on ")
    assert started == f"-m ganlib train --config {script.parent / 'job.yaml'}"
    for arguments in (started.split()[2:], ["train", *FLAGS.split(), "--out", "alone"]):
        done = run(*arguments)
        assert done.exit_code == 0, done.output
    weights, others = (
        read_snapshot(newest_snapshot(out))["updater"]["modules"]
        for out in (Path("alone"), script.parent)
    )
    assert all(tensor.equal(others[name]) for name, tensor in weights.items())
    assert read_state(script.parent).name == "done"
    again = run("train", *FLAGS.split(), "--launcher", "slurm")  # a run of its own, as without it
    assert "trains in result/dcgan_ring8/seed0-2" in again.output


@pytest.mark.parametrize(("kind", "requeued"), [("hears", True), ("deaf", False)])
def test_before_its_time_is_over_a_run_is_asked_and_comes_back(
    kind: str, requeued: bool, run: Run
) -> None:
    """Unless it has got nowhere: it would come back for ever."""
    script = submitted(run, "slurm python=stub")
    process = begun(script, kind)
    wait_for(script.parent / "ready")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(LIMIT) == 5
    assert (script.parent / "asked").read_text() == "\n"  # once
    assert Path("requeued").exists() == requeued
    assert not requeued or Path("requeued").read_text() == "requeue 17\n"


def test_processes_that_srun_starts_are_asked_by_slurm(run: Run) -> None:
    script = submitted(run, "slurm python='srun stub'")
    process = begun(script, "hears")
    wait_for(script.parent / "ready")
    process.send_signal(signal.SIGUSR1)
    wait_for(Path("cancelled"))
    assert Path("cancelled").read_text() == "--signal=TERM 17\n"
    assert not (script.parent / "asked").exists()
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(LIMIT) == 5 and Path("requeued").exists()


def test_a_job_that_is_cancelled_waits_for_the_snapshot_and_stays_away(run: Run) -> None:
    """SLURM sends a SIGTERM to all of its processes."""
    script = submitted(run, "slurm python=stub")
    process = begun(script, "hears")
    wait_for(script.parent / "ready")
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(LIMIT) == 5
    assert (script.parent / "asked").read_text() == "\n"
    assert (script.parent / "snapshots" / "2.pt").exists() and not Path("requeued").exists()


def test_what_has_ended_does_not_come_back(run: Run) -> None:
    script = submitted(run, "slurm python=stub")
    assert begun(script, "done").wait(LIMIT) == 3  # the status of the run
    assert not Path("requeued").exists()


@pytest.mark.parametrize(("file", "flag"), [("max_iter", "epochs"), ("epochs", "max_iter")])
def test_flags_go_before_a_settings_file(file: str, flag: str, run: Run) -> None:
    written = {"dataset": "ring8", file: 7, "dcgan": {"adam_alpha": 0.1, "width": 0.5}}
    Path("settings.yaml").write_text(yaml.safe_dump(written))
    values = {"config": "settings.yaml", "algorithm": "dcgan", "gpu": -1, "adam_alpha": 0.2}
    values |= {flag: 3, "evaluation_interval": 0}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
    done = run("train", *flags, "--launcher", "slurm", "--out", "own")
    assert done.exit_code == 0, done.output
    told = ({**values, "out": "own", "resume": "auto"}, {"config": "own/job.yaml"})
    cpu = torch.device("cpu")
    wanted, found = (fitted(gather(v), (2, 1, 1), 50_000, cpu).flat() for v in told)
    assert found == {**wanted, "force": False} and found["adam_alpha"] == 0.2


def test_a_run_that_is_resumed_goes_on_in_its_folder(run: Run, main_here: Main) -> None:
    first = run("train", *FLAGS.split(), "--out", "own")
    assert first.exit_code == 0, first.output
    more = "--resume own --max-iter 5 --launcher slurm".split()
    assert run("train", *FLAGS.split(), *more).exit_code == 0
    assert yaml.safe_load(Path("own/job.yaml").read_text())["resume"] == str(Path("own").resolve())
    (Path("own/snapshots") / "iter_0000002.pt").write_bytes(
        newest_snapshot(Path("own")).read_bytes()
    )
    Path("submitted").unlink()
    for elsewhere in (["own/snapshots/iter_0000002.pt"], ["own", "--out", "other"]):
        more = ["--max-iter", "5", "--launcher", "slurm", "--resume", *elsewhere]
        done = main_here(*FLAGS.split(), *more, verb="train")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "from the newest snapshot of its folder" in done.stderr
    assert not Path("submitted").exists() and not Path("other").exists()


def test_a_grid_is_an_array_of_what_is_not_done(run: Run) -> None:
    def submit(jobs: str = "") -> Any:
        launcher = "slurm cpus-per-task=3 python=stub"
        done = run("train", *f"{FLAGS} --seeds 0,1,2 {jobs} --launcher".split(), launcher)
        assert done.exit_code == 0, done.output
        script = Path("result/grid/job.sbatch")
        return done.output, script, re.search("--array=(.*)", script.read_text())[1]  # type: ignore

    output, script, array = submit()
    assert "result/grid: 3, of which done: 0; 3 at a time, threads of each: 3." in output
    assert "Job 17 trains 3 of them" in output and array == "0-2%3"
    assert yaml.safe_load(Path("result/grid/grid.yaml").read_text())["threads"] == 3
    folders = [Path(f"result/grid/dcgan_seed{k}") for k in range(3)]
    assert begun(script, "done", SLURM_ARRAY_TASK_ID="1").wait(LIMIT) == 3
    assert [(folder / "DONE").exists() for folder in folders] == [False, True, False]
    assert (folders[1] / "job.log").read_text().startswith("Job 17 on ")
    output, script, array = submit("--jobs 1")
    assert "result/grid: 3, of which done: 1; 1 at a time, threads of each: 3." in output
    assert array == "0-1%1"
    assert begun(script, "done", SLURM_ARRAY_TASK_ID="1").wait(LIMIT) == 3
    assert [(folder / "DONE").exists() for folder in folders] == [False, True, True]
    assert begun(script, "done", SLURM_ARRAY_TASK_ID="0").wait(LIMIT) == 3
    before = Path("submitted").read_text()
    done = run("train", *f"{FLAGS} --seeds 0,1,2 --launcher slurm".split())
    assert done.exit_code == 0 and "of which done: 3" in done.output and "Job" not in done.output
    assert Path("submitted").read_text() == before


def test_a_run_of_a_grid_that_cannot_begin_says_why(run: Run, main_here: Main) -> None:
    """On the node; the command of the grid passes it on, and tries again."""
    command = f"{FLAGS} --seeds 0 --launcher slurm".split()
    assert run("train", *command).exit_code == 0
    folder = Path("result/grid/dcgan_seed0")
    assert read_state(folder).name == "waiting"
    done = main_here("--config", folder / "job.yaml", "--gpu=7", verb="train")
    assert done.returncode == 2 and "7" in done.stderr
    assert (
        state := read_state(folder)
    ).name == "failed" and f"Error: {state.sentence}" in done.stderr
    Path("refusal").write_text("sbatch: error: no such partition\n")
    assert "no such partition" in str(run("train", *command).exception)
    assert read_state(folder) == state  # as nothing waits
    Path("refusal").unlink()
    output = " ".join(run("train", *command).output.split())
    assert f"dcgan_seed0 failed, and is tried again: {state.sentence}" in output
    assert read_state(folder).name == "waiting"

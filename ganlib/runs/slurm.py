"""Runs as jobs of a SLURM cluster: by a script beside them that calls ganlib again, which users can
read, change and submit by hand.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

import ganlib
from ganlib.common.data.fingerprint import fingerprint
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.console import printable, say, stderr_console
from ganlib.common.io.files import write_text, writing
from ganlib.runs.folders import RunFolder, note
from ganlib.runs.grid import Grid, describe
from ganlib.runs.jobs import LOG
from ganlib.runs.resuming import Resumption
from ganlib.runs.run import fitted, gather, open_data
from ganlib.runs.settings import part_of, read_config
from ganlib.runs.state import JOB, STATE, State
from ganlib.training.snapshot import list_snapshots

SCRIPT = "job.sbatch"
NOTICE = 120
"""Seconds before a job's time is over in which its run writes a snapshot."""
OWN = ("setup", "python")
"""Words that are no options of sbatch: see Launcher."""
SCRIPTS = ("array", "chdir", "open-mode", "output")
"""Options of sbatch that the script has values for, by which runs and logs are found."""
LENGTHS = {"epochs", "max_iter"}
_WORD = re.compile(r"([a-z][a-z-]*)(?:=(.*))?")
# What a script does with `python`, `jobs` and `runs`, which stand before it.
_BODY = r"""
job=${jobs[${SLURM_ARRAY_TASK_ID:-0}]} run=${runs[${SLURM_ARRAY_TASK_ID:-0}]}
exec >>"$(dirname "$job")/@LOG@" 2>&1
echo "Job $SLURM_JOB_ID on $(hostname), $(date)"
snapshots() { ls "$run/snapshots" 2>/dev/null; }
before=$(snapshots)
stop() {
  asked=yes
  if [ "${python[0]}" = srun ]; then scancel --signal=TERM "$SLURM_JOB_ID"; else kill "$!"; fi
}
trap stop USR1 # from SLURM, when the time is nearly over
trap : TERM    # when the job is cancelled: SLURM sends the run one too, which is waited for
"${python[@]}" -m ganlib train --config "$job" &
while wait "$!"; kill -0 "$!" 2>/dev/null; do :; done # a trap ends a wait
wait "$!"
status=$?
if [ "$asked" ] && [ ! -e "$run/DONE" ] && [ "$(snapshots)" != "$before" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
""".replace("@LOG@", LOG)


@dataclass(frozen=True)
class Launcher:
    """What --launcher asks for. options: of sbatch, without their dashes, and their values, "" for
    one that has none. setup: lines of shell before a run. python: the words of shell that stand for
    it, such as those of torchrun.
    """

    options: Mapping[str, str]
    setup: Sequence[str] = ()
    python: str = shlex.quote(sys.executable)

    @property
    def threads(self) -> int:
        """Of each run, which is one of SLURM's tasks."""
        cores = self.options.get("cpus-per-task", "")
        return max(1, int(cores)) if cores.isdecimal() else 1


def parse_launcher(text: str) -> Launcher:
    """The launcher "slurm time=4:00:00 partition=gpu ...". UserError for another one, for words of
    another form, and where there is no SLURM; which options there are is known to sbatch.
    """
    try:
        name, *words = shlex.split(text.replace("\n", " ")) or [""]
    except ValueError as error:
        raise UserError(f"--launcher cannot be read: {one_line(error)}.") from None
    if name != "slurm":
        raise UserError(f"There is no launcher '{name}'. There is: slurm.")
    matches = [_WORD.fullmatch(word) for word in words]
    if None in matches:
        raise UserError(
            f"--launcher has '{words[matches.index(None)]}'; after slurm come options of sbatch as "
            "NAME=VALUE, such as time=4:00:00."
        )
    given = [(match[1], match[2] or "") for match in matches if match]
    if taken := [name for name, _ in given if name in SCRIPTS]:
        raise UserError(f"Leave {taken[0]} out of --launcher: ganlib's script says it itself.")
    if shutil.which("sbatch") is None:
        raise UserError(
            "There is no sbatch here: --launcher slurm is for a machine on which jobs are "
            "submitted to a SLURM cluster."
        )
    options = {name: value for name, value in given if name not in OWN}
    own = {name: [value for key, value in given if key == name] for name in OWN}
    return Launcher(options, own["setup"], (own["python"] or [Launcher.python])[-1])


def submit_run(values: Mapping[str, Any], launcher: Launcher) -> None:
    """Submit the run of these values, as of runs.run.gather, in the folder that it would have here,
    once its settings and data have been looked at.
    """
    tell = partial(say, stderr_console())
    settings, file = gather(values), read_config(values)
    images, _ = open_data(settings)
    settings = fitted(settings, images.shape, len(images), torch.device("cpu"))
    resumption = Resumption(settings, fingerprint(images))
    folder = RunFolder(settings.run, resumption.find, resumption.remark, tell)
    with folder.held() as (out, snapshot, _):
        newest = [path.resolve() for path in list_snapshots(out / "snapshots")][-1:]
        if snapshot is not None and snapshot.resolve() not in newest:
            raise UserError(
                "A job goes on from the newest snapshot of its folder: give --resume the run's "
                "folder, and no other --out."
            )
        given = {name: value for name, value in values.items() if name != "config"}
        told = part_of(file, settings.run.algorithm)
        if LENGTHS & given.keys():  # a file cannot have both
            told = {name: value for name, value in told.items() if name not in LENGTHS}
        # a job that comes back finds its own snapshots there
        own = {"out": str(out), "resume": "auto" if snapshot is None else str(out), "force": False}
        with writing(out):
            write_text(out / JOB, yaml.safe_dump({**told, **given, **own}, sort_keys=False))
        try:
            number = _submit(launcher, out, {out / JOB: out}, launcher.threads)
        except UserError:
            (out / JOB).unlink()  # so that no empty run is left
            raise
    tell(
        f"Job {number} trains in {out}, and says in {out / LOG} what it does: squeue -j {number} "
        f"shows it, scancel {number} stops it with a snapshot."
    )


def submit_grid(grid: Grid, launcher: Launcher) -> dict[str, State]:
    """Submit what is neither done nor at work as an array of jobs; the states of all then."""
    console, states = stderr_console(), grid.states()
    say(console, describe(grid, states))
    left = [name for name, state in states.items() if state.name not in ("done", "running")]
    if left:
        jobs = {grid.folder / name / JOB: grid.places[name] for name in left}
        array = f"0-{len(left) - 1}%{grid.jobs}"
        for name in left:
            if states[name].name == "failed":
                say(console, f"{name} failed, and is tried again: {states[name].sentence}")
        paths = [grid.places[name] / STATE for name in left]
        before = [path.read_text("utf-8") if path.exists() else None for path in paths]
        for name, path in zip(left, paths, strict=True):  # before a job says that it runs
            note(path, "waiting", max_iter=states[name].max_iter)
        try:
            number = _submit(launcher, grid.folder, jobs, grid.threads, {"array": array})
        except UserError:
            for path, text in zip(paths, before, strict=True):
                if text is None:
                    path.unlink(missing_ok=True)
                else:
                    write_text(path, text)
            raise
        say(
            console,
            f"Job {number} trains {len(left)} of them, each of which says in its {LOG} what it "
            f"does: squeue -j {number} shows them, scancel {number} stops them with snapshots.",
        )
    return grid.states()


def _submit(
    launcher: Launcher,
    folder: Path,
    jobs: Mapping[Path, Path],
    threads: int,
    more: Mapping[str, str] | None = None,
) -> str:
    """Have runs trained by a script in `folder`; the number of the job.

    jobs: what each is told, a file, and where it trains. Where SLURM refuses it, no script is left.
    """
    script = folder / SCRIPT
    with writing(folder):
        write_text(script, _script(launcher, folder, jobs, threads, more or {}))
    command = ["sbatch", "--parsable", str(script)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        script.unlink()
        reason, *_ = done.stderr.splitlines() or ["without a word"]
        reason = reason.removeprefix("sbatch: ").removeprefix("error: ")
        raise UserError(f"SLURM refuses the job: {printable(reason)}.")
    return done.stdout.strip().partition(";")[0]


def _script(
    launcher: Launcher,
    folder: Path,
    jobs: Mapping[Path, Path],
    threads: int,
    more: Mapping[str, str],
) -> str:
    """The text of the script, in which later options go before earlier ones."""
    log = str(folder / LOG).replace("%", "%%")
    options = {
        "job-name": f"ganlib-{folder.name}",
        **{"chdir": str(Path.cwd()), "open-mode": "append", "output": log},
        "requeue": "",
        "signal": f"B:USR1@{NOTICE}",
        **launcher.options,
        **more,
    }
    flags = (f"--{name}={shlex.quote(v)}" if v else f"--{name}" for name, v in options.items())
    home = shlex.quote(str(Path(ganlib.__file__).parent.parent))
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {flag}" for flag in flags),
        *([] if launcher.python != Launcher.python else [f"export OMP_NUM_THREADS={threads}"]),
        f"export PYTHONPATH={home}${{PYTHONPATH:+:$PYTHONPATH}}",
        *launcher.setup,
        f"python=({launcher.python})",
        *("jobs=(", *(f"  {shlex.quote(str(job))}" for job in jobs), ")"),
        *("runs=(", *(f"  {shlex.quote(str(run))}" for run in jobs.values()), ")"),
    ]
    return "\n".join(lines) + _BODY

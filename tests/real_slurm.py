"""A SLURM of two nodes on this machine alone, for as long as a test takes it."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

LIMIT = 1800.0  # seconds that anything may take, on a machine with much else to do
CONF = """ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
KillWait=120
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs={cpus}
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
"""


def wait_until(holds: Callable[[], object], what: str) -> None:
    limit = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < limit, f"{what}\n{call('squeue')}"
        time.sleep(0.2)


def call(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def real_slurm(folder: Path) -> Iterator[None]:
    """SLURM's daemons, which the environment then names; skipped where they are not installed."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    daemons = {name: shutil.which(name, path=path) for name in ("slurmctld", "slurmd")}
    if missing := [name for name in (*daemons, "sbatch") if not shutil.which(name, path=path)]:
        pytest.skip(f"there is no {missing[0]} (Debian: apt install slurm-wlm)")
    (folder / "state").mkdir(parents=True)
    conf, host = folder / "slurm.conf", socket.gethostname().partition(".")[0]
    cpus = max(1, (os.cpu_count() or 2) // 2)
    told = {"host": host, "user": getpass.getuser(), "folder": folder, "cpus": cpus}
    conf.write_text(CONF.format(ports=_ports(), **told))
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    commands = [[str(daemons["slurmctld"]), "-D", "-i"]]
    commands += [[str(daemons["slurmd"]), "-D", "-N", node] for node in ("n1", "n2")]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(conf))
        for number, command in enumerate(commands):
            log = stack.enter_context((folder / f"{number}.log").open("wb"))
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            stack.callback(process.wait)
            stack.callback(process.send_signal, signal.SIGTERM)
        wait_until(lambda: "n[1-2] idle" in _nodes(), f"SLURM does not begin: see {folder}")
        yield
        subprocess.run(["scancel", "--user", told["user"]], check=True)
        wait_until(lambda: not call("squeue", "--noheader"), "jobs do not end")


def _nodes() -> str:
    command = ["sinfo", "--noheader", "--format=%N %t"]
    return subprocess.run(command, capture_output=True, text=True).stdout


def _ports() -> list[int]:
    """Three free ones after each other's number, and no other process's choice."""
    for first in range(20000 + os.getpid() % 4000 * 10, 65000, 3):
        with ExitStack() as stack:
            try:
                for port in range(first, first + 3):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return list(range(first, first + 3))
    raise AssertionError("no port is free")

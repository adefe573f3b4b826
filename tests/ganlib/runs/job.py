"""A process in place of that of a run, without PyTorch: the last digit of the seed says what
becomes of it.

0: it is done. 1: it ends with a sentence. 2: it is killed. 3: it goes on until it is asked to stop,
and stops in good order. 4: it does not hear that. 5: it dies of a bug. 6: it stops by itself.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import yaml

LIMIT = 60.0  # seconds that no process outlives


def main() -> None:
    config = yaml.safe_load(Path(sys.argv[1]).read_text())
    out, kind = Path(config["out"]), config["seed"] % 10
    told: list[int] = []
    if kind in (3, 4):
        heard = (lambda number, _: told.append(number)) if kind == 3 else signal.SIG_IGN
        signal.signal(signal.SIGTERM, heard)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    (out / "begun").write_text(f"{os.environ['OMP_NUM_THREADS']} {visible}")
    if kind == 1:
        print("something else", "Error: There is no such thing.", "", sep="\n", file=sys.stderr)
        sys.exit(2)
    if kind == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == 5:
        raise ValueError("a bug")
    (out / "config.yaml").write_text(yaml.safe_dump(config))
    note(out, "running")
    (out / "ready").touch()
    limit = time.monotonic() + LIMIT
    while kind in (3, 4) and not told and time.monotonic() < limit:
        time.sleep(0.01)
    if kind in (3, 6):
        note(out, "stopped", "SIGTERM received" if told else "the 2 hours are over")
    else:
        (out / "DONE").touch()


def note(out: Path, state: str, sentence: str = "") -> None:
    told = {"state": state, "sentence": sentence, "pid": os.getpid(), "max_iter": 1000}
    text = json.dumps({**told, "host": socket.gethostname()})
    (out / "written").write_text(text)
    (out / "written").rename(out / "state.json")


if __name__ == "__main__":
    main()

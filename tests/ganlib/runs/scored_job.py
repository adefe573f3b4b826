"""A process in place of that of a run, without PyTorch, which is done at once and has scores: at
iteration 10 its seed + 1000 * adam_alpha, at iteration 20 half more. A run of seed 1 waits to be
asked to stop while there is a file `hold` beside its folder.
"""

import json
import signal
import sys
import time
from pathlib import Path

import yaml

LIMIT = 60.0  # seconds that no process outlives


def main() -> None:
    config = yaml.safe_load(Path(sys.argv[1]).read_text())
    out, seed = Path(config["out"]), config["seed"]
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    (out / "config.yaml").write_text(yaml.safe_dump({"dataset": "ring8", **config}))
    environment = {"device": "an old one", "device_type": "cpu", "threads": 1}
    (out / "environment.json").write_text(json.dumps(environment))
    (out / "ready").touch()
    limit = time.monotonic() + LIMIT
    while seed == 1 and (out.parent / "hold").exists() and time.monotonic() < limit:
        if told:
            return
        time.sleep(0.01)
    first = seed + 1000 * config["adam_alpha"]
    protocol = {"extractor": "points", "n_generated": 100, "versions": {"numpy": "2"}}
    with (out / "scores.jsonl").open("w") as file:
        for iteration, value in ((10, first), (20, 1.5 * first)):
            scores = {"reverse_kl": {"value": value, "hash": "abc", "protocol": protocol}}
            file.write(json.dumps({"iteration": iteration, "scores": scores}) + "\n")
    line = {"iteration": 20, "images": 80, "images_per_second": 20.0, "images_per_cpu_second": 40.0}
    (out / "log.jsonl").write_text(json.dumps(line) + "\n")
    (out / "DONE").touch()


if __name__ == "__main__":
    main()

"""One of two processes that train together, of which the first is killed while the second waits for
it where no Python runs.
"""

import os
import signal

import torch
import torch.distributed as dist

from ganlib.training.device import ranks


def main() -> None:
    ranks.BEAT, ranks.SILENT = 0.1, 10
    with ranks.joined(torch.device("cpu")):
        dist.barrier()
        if ranks.rank() == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        ranks.Agreement()("", 1)


if __name__ == "__main__":
    main()

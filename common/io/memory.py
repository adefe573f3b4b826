"""How much memory there is, and the sentence for those who ask for more."""

import os
import re
from math import inf
from pathlib import Path

from ganlib.common.errors import UserError

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
GIB = 2**30
ADVICE = (
    "write it to a file once with `python -m ganlib data prepare NAME OUT.h5 --size N`, which "
    "needs little memory, and use OUT.h5 as the data set."
)


def available_memory() -> float:
    """Bytes that can be had now, of the machine or of its container; infinity where neither says
    how many.
    """
    return min(_machine(), _container())


def require_memory(name: str, nbytes: int, advice: str = ADVICE) -> None:
    """UserError if `nbytes` for the images `name` are more than half of the available memory."""
    available = available_memory()
    if nbytes > available / 2:
        raise UserError(
            f"'{name}' takes {nbytes / GIB:,.1f} GiB of memory and half of what is available is "
            f"{available / 2 / GIB:,.1f} GiB: {advice}"
        )


def _machine() -> float:
    try:
        if found := re.search(r"^MemAvailable: +(\d+)", MEMINFO.read_text(), re.MULTILINE):
            return int(found[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return inf


def _container() -> float:
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return max(0, limit - used + int(stat["inactive_file"]))  # cached files give way
    except (KeyError, OSError, ValueError):
        return inf

"""How much memory this process takes, in bytes."""

from __future__ import annotations

import os
import subprocess
import sys


def resident() -> int:
    """What it holds now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) * 1024


def peak() -> int:
    """The most that it has held."""
    try:
        with open("/proc/self/status") as file:
            [line] = [line for line in file if line.startswith("VmHWM")]
            return int(line.split()[1]) * 1024
    except OSError:
        import resource  # Windows has none.

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

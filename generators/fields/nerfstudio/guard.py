"""`python guard.py COMMAND…`: run a command in a process group that ends with us.

The group is killed as soon as standard input closes, however that comes about: cancelled, or the caller was killed.
Standard library only, so that it starts at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """The command's exit status; 128 and more for a signal."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end(process.pid)

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    end(process.pid)  # what it has left running
    return code if code >= 0 else 128 - code


def end(group: int) -> None:
    """Kill every process of a group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    sys.exit(main())

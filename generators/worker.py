"""The worker process: takes orders from its standard input, runs one generator at a time, answers on its output.

Started by the bridge as `python -P -m generators.worker`. The first thing it does is to take the two pipes away
from everybody else: what a generator or a library prints goes to standard error, and thus into the bridge's log.
It lives no longer than the bridge, however that one ends.
"""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def _take_pipes() -> tuple[int, int]:
    """Private copies of the pipes; fd 0 becomes empty and fd 1 becomes standard error."""
    orders, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, answers


def main() -> None:
    """Serve runs until the bridge closes the pipe or is gone."""
    orders, answers = _take_pipes()
    # imported only now: nothing above may print, and a dead bridge is to be noticed while the rest loads
    from generators.lifeline import die_with, serve

    die_with(int(sys.argv[1]))
    serve(orders, answers, threads=int(sys.argv[2]), early=tuple(name for name in sys.argv[3].split(",") if name))


if __name__ == "__main__":
    main()

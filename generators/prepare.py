"""Does beforehand what an artist would wait for the first time, such as compiling kernels: `python -m
generators.prepare BRIDGE_PID`.

Every `GeneratorSpec.prepare` is called once, in a process of its own at the lowest priority, which ends with its
bridge. One that fails is told on standard error, and the generator will then do that work when it is first asked.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterable

from generators.catalog import load
from generators.lifeline import die_with

LEAST_URGENT = 19


def prepare(references: Iterable[str]) -> int:
    """Call every `module:function` once, in order; returns how many failed."""
    from generators.runner import imported

    failed = 0
    for reference in dict.fromkeys(references):
        began = time.monotonic()
        try:
            imported(reference)()
        except Exception:  # a third party's function may raise anything, and the others are still wanted
            traceback.print_exc(file=sys.stderr)
            failed += 1
        else:
            print(f"{reference} took {time.monotonic() - began:.1f} s", flush=True)
    return failed


def main() -> int:
    """Exit status 0 when all is prepared, 1 when something failed."""
    die_with(int(sys.argv[1]))
    if hasattr(os, "nice"):
        os.nice(LEAST_URGENT)
    return 1 if prepare(spec.prepare for spec in load().specs.values() if spec.prepare) else 0


if __name__ == "__main__":
    sys.exit(main())

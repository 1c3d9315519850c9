"""How this room compiles its inner loops: float32, cached on disk, and one parallel kernel at a time.

Every parallel kernel gives each iteration its own output, so results do not depend on the number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

# OpenMP's threads wait for their next kernel by spinning, which costs ten times the work itself as soon as anything
# else wants the cores. It reads this once, when numba loads it; a user's own setting stands.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numba

P = ParamSpec("P")
R = TypeVar("R")

# No "nnan" and "ninf": a NaN must stay a NaN. No "reassoc": a sum has one order.
_FLAGS = {"contract", "nsz", "arcp"}

KERNEL_LOCK = threading.RLock()
"""Held while a parallel kernel runs: numba's `workqueue` layer ends the process when two threads enter at once."""

prange = numba.prange

_PARALLEL: dict[Callable[..., Any], Any] = {}
"""Numba's own objects behind the parallel kernels."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a serial function, callable from Python and from other kernels."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLAGS)(function)
    return cast(Callable[P, R], compiled)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a small function that LLVM is to put in its callers' place."""
    compiled = numba.njit(nogil=True, error_model="numpy", fastmath=_FLAGS, forceinline=True)(function)
    return cast(Callable[P, R], compiled)


def parallel_kernel(function: Callable[..., R]) -> Callable[..., R]:
    """Compile a function whose `prange` loops use all threads; called from Python only."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLAGS, parallel=True)(function)

    @wraps(function)
    def locked(*args: Any) -> R:
        with KERNEL_LOCK:
            return compiled(*args)

    _PARALLEL[locked] = compiled
    return locked


def compiled_before(function: Callable[..., Any]) -> bool:
    """Whether numba's cache on disk has an index for a parallel kernel that is newer than its source.

    It may be for another machine's instructions, so this is a hint for people, not a promise.
    """
    compiled = _PARALLEL[function]
    source = Path(compiled.py_func.__code__.co_filename)
    indices = Path(compiled.stats.cache_path).glob(f"{source.stem}.{function.__qualname__}-*.nbi")
    return any(index.stat().st_mtime >= source.stat().st_mtime for index in indices)

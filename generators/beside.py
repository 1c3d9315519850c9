"""Work that cannot be interrupted, done so that the run can be all the same: in a thread, while this one looks out."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from generators.events import Cancelled

T = TypeVar("T")

LOOK_SECS = 0.05


class Beside:
    """Calls functions one after the other in a thread of its own, and `check` twenty times a second meanwhile.

    When `check` raises, so does the call, at once; what the thread was doing goes on to its end, and nobody hears of
    it. Such work must therefore touch nothing that outlives the run: compiling kernels, a sweep over depth, a step.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def wanted(self) -> None:
        """For long work to call between its steps: raises `Cancelled` when nobody waits for it any more."""
        if self._left:
            raise Cancelled

    def __call__(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises, or what `check` raises while it is done."""
        self._check()
        future = self._thread.submit(work)
        while True:
            try:
                return future.result(LOOK_SECS)
            except concurrent.futures.TimeoutError:
                if future.done():  # just now, or by raising such an error itself
                    return future.result()
                self._check()

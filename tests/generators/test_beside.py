"""Work in a thread beside the run: its results and errors come through, and so does a cancel, at once."""

from __future__ import annotations

import threading
import time

import pytest

from generators.beside import Beside
from generators.events import Cancelled


def test_results_and_errors_come_through_in_order_from_one_thread() -> None:
    with Beside(lambda: None) as beside:
        threads = {beside(threading.get_ident) for _ in range(5)}
        assert len(threads) == 1 and threading.get_ident() not in threads
        with pytest.raises(ZeroDivisionError):
            beside(lambda: 1 // 0)
        with pytest.raises(TimeoutError, match="its own"):
            beside(_late)
        assert beside(_slow) == "slow"


def _slow() -> str:
    time.sleep(0.12)
    return "slow"


def _late() -> None:
    raise TimeoutError("its own")


def test_a_cancel_does_not_wait_for_the_work() -> None:
    gate, asked = threading.Event(), threading.Event()

    def check() -> None:
        if asked.is_set():
            raise Cancelled
        asked.set()

    with pytest.raises(Cancelled), Beside(check) as beside:
        beside(lambda: gate.wait(60))
    assert not gate.is_set()
    gate.set()
    with pytest.raises(Cancelled):
        beside.wanted()


def test_long_work_is_told_when_nobody_waits_for_it() -> None:
    turns: list[int] = []

    def check() -> None:
        if len(turns) > 3:
            raise Cancelled

    def work(beside: Beside) -> None:
        for turn in range(10_000):
            beside.wanted()
            turns.append(turn)
            time.sleep(0.01)

    with pytest.raises(Cancelled), Beside(check) as beside:
        beside(lambda: work(beside))
    beside._thread.shutdown(wait=True)
    assert len(turns) < 10_000

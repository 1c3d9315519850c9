"""The helm of a run: heeded between steps, from another thread."""

from __future__ import annotations

import threading
import time

import pytest

from generators.events import Cancelled
from generators.pipe import Steered, WorkerMessage
from generators.steering import Helm


def test_a_run_stands_still_until_it_is_resumed() -> None:
    said: list[WorkerMessage] = []
    helm = Helm(7, said.append)
    helm.check()
    helm.steer("pause")
    passed = threading.Event()

    def go_on() -> None:
        helm.check()
        passed.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    while not said:
        time.sleep(0.001)
    assert said == [Steered(run=7, paused=True)] and not passed.wait(0.05)
    helm.steer("resume")
    assert passed.wait(120) and said == [Steered(run=7, paused=True), Steered(run=7, paused=False)]
    thread.join()
    helm.check()
    assert len(said) == 2


@pytest.mark.parametrize("paused", [False, True])
def test_cancelling_ends_it_paused_or_not(paused: bool) -> None:
    helm = Helm(1, lambda message: helm.cancel())
    if paused:
        helm.steer("pause")
    else:
        helm.cancel()
    with pytest.raises(Cancelled):
        helm.check()


def test_finishing_lets_a_paused_run_go_on_to_its_end() -> None:
    helm = Helm(1, lambda message: helm.steer("finish"))
    helm.steer("pause")
    helm.check()
    assert helm.finishing
    assert Helm(2, lambda message: None, finish=True).finishing

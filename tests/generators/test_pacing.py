"""Progress is told at once, then at a steady pace, and the newest is never lost."""

from __future__ import annotations

import time
from itertools import pairwise

from generators.pacing import INTERVAL_SECS, Pacer
from generators.pipe import Progressed


def test_a_flood_becomes_a_few_and_the_last_one_arrives() -> None:
    sent: list[tuple[float, float]] = []
    pacer = Pacer(lambda progress: sent.append((time.monotonic(), progress.fraction)))
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < 3.5 * INTERVAL_SECS:
        count += 1
        pacer.tell(Progressed(run=1, fraction=count / 1e9))
    time.sleep(2 * INTERVAL_SECS)
    assert count > 1000 and 4 <= len(sent) <= 5
    assert sent[0][1] == 1 / 1e9 and sent[0][0] - began < INTERVAL_SECS / 2, "the first goes out at once"
    assert sent[-1][1] == count / 1e9, "the last one goes out by itself"
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(sent)]
    assert min(gaps) >= INTERVAL_SECS * 0.9


def test_what_is_held_back_dies_with_its_run() -> None:
    sent: list[float] = []
    pacer = Pacer(lambda progress: sent.append(progress.fraction))
    for fraction in (0.1, 0.2, 0.3):
        pacer.tell(Progressed(run=1, fraction=fraction))
    pacer.drop()
    pacer.tell(Progressed(run=2, fraction=0.5))
    time.sleep(1.5 * INTERVAL_SECS)
    assert sent == [0.1, 0.5]

"""Progress is told at once, then at a steady pace, and the newest is never lost."""

from __future__ import annotations

import time

import pytest

from generators import pacing
from generators.pacing import INTERVAL_SECS, Pacer
from generators.pipe import Progressed
from tests.workplace import PATIENCE_SECS


def test_a_flood_becomes_a_few_and_the_last_one_arrives() -> None:
    sent: list[float] = []
    pacer = Pacer(lambda progress: sent.append(progress.fraction))
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < 3.5 * INTERVAL_SECS:
        count += 1
        pacer.tell(Progressed(run=1, fraction=count / 1e9))
        assert sent[0] == 1 / 1e9, "the first goes out at once"
    while sent[-1] != count / 1e9:  # the last one goes out by itself
        assert time.monotonic() - began < PATIENCE_SECS
        time.sleep(0.005)
    assert sent == sorted(set(sent)) and len(sent) <= 1 + (time.monotonic() - began) / INTERVAL_SECS


def test_what_is_held_back_dies_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "INTERVAL_SECS", 600.0)
    sent: list[float] = []
    pacer = Pacer(lambda progress: sent.append(progress.fraction))
    for fraction in (0.1, 0.2, 0.3):
        pacer.tell(Progressed(run=1, fraction=fraction))
    assert pacer._held is not None and pacer._held.fraction == 0.3
    pacer.drop()
    pacer.tell(Progressed(run=2, fraction=0.5))
    assert pacer._held is None and sent == [0.1, 0.5]

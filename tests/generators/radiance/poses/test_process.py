"""The process ends with whoever wanted it: on cancelling, on a crash, and when its parent is gone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from generators.events import Cancelled, GeneratorError
from generators.radiance.poses import process, talk
from generators.radiance.poses.process import require_colmap, solved
from generators.radiance.poses.talk import Order, Said, View, ViewCamera

CAMERA = ViewCamera("SIMPLE_RADIAL", 320, 240, 380.0, False)


def order_of(folder: Path, count: int) -> Order:
    """Pictures of noise: many features, nothing in common."""
    rng = np.random.default_rng(0)
    views = []
    for index in range(count):
        np.save(folder / f"{index}.npy", rng.integers(0, 255, (240, 320, 3), np.uint8))
        views.append(View(f"{index}.png", f"{index}.npy", 0))
    return Order(tuple(views), (CAMERA,), False, 1, 1)


def children() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # another child that has just ended
            if "colmap_process" in " ".join(one.cmdline()):
                found.append(one)
    return found


def test_noise_gives_no_group_and_every_stage_is_told(tmp_path: Path) -> None:
    *said, answer = solved(order_of(tmp_path, 3), tmp_path, lambda: None)
    assert isinstance(answer, talk.Answer) and answer.groups == () and len(answer.features) == 3
    assert set(answer.secs) == {"features", "pairs", "matching", "mapping"}
    assert any(isinstance(one, Said) and one.stage == "features" for one in said)
    assert not children()


def test_cancelling_ends_it_at_once(tmp_path: Path) -> None:
    order = order_of(tmp_path, 40)
    running = solved(order, tmp_path, lambda: None)
    next(running)
    [child] = children()
    running.close()
    assert not child.is_running()

    def cancelled() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        list(solved(order, tmp_path, cancelled))
    assert not children()


def test_a_crash_is_told_in_words(tmp_path: Path) -> None:
    order = order_of(tmp_path, 3)
    (tmp_path / "1.npy").write_bytes(b"no array")
    with pytest.raises(GeneratorError, match=r"COLMAP ended with code 1 before it had an answer\. It said: .*Error"):
        list(solved(order, tmp_path, lambda: None))


def test_it_ends_when_nobody_holds_its_input(tmp_path: Path) -> None:
    talk.write(order_of(tmp_path, 60), tmp_path / talk.ORDER)
    command = [sys.executable, "-m", "generators.radiance.poses.colmap_process", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(120) == 4
    assert not (tmp_path / talk.ANSWER).exists()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_spec", lambda _: None)
    with pytest.raises(GeneratorError, match=r'pip install "scenecast\[sfm\]"'):
        require_colmap()


def test_the_newest_line_is_enough(tmp_path: Path) -> None:
    import queue

    import msgspec

    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    for done in range(5):
        lines.put(msgspec.json.encode(Said("pairs", done, 5)))
    told = process._listen(lines, lambda: None)
    assert next(told).done == 4
    lines.put(None)
    assert list(told) == []

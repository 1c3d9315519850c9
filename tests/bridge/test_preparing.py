"""The background preparation: once for each set of versions, again after a failure, gone with the bridge."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from bridge import preparing
from bridge.preparing import MARKER, Preparation


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that the preparation runs in place of the real one; the test writes what it does."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "pretended.py"


def prepared(folder: Path) -> Preparation:
    async def story() -> Preparation:
        preparation = Preparation(folder, module="pretended")
        preparation.start()
        await preparation.wait()
        return preparation

    return asyncio.run(story())


def test_it_is_done_once(tmp_path: Path, module: Path) -> None:
    module.write_text(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')")
    assert not prepared(tmp_path).needed
    prepared(tmp_path)
    assert (tmp_path / "runs").read_text() == "x"


def test_other_versions_are_prepared_anew(tmp_path: Path, module: Path) -> None:
    module.write_text("")
    assert not prepared(tmp_path).needed
    (tmp_path / MARKER).write_text("python 3.9\nnumba 0.1\n")
    assert Preparation(tmp_path).needed


def test_a_failure_is_tried_again_at_the_next_start(
    tmp_path: Path, module: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module.write_text("raise SystemExit('no compiler here')")
    assert prepared(tmp_path).needed
    assert "no compiler here" in caplog.text


def test_stopping_leaves_nothing_running(tmp_path: Path, module: Path) -> None:
    up = tmp_path / "up"
    module.write_text(
        f"import os, time; open({str(up)!r} + '_', 'w').write(str(os.getpid()));"
        f"os.rename({str(up)!r} + '_', {str(up)!r}); time.sleep(600)"
    )

    async def story() -> None:
        preparation = Preparation(tmp_path, module="pretended")
        preparation.start()
        while not up.exists():
            await asyncio.sleep(0.02)
        await preparation.stop()

    asyncio.run(story())
    assert not psutil.pid_exists(int(up.read_text()))
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
def test_it_can_be_stopped_while_it_starts(tmp_path: Path, module: Path, turns: int) -> None:
    module.write_text("import time; time.sleep(600)")

    async def story() -> None:
        preparation = Preparation(tmp_path, module="pretended")
        preparation.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        await preparation.stop()

    asyncio.run(story())
    assert not [child for child in psutil.Process().children() if "pretended" in command_of(child)]


def command_of(process: psutil.Process) -> list[str]:
    """Nothing for one that has just ended, as another test's may."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_the_versions_name_what_kernels_depend_on() -> None:
    words = preparing._versions()
    assert "numba " in words and f"python {sys.version_info[0]}.{sys.version_info[1]}" in words

"""One process: what it said, how it ended, in words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge.process import TAIL_BYTES, WorkerProcess
from generators.pipe import Noted, WorkerMessage
from tests import fakes
from tests.workplace import stand_still_until_the_first_word


def act(story: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(120):
            await story

    asyncio.run(limited())


async def started(program: str, folder: Path) -> tuple[WorkerProcess, list[WorkerMessage], asyncio.Event]:
    heard: list[WorkerMessage] = []
    over = asyncio.Event()
    command = (sys.executable, "-c", program)
    return await WorkerProcess.start(command, dict(os.environ), folder, heard.append, over.set), heard, over


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "ended by itself with exit code 0"),
        ("raise SystemExit(7)", "ended by itself with exit code 7"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL, which most often means"),
        ("import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV, a fault in native code"),
        ("import os; os.kill(os.getpid(), 15)", "ended by SIGTERM"),
        ("import os; os.close(1); import time; time.sleep(60)", "ended because it closed its pipe"),
        ("import os; os.write(1, b'\\xff' * 9); import time; time.sleep(60)", "ended because it wrote nonsense"),
    ],
)
def test_every_end_is_told_once_and_in_words(tmp_path: Path, program: str, words: str) -> None:
    async def story() -> None:
        process, _, over = await started(program, tmp_path)
        await over.wait()
        assert process.is_over and words in process.end_in_words()
        process.kill("nobody cares")
        process.send(Noted(run=1, text="lost"))  # type: ignore[arg-type]

    act(story())


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="needs waitid")
def test_an_end_of_its_own_is_told_though_it_is_to_be_killed_before_we_hear_of_it(tmp_path: Path) -> None:
    async def story() -> None:
        process, _, over = await started("import os; os.kill(os.getpid(), 11)", tmp_path)
        with contextlib.suppress(psutil.NoSuchProcess):
            while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)  # the loop stands still: it learns of the end only after it has decided to kill
        process.kill("it closed its pipe")
        await over.wait()
        assert process.end_in_words() == "was ended by SIGSEGV, a fault in native code"

    act(story())


def test_the_last_word_comes_before_the_end(tmp_path: Path) -> None:
    program = """
import sys
from generators.pipe import Noted, frame
sys.stdout.buffer.write(b"".join(frame(Noted(run=1, text="x" * 20000)) for _ in range(50)))
sys.stdout.buffer.flush()
sys.stderr.write("noise " * 5000 + "the end")
"""

    async def story() -> None:
        process, heard, over = await started(program, tmp_path)
        await over.wait()
        assert len(heard) == 50 and all(isinstance(word, Noted) and len(word.text) == 20000 for word in heard)
        assert process.last_words.endswith("noise the end") and len(process.last_words) <= TAIL_BYTES

    act(story())


def test_nothing_is_told_before_the_process_has_been_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that is kept busy while it starts a process finds all of its life at once: word, end and all."""
    words = "from generators.pipe import Noted, frame; import os; os.write(1, frame(Noted(run=1, text='early')))"
    stand_still_until_the_first_word(monkeypatch)

    async def story() -> None:
        heard: list[WorkerMessage] = []
        over = asyncio.Event()
        command, environment = (sys.executable, "-c", words), {**os.environ, "PYTHONPATH": str(fakes.ROOT)}
        process = await WorkerProcess.start(command, environment, tmp_path, heard.append, over.set)
        assert not heard and not over.is_set()
        await over.wait()
        assert heard == [Noted(run=1, text="early")] and process.is_over

    act(story())


def test_a_grandchild_that_holds_the_log_does_not_hide_the_end(tmp_path: Path) -> None:
    program = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"

    async def story() -> None:
        process, _, over = await started(program + "; import os; os.close(1); os._exit(4)", tmp_path)
        await over.wait()
        assert process.end_in_words() == "ended by itself with exit code 4"
        os.killpg(process.pid, 9)

    act(story())

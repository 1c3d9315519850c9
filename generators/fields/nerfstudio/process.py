"""Running one of nerfstudio's commands: its lines as they come, and its process group gone when nobody listens."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from generators.events import GeneratorError

GUARD = Path(__file__).with_name("guard.py")
"""Run by its path, so that the command inherits no search path of ours."""
POLL_SECS = 0.05
LINES_KEPT = 12
WAIT_SECS = 5.0


def lines_of(
    command: Sequence[str],
    check: Callable[[], None],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The command's output line by line, standard error included; whatever ends this generator ends the command.

    `check` is called at least every 50 ms. Raises `GeneratorError` with the last
    lines when the command fails.
    """
    guard = [sys.executable, str(GUARD), *command]
    try:
        process = subprocess.Popen(
            guard,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # a signal meant for the worker is the guard's to pass on
        )
    except OSError as error:
        raise GeneratorError(f"{command[0]} cannot be started: {error}") from error
    assert process.stdout is not None and process.stdin is not None
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, said), name="nerfstudio", daemon=True)
    reader.start()
    last: deque[str] = deque(maxlen=LINES_KEPT)
    try:
        while (line := _next(said, check)) is not None:
            if line.strip():
                last.append(line.rstrip())
            yield line
        if code := process.wait():
            raise GeneratorError(f"nerfstudio failed (status {code}): " + " | ".join(last))
    finally:
        process.stdin.close()
        try:
            process.wait(WAIT_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(WAIT_SECS)
        process.stdout.close()


def _read(stream: IO[str], said: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        said.put(line)
    said.put(None)


def _next(said: queue.SimpleQueue[str | None], check: Callable[[], None]) -> str | None:
    while True:
        check()
        try:
            return said.get(timeout=POLL_SECS)
        except queue.Empty:
            continue

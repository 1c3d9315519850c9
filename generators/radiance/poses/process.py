"""Starting the COLMAP process, listening to it without waiting, and ending it the moment nobody wants it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from generators.events import GeneratorError
from generators.radiance.poses import talk
from generators.radiance.poses.talk import Answer, Order, Said

POLL_SECS = 0.05
LOG = "colmap.log"
INSTALL = 'pip install "scenecast[sfm]"'


def require_colmap() -> None:
    """Raise `GeneratorError` that says how to install COLMAP's Python package where it is missing."""
    if find_spec("pycolmap") is None:
        raise GeneratorError(
            "these photographs have no camera poses, and finding them needs the Python package pycolmap; install it "
            f"beside Scenecast ({INSTALL}), or send a transforms.json or a COLMAP model with the photographs"
        )


def worker_threads() -> int:
    """How many threads this worker may use: what torch was given where it is loaded, else the cores we may run on."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def solved(order: Order, folder: Path, check: Callable[[], None]) -> Generator[Said | Answer, None, None]:
    """What the process says, and at last its answer; whatever ends this generator ends the process.

    `check` is called at least every 50 ms. Raises `GeneratorError` when the process dies.
    """
    talk.write(order, folder / talk.ORDER)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "generators.radiance.poses.colmap_process", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,  # a signal meant for the worker is not COLMAP's
        )
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), name="colmap", daemon=True)
    reader.start()
    try:
        yield from _listen(lines, check)
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    if code or not (folder / talk.ANSWER).exists():
        raise GeneratorError(f"COLMAP ended with code {code} before it had an answer. It said: {_last(folder / LOG)}")
    yield msgspec.json.decode((folder / talk.ANSWER).read_bytes(), type=Answer)


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _listen(lines: queue.SimpleQueue[bytes | None], check: Callable[[], None]) -> Iterator[Said]:
    """The newest line of those that came together; nobody could read more."""
    while True:
        check()
        try:
            line = lines.get(timeout=POLL_SECS)
        except queue.Empty:
            continue
        while line is not None and not lines.empty():
            newer = lines.get()
            if newer is None:
                return
            line = newer
        if line is None:
            return
        yield msgspec.json.decode(line, type=Said)


def _last(log: Path) -> str:
    words = log.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    return " / ".join(words[-4:]) or "nothing"

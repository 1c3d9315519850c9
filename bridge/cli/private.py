"""A bridge of one's own: a subprocess that serves this command and ends with it."""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.errors import ScenecastError
from python_client import Client, connect

START_SECS = 60.0
"""A bridge that is not ready by then will not be; a warm start takes well under a second."""


class StoreBusy(ScenecastError):
    """Another bridge, most likely that of another command, works on the store."""

    code = "store.in_use"


class PrivateBridge:
    """Started by `__enter__`, ended by `__exit__`; nobody else is told of it.

    The data stay in `data_dir` (the user's own data directory when None). Its log is in `log_path` until it ends.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._data_dir = data_dir
        self._folder = Path(tempfile.mkdtemp(prefix="scenecast-bridge-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = self._folder / "bridge.log"
        self.url = ""
        self.token = ""

    def __enter__(self) -> Self:
        runtime = self._folder / "run"
        runtime.mkdir(mode=0o700)
        command = [sys.executable, "-m", "bridge", "--port", "0", "--json", "--set", "prepare=false"]
        if self._data_dir is not None:
            command += ["--data-dir", str(self._data_dir)]
        environment = {**os.environ, "SCENECAST_RUNTIME_DIR": str(runtime)}
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment,
                start_new_session=True,  # Ctrl-C is for this command, which then ends the bridge properly
                preexec_fn=_ended_with_us(),
            )  # fmt: skip
        try:
            ready = json.loads(self._first_line(self._process))
            if "error" in ready:
                leaf = StoreBusy if ready["error"] == StoreBusy.code else ScenecastError
                raise leaf(f"the private bridge did not start: {ready['message']}", remedy=ready["remedy"])
            self.url = ready["url"]
            self.token = json.loads(Path(ready["discovery"]).read_text("utf-8"))["token"]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def connect(self, *, host: str = "python") -> Client:
        """A client of this bridge that shares its disk."""
        proof = self._proof()
        return connect(self.url, self.token, host=host, disk_proof=proof, timeout_secs=START_SECS)

    def _proof(self) -> str:
        for path in (self._folder / "run").glob("bridge-*.json"):
            return Path(json.loads(path.read_text("utf-8"))["proof_path"]).read_text("ascii").strip()
        return ""

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        """What it prints when it is ready. Raises `ScenecastError` with its own last words when it does not come."""
        end, line = time.monotonic() + START_SECS, b""
        while process.stdout is not None and time.monotonic() < end and not line.endswith(b"\n"):
            readable, _, _ = select.select([process.stdout], [], [], 0.1)
            if readable:
                more = os.read(process.stdout.fileno(), 4096)
                line += more
                if not more:
                    break
        if line.endswith(b"\n"):
            return line
        words = self.log_path.read_text("utf-8", "replace").strip().splitlines()
        last = next((text for text in reversed(words) if not text.startswith("{")), words[-1] if words else "no word")
        raise ScenecastError(
            f"the private bridge did not start: {last.removeprefix('scenecast: ')}", remedy="see `scenecast doctor`"
        )

    def _end(self) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)


def _ended_with_us() -> Callable[[], None] | None:
    """On Linux the kernel ends the bridge if this command is killed; elsewhere only a proper end does."""
    if not sys.platform.startswith("linux"):
        return None
    control = ctypes.CDLL(None).prctl

    def ask() -> None:
        control(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

    return ask

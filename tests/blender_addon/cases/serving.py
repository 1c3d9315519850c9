"""A real bridge in a process of its own, started and ended by a case; standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]


SMALL_DISK = (
    "unshare", *(() if os.name != "posix" or os.geteuid() == 0 else ("--map-root-user",)), "--mount", "sh", "-c",
    'mount -t tmpfs -o size=$1 none "$0" && shift && exec "$@"',
)  # fmt: skip
"""Starts a program that sees a disk of its own at the folder that is named first, so large as is named second."""


def small_disks(folder: Path) -> bool:
    """Whether this system lets its users have such disks: Linux with user namespaces does."""
    try:
        tried = subprocess.run([*SMALL_DISK, str(folder), "1000000", "true"], capture_output=True, timeout=120)
    except OSError:
        return False
    return tried.returncode == 0


class Serving:
    """The bridge of one folder: `start`, `kill`, `start` again finds its ledger as it was left."""

    def __init__(self, python: str, folder: Path, *settings: str, disk_bytes: int = 0) -> None:
        """`disk_bytes` has its data on a disk of its own, so small; see `small_disks`."""
        self._command = [python, str(HERE / "serve_with_fakes.py"), str(folder / "data"), *settings]
        if disk_bytes:
            (folder / "data").mkdir(parents=True, exist_ok=True)
            self._command = [*SMALL_DISK, str(folder / "data"), str(disk_bytes), *self._command]
        self._runtime = folder / "runtime"
        self._runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = folder / "bridge.log"
        self._process: subprocess.Popen[str] | None = None
        os.environ["SCENECAST_RUNTIME_DIR"] = str(self._runtime)

    def start(self) -> str:
        """Its address, once it answers."""
        # The bridge takes every other variable of this beginning for a setting, and refuses those it does not know.
        known = {name: value for name, value in os.environ.items() if not name.startswith("SCENECAST_BPY")}
        environment = {**known, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the bridge did not start: {self._log.read_text()[-3000:]}")
        return str(json.loads(line)["url"])

    def kill(self) -> None:
        """As a power cut would end it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As Ctrl-C would end it."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(120)
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Serving:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

"""A private bridge in its own process for benches: `with serving() as address: …`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from benchmarks.blank import BLANK, CLOUD, CRASH, FIELD
from benchmarks.echo import ECHO
from bridge.app import Bridge
from bridge.settings import Settings
from generators.catalog import Catalog
from generators.fields.specs import VIEW_FIELD
from generators.live.specs import SPECS as LIVE
from generators.radiance.specs import SPLATS_FROM_PHOTOS
from python_client import Client, connect

ROOT = Path(__file__).resolve().parents[1]
QUEUED_JOBS = 4096


@dataclass(frozen=True)
class Served:
    """A running bridge."""

    url: str
    token: str
    pid: int
    folder: Path
    runtime: Path

    def connect(self, *, share_disk: bool = True) -> Client:
        """A new session that has been welcomed."""
        os.environ["SCENECAST_RUNTIME_DIR"] = str(self.runtime)
        return connect(share_disk=share_disk)

    def settle(self, timeout_secs: float = 30.0) -> None:
        """Wait until the worker and its spare have loaded torch, and leave the processor to what is measured."""
        request = urllib.request.Request(f"http{self.url.removeprefix('ws')}/metrics")
        request.add_header("Authorization", f"Bearer {self.token}")
        end = time.monotonic() + timeout_secs
        while time.monotonic() < end:
            with urllib.request.urlopen(request) as answer:
                if b"workers_ready 2" in answer.read():
                    return
            time.sleep(0.1)
        raise RuntimeError(f"the workers were not ready after {timeout_secs:g} s; see {self.folder}/bridge.log")

    def resident_bytes(self) -> int:
        """Memory of the bridge process alone."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def start(folder: Path) -> tuple[subprocess.Popen[str], Served]:
    """Start a bridge over `folder` and wait until it listens."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    environment = {**os.environ, "SCENECAST_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(ROOT)}
    # as installed: compiled once, not at every start
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    command = [sys.executable, "-m", "benchmarks.serving", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the bridge ended with status {process.wait()} before it listened; see {folder}/bridge.log")
    said = json.loads(line)
    return process, Served(said["url"], said["token"], said["pid"], folder, runtime)


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder on the disk where a bridge keeps its data; the temporary folder's disk is often of another kind."""
    cache = platformdirs.user_cache_path("scenecast", ensure_exists=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache) as name:
        yield Path(name)


@contextlib.contextmanager
def serving() -> Iterator[Served]:
    """A bridge over an empty folder, ended and removed afterwards."""
    with empty_folder() as folder:
        process, served = start(folder)
        try:
            yield served
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


async def _main(folder: Path) -> None:
    settings = Settings(data_dir=str(folder), port=0, grace_secs=0.5, queued_jobs=QUEUED_JOBS, live_per_sec=1000.0)
    catalog = Catalog.from_specs(BLANK, CLOUD, CRASH, FIELD, SPLATS_FROM_PHOTOS, ECHO, VIEW_FIELD, *LIVE)
    async with Bridge(settings, catalog=catalog) as bridge:
        print(json.dumps({"url": bridge.url, "token": bridge.token, "pid": os.getpid()}), flush=True)
        await bridge.serve_forever()


if __name__ == "__main__":
    logging.basicConfig(filename=str(Path(sys.argv[1]) / "bridge.log"), level=logging.WARNING)
    asyncio.run(_main(Path(sys.argv[1])))

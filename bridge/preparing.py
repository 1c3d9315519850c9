"""Has the generators prepare themselves in the background, once for every version of what they are made of."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import os
import platform
import sys
from pathlib import Path

from bridge.process import CALM_THREADS

log = logging.getLogger("bridge.preparing")

MARKER = "prepared"
_PACKAGES = ("scenecast", "numba", "llvmlite", "numpy")


class Preparation:
    """One process of `generators.prepare`, started unless `folder` has a marker saying that it succeeded before."""

    def __init__(self, folder: Path, *, module: str = "generators.prepare") -> None:
        self._marker = folder / MARKER
        self._module = module
        self._task: asyncio.Task[None] | None = None

    @property
    def needed(self) -> bool:
        """Whether these versions were never prepared on this machine."""
        try:
            return self._marker.read_text("utf-8") != _versions()
        except OSError:
            return True

    def start(self) -> None:
        """Begin, if there is need; does not wait."""
        if self.needed:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def wait(self) -> None:
        """Until it is over, however it ends."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        """End it; what it has compiled so far stays."""
        if self._task is not None:
            self._task.cancel()
        await self.wait()

    async def _run(self) -> None:
        log.info("generators are being prepared in the background")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", self._module, str(os.getpid())),
            env={**CALM_THREADS, **os.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # a session of its own: Linux then weighs its priority against all other programs
            start_new_session=True,
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode == 0:
            self._marker.write_text(_versions(), "utf-8")
            log.info("generators are prepared")
        elif process.returncode is not None and process.returncode > 0:
            log.warning("generators could not be prepared: %s", said.decode("utf-8", "replace")[-2000:])


def _versions() -> str:
    lines = [f"python {platform.python_version()} {platform.machine()}"]
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            lines.append(f"{package} {importlib.metadata.version(package)}")
    return "\n".join(lines) + "\n"

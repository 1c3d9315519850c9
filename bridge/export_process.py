"""Keeps one exporter process warm, gives it one order at a time, and replaces it when it dies or takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import sys
from pathlib import Path

import msgspec

from bridge.disk import FULL_REMEDY
from bridge.errors import InternalError, RequestError, StoreFull, UnknownFormat, UnknownHost
from bridge.exporter import ExportAnswer, ExportOrder
from bridge.process import CALM_THREADS

log = logging.getLogger(__name__)

_ANSWER_LIMIT_BYTES = 16 << 20
_EXIT_SECS = 5.0
_ATTEMPTS = 2
"""A process may die of something else than its order, once."""


class ExportProcess:
    """The bridge's end of `bridge.exporter`."""

    def __init__(self, *, timeout_secs: float) -> None:
        self._timeout_secs = timeout_secs
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._stops = 0

    async def start(self) -> None:
        """Have a process ready, so that the first asset need not wait for its imports."""
        async with self._turn:
            await self._ready()

    async def stop(self) -> None:
        """End the process; an order in progress fails."""
        self._stops += 1
        if self._process is not None:
            await self._end(self._process)

    async def export(self, order: ExportOrder) -> ExportAnswer:
        """Write an asset's files. Raises `UnknownHost`, `UnknownFormat`, or `RequestError` in words."""
        async with self._turn:
            stops = self._stops
            for attempt in range(1, _ATTEMPTS + 1):
                process = await self._ready()
                answer = await self._answered(process, order)
                if answer is not None:
                    return _told(answer)
                status = await self._own_end(process)
                log.warning("exporter ended while it wrote", extra={"pid": process.pid, "status": status})
                if self._stops != stops or attempt == _ATTEMPTS:
                    break
                await asyncio.to_thread(_empty, Path(order.folder))
        times = "" if attempt == 1 else ", twice"
        raise RequestError(
            f"the process that writes files ended while it wrote for {order.host}{times} ({_ending(status)})",
            remedy="it has been replaced; choose a smaller asset or another format",
        )

    async def _answered(self, process: asyncio.subprocess.Process, order: ExportOrder) -> ExportAnswer | None:
        """What the process says; None when it ended instead. Raises `RequestError` when it takes too long."""
        try:
            async with asyncio.timeout(self._timeout_secs):
                return await _asked(process, order)
        except TimeoutError:
            await self._end(process)
            raise RequestError(
                f"writing the asset for {order.host} took longer than {self._timeout_secs:g} s",
                remedy="choose a smaller asset or another format, or raise `export_secs` in the settings",
            ) from None
        except OSError:
            return None
        except BaseException:
            await self._end(process)  # its answer would be taken for the next order's
            raise

    async def _ready(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bridge.exporter",
                str(os.getpid()),
                env={**CALM_THREADS, **os.environ},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_ANSWER_LIMIT_BYTES,
            )
            log.info("exporter started", extra={"pid": self._process.pid})
        return self._process

    async def _own_end(self, process: asyncio.subprocess.Process) -> int:
        """The exit status of a process that no longer answers; one that does not end by itself is ended."""
        try:
            async with asyncio.timeout(_EXIT_SECS):
                return await process.wait()
        except TimeoutError:
            return await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> int:
        """End the process, and have another one for the next order; its exit status."""
        if self._process is process:
            self._process = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_EXIT_SECS):
                return await process.wait()
        except TimeoutError:  # it hangs in a disk that does not answer; nobody else is to hang with it
            log.error("the exporter does not end, and is left to the system", extra={"pid": process.pid})
            return -9


async def _asked(process: asyncio.subprocess.Process, order: ExportOrder) -> ExportAnswer | None:
    if process.stdin is None or process.stdout is None:
        raise InternalError("the exporter has no pipes")
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    return msgspec.json.decode(line, type=ExportAnswer) if line.endswith(b"\n") else None


def _empty(folder: Path) -> None:
    """Take away what a process that died had written, so that the next one begins as it did."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _told(answer: ExportAnswer) -> ExportAnswer:
    if not answer.error:
        return answer
    if answer.error == "host":
        raise UnknownHost(answer.message, path="$.host", remedy=answer.remedy)
    if answer.error == "format":
        raise UnknownFormat(answer.message, path="$.formats", remedy=answer.remedy)
    if answer.error == "asset":
        raise RequestError(answer.message, remedy=answer.remedy)
    if answer.error == "memory":
        raise RequestError(
            f"the asset could not be written: {answer.message}",
            remedy="choose a smaller asset or another format, or a machine with more memory",
        )
    if answer.error == "disk":
        raise StoreFull("the disk is full: the result is kept, its files could not be written", remedy=FULL_REMEDY)
    raise RequestError(
        f"the asset could not be written: {answer.message}", remedy="choose another format; the bridge's log has more"
    )


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit code {status}"

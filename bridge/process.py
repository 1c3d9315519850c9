"""One worker process: its pipes, its words, its end. No policy."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from generators.pipe import Frames, PipeDamaged, WorkerMessage, WorkerOrder, frame, message_from

log = logging.getLogger("bridge.worker")

TAIL_BYTES = 4096
"""So much of what a worker last wrote to standard error goes into the message about its death."""
_LINE_BYTES = 8192
_LAST_WORDS_SECS = 0.1
_ALIVE_SECS = 1.0
"""A process that has lost its pipe and not ended after so long is ended."""
_ORDERS, _ANSWERS, _ERRORS = 0, 1, 2
_KILLED = -signal.SIGKILL if os.name == "posix" else 1
"""The return code of a process that was ended from outside."""


CALM_THREADS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of processes that compute, unless the user says otherwise.

By default OpenMP's threads spin at every barrier: beside another busy program (the host!) a step then takes 4 to 70
times as long. Matrix products in numpy are small here, and their threads only get in the way of torch's.
"""


class WorkerProcess(asyncio.SubprocessProtocol):
    """A running worker. `on_message` gets every word of it, then `on_exit` comes once; both on the event loop.

    Neither comes before `start` has given it to whoever started it, however long the loop was busy with that.
    """

    def __init__(self, on_message: Callable[[WorkerMessage], None], on_exit: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_exit = on_exit
        self._transport: asyncio.SubprocessTransport | None = None
        self._frames = Frames()
        self._errors = bytearray()
        self._line = bytearray()
        self._open = {_ANSWERS, _ERRORS}
        self._over = False
        self._early: list[WorkerMessage] | None = []
        """What it said before it was handed over; None from then on."""
        self.pid = 0
        self.killed_because = ""
        """Why we killed it; empty when we did not."""

    @classmethod
    async def start(
        cls,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        folder: Path,
        on_message: Callable[[WorkerMessage], None],
        on_exit: Callable[[], None],
    ) -> WorkerProcess:
        """Start `command` in a process group of its own, working in `folder`. Raises `OSError`.

        It is started on the loop's own thread: Linux ends a child with the thread that made it, and threads of a
        pool come and go.
        """
        loop = asyncio.get_running_loop()
        _, protocol = await loop.subprocess_exec(
            lambda: cls(on_message, on_exit), *command, env=dict(environment), cwd=folder, start_new_session=True
        )
        loop.call_soon(protocol._handed_over)
        return protocol

    def send(self, order: WorkerOrder) -> None:
        """Give an order; one to a worker that is gone is lost, and its end tells so."""
        if self._transport is None or self._over:
            return
        pipe = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(_ORDERS))
        if pipe is not None and not pipe.is_closing():
            pipe.write(frame(order))

    def kill(self, because: str) -> None:
        """End it and all that it started, at once."""
        if self._transport is None or self._has_ended(self._transport):
            return
        if hasattr(os, "killpg"):
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has ended by itself, and is about to be told
                return
        else:
            self._transport.kill()
        self.killed_because = self.killed_because or because

    def _has_ended(self, transport: asyncio.SubprocessTransport) -> bool:
        """Whether it has ended, though the loop may not have been told yet: its own end is then the one to tell."""
        if transport.get_returncode() is not None:
            return True
        if not hasattr(os, "waitid"):
            return False
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def close_orders(self) -> None:
        """Close its order pipe, on which an idle worker ends by itself."""
        if self._transport is not None:
            pipe = self._transport.get_pipe_transport(_ORDERS)
            if pipe is not None:
                pipe.close()

    @property
    def is_over(self) -> bool:
        """True once it has ended and its last word has been passed on."""
        return self._over

    @property
    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        return self._errors.decode(errors="replace").strip()

    def end_in_words(self) -> str:
        """How it ended, as the second half of a sentence."""
        code = self._transport.get_returncode() if self._transport else None
        if self.killed_because and (code is None or code == _KILLED):
            return f"was ended because {self.killed_because}"
        if code is None:
            return "has not ended"
        if code >= 0:
            return f"ended by itself with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        guesses: dict[int, str] = {
            signal.SIGKILL: ", which most often means that the system had run out of memory",
            signal.SIGSEGV: ", a fault in native code",
            signal.SIGABRT: ", a check in native code that failed",
            signal.SIGILL: ", an instruction that this processor does not have",
        }
        return f"was ended by {name}{guesses.get(-code, '')}"

    # ----------------------------------------------------------------------- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self.pid = self._transport.get_pid() or 0

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """It said something, or printed something."""
        if fd == _ERRORS:
            self._heard_errors(data)
            return
        try:
            for body in self._frames.feed(data):
                self._hear(message_from(body))
        except PipeDamaged as error:
            self.kill(f"it wrote nonsense to its pipe ({error})")

    def _hear(self, message: WorkerMessage) -> None:
        if self._early is None:
            self._on_message(message)
        else:
            self._early.append(message)

    def _handed_over(self) -> None:
        early, self._early = self._early or [], None
        for message in early:
            self._on_message(message)
        self._maybe_over()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """It closed a pipe; losing the answers means that it is of no more use."""
        self._open.discard(fd)
        if fd == _ANSWERS:
            # a process that has died loses its pipes first; only one that lives on without them is to be killed
            asyncio.get_running_loop().call_later(_ALIVE_SECS, self.kill, "it closed its pipe")
        self._maybe_over()

    def process_exited(self) -> None:
        """It has ended; something it started may still hold its standard error open, so that is not waited for."""
        asyncio.get_running_loop().call_later(_LAST_WORDS_SECS, self._stop_listening)
        self._maybe_over()

    def _stop_listening(self) -> None:
        self._open.clear()
        self._maybe_over()

    def _maybe_over(self) -> None:
        if self._over or self._open or self._early is not None:
            return
        if self._transport is None or self._transport.get_returncode() is None:
            return
        self._over = True
        if self._line:
            self._heard_errors(b"\n")
        self._transport.close()
        self._on_exit()

    def _heard_errors(self, data: bytes) -> None:
        self._errors += data
        del self._errors[:-TAIL_BYTES]
        self._line += data
        *lines, rest = self._line.split(b"\n")
        if len(rest) > _LINE_BYTES:
            lines, rest = [*lines, rest], bytearray()
        self._line = rest
        for line in lines:
            log.info("%s", line.decode(errors="replace"), extra={"worker": self.pid})

"""A worker process by itself: its pipes are its own, and it lives no longer than its bridge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from generators.pipe import CancelOrder, Ended, Frames, Produced, Ready, RunOrder, WorkerMessage, frame, message_from
from tests import fakes
from tests.workplace import PATIENCE_SECS


class Worker:
    """A worker held by its pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.frames = Frames()
        self.waiting: list[WorkerMessage] = []

    def say(self, order: RunOrder | CancelOrder) -> None:
        if self.process.stdin is None:
            raise RuntimeError("no pipe")
        self.process.stdin.write(frame(order))
        self.process.stdin.flush()

    def hear(self) -> WorkerMessage:
        while not self.waiting:
            if self.process.stdout is None:
                raise RuntimeError("no pipe")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise EOFError
            self.waiting += [message_from(body) for body in self.frames.feed(data)]
        return self.waiting.pop(0)

    def end(self) -> list[WorkerMessage]:
        heard = [self.hear()]
        while not isinstance(heard[-1], Ended):
            heard.append(self.hear())
        return heard


@contextmanager
def worker(parent: int | None = None) -> Iterator[Worker]:
    command = [sys.executable, "-P", "-m", "generators.worker", str(parent or os.getpid()), "1", ""]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **fakes.ENVIRONMENT}, cwd="/",
    )  # fmt: skip
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was left to be written to the dead worker
                    pipe.close()


def order(number: int, spool: Path, **params: object) -> RunOrder:
    return RunOrder(
        run=number,
        function="tests.fakes:run",
        params_type="tests.fakes:ScriptParams",
        params=params,
        seed=1,
        device="cpu",
        spool=str(spool / str(number)),
    )


def test_runs_one_after_the_other_whatever_is_printed(tmp_path: Path) -> None:
    with worker() as one:
        ready = one.hear()
        assert isinstance(ready, Ready) and [row.name for row in ready.devices] == ["cpu"]
        for number in (1, 2):
            one.say(order(number, tmp_path, prints="\x00\x00\x00\xff garbage"))
            *results, ended = one.end()
            assert isinstance(ended, Ended) and (ended.run, ended.outcome) == (number, "finished")
            assert [type(result) for result in results] == [Produced]
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.wait(PATIENCE_SECS) == 0, "the end of the pipe is the end of the worker"
        assert one.process.stderr is not None and one.process.stderr.read().count(b"garbage") == 4


def test_cancel_reaches_a_run_and_only_that_run(tmp_path: Path) -> None:
    with worker() as one:
        one.hear()
        one.say(order(1, tmp_path, sleep_secs=600.0))
        one.say(CancelOrder(run=7))
        time.sleep(0.2)
        one.say(CancelOrder(run=1))
        ended = one.hear()
        assert isinstance(ended, Ended) and ended.outcome == "cancelled" and ended.run == 1
        one.say(order(2, tmp_path))
        last = one.end()[-1]
        assert isinstance(last, Ended) and last.outcome == "finished"


def test_a_busy_worker_ends_with_the_pipe(tmp_path: Path) -> None:
    with worker() as one:
        one.hear()
        one.say(order(1, tmp_path, sleep_secs=60.0, deaf=True))
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.wait(PATIENCE_SECS) == 0


def test_nonsense_on_the_order_pipe_ends_the_worker() -> None:
    with worker() as one:
        one.hear()
        assert one.process.stdin is not None
        one.process.stdin.write(b"\xff" * 64)
        one.process.stdin.flush()
        assert one.process.wait(PATIENCE_SECS) == 3


def test_a_worker_of_a_dead_parent_ends_even_before_it_is_ready() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with worker(parent=gone.pid) as one:
        assert one.process.wait(PATIENCE_SECS) == 0


def test_a_killed_parent_takes_its_worker_along_while_it_is_still_loading() -> None:
    program = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-P", "-m", "generators.worker", str(os.getpid()), "1", ""],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    environment = {**os.environ, **fakes.ENVIRONMENT}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == -signal.SIGKILL
    until = time.monotonic() + PATIENCE_SECS
    while _lives(int(ran.stdout)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _lives(int(ran.stdout))


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

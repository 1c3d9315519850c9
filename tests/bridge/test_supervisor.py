"""Workers come, go and are replaced; a spare is always warm; a broken installation is told and tried again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge.process import WorkerProcess
from bridge.supervisor import Ending, Supervisor
from generators.pipe import DeviceRow, RunOrder, WorkerMessage
from tests import fakes
from tests.workplace import PATIENCE_SECS, act, stand_still_until_the_first_word


class Ear:
    """Listens to a run."""

    def __init__(self) -> None:
        self.words: list[WorkerMessage] = []
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def said(self, message: WorkerMessage) -> None:
        self.words.append(message)

    def over(self, ending: Ending) -> None:
        self.ending.set_result(ending)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECS):
        while not condition():
            await asyncio.sleep(0.005)


def ready(supervisor: Supervisor, count: int) -> Callable[[], bool]:
    return lambda: supervisor.figures()["workers_ready"] == count


def order(supervisor: Supervisor, spool: Path, **params: Any) -> RunOrder:
    number = supervisor.next_run()
    return RunOrder(
        run=number,
        function="tests.fakes:run",
        params_type="tests.fakes:ScriptParams",
        params=params,
        seed=1,
        device="cpu",
        spool=str(spool / f"run{number}"),
    )


def run(supervisor: Supervisor, spool: Path, **params: Any) -> tuple[Ear, Any]:
    ear = Ear()
    patience: dict[str, Any] = {"timeout_secs": PATIENCE_SECS, "silence_secs": PATIENCE_SECS}
    return ear, supervisor.run(order(supervisor, spool, **params), ear, **patience)


def test_one_worker_and_one_spare(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        assert supervisor.idle_device() is None and not supervisor.devices
        await until(ready(supervisor, 2))
        await asyncio.sleep(0.05)
        assert supervisor.figures()["workers"] == 2
        device = supervisor.idle_device()
        assert device is not None and device.name == device.kind == "cpu" and device.memory_bytes > 0
        ear, _ = run(supervisor, tmp_path)
        assert supervisor.idle_device() is None
        with pytest.raises(ValueError, match="already has a run"):
            run(supervisor, tmp_path)
        assert (await ear.ending).outcome == "finished" and supervisor.idle_device() is not None
        processes = [psutil.Process(pid) for pid in supervisor.pids()]
        await supervisor.stop()
        assert all(not process.is_running() for process in processes)
        assert supervisor.deaths == 0

    act(story())


def test_the_spare_takes_over_at_once_and_is_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        await until(ready(supervisor, 2))
        before = set(supervisor.pids())
        ear, active = run(supervisor, tmp_path, sleep_secs=600, deaf=True)
        os.kill(active.worker.process.pid, signal.SIGKILL)
        assert (await ear.ending).outcome == "died"
        assert supervisor.idle_device() is not None, "nothing had to be started for it"
        next_ear, next_active = run(supervisor, tmp_path)
        assert next_active.worker.process.pid in before
        assert (await next_ear.ending).outcome == "finished"
        await until(ready(supervisor, 2))
        assert len(before & set(supervisor.pids())) == 1
        await supervisor.stop()

    act(story())


def test_an_idle_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        await until(ready(supervisor, 2))
        before = set(supervisor.pids())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: supervisor.deaths == 2 and not before & set(supervisor.pids()))
        await until(ready(supervisor, 2))
        ear, _ = run(supervisor, tmp_path)
        assert (await ear.ending).outcome == "finished"
        await supervisor.stop()

    act(story())


def test_a_worker_that_is_ready_while_it_is_still_being_started_gets_its_post(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_still_until_the_first_word(monkeypatch)

    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers(spares=0))
        await supervisor.start()
        await until(ready(supervisor, 1))
        assert supervisor.idle_device() is not None
        await supervisor.stop()

    act(story())


def test_no_spare_when_none_is_wanted(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers(spares=0))
        await supervisor.start()
        await until(ready(supervisor, 1))
        await asyncio.sleep(0.3)
        assert supervisor.figures()["workers"] == 1
        await supervisor.stop()

    act(story())


def test_a_setting_that_names_no_device_here_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers(spares=0, devices=("cuda:7",)))
        await supervisor.start()
        await until(ready(supervisor, 1))
        assert [row.name for row in supervisor.devices] == ["cpu"]
        await supervisor.stop()

    act(story())
    assert "devices names cuda:7, here are cpu: cpu is used" in caplog.text


def test_a_worker_that_cannot_start_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.supervisor._BACKOFF_SECS", (0.0, 0.01, 0.02))
    sick = tmp_path / "sick"
    sick.mkdir()
    (sick / "fragile.py").write_text("raise ImportError('this installation is broken')\n")

    async def story() -> None:
        environment = {**fakes.ENVIRONMENT, "PYTHONPATH": f"{sick}:{fakes.ROOT}"}
        supervisor = Supervisor(tmp_path, fakes.quick_workers(early=("fragile",), environment=environment))
        told: list[str] = []
        supervisor.on_trouble = told.append
        await supervisor.start()
        await until(lambda: supervisor.trouble)
        assert "this installation is broken" in supervisor.trouble and told[0] == supervisor.trouble
        assert supervisor.idle_device() is None
        (sick / "fragile.py").write_text("")
        await until(ready(supervisor, 2))
        assert supervisor.trouble == ""
        await supervisor.stop()

    act(story())


def test_cancel_is_asked_first_and_forced_after_the_grace_time(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        await until(ready(supervisor, 2))
        for deaf, grace_secs in ((False, PATIENCE_SECS), (True, 0.4)):
            ear, active = run(supervisor, tmp_path, sleep_secs=600, deaf=deaf, child=deaf)
            at_work = psutil.Process(active.worker.process.pid)
            if deaf:  # until it has a child, a cancel is seen as the run begins
                await until(at_work.children)
            began = time.monotonic()
            active.cancel(grace_secs)
            active.cancel(0.0)
            ending = await ear.ending
            assert ending.outcome == "cancelled"
            assert active.worker.process.is_over == deaf
            assert not deaf or time.monotonic() - began >= grace_secs, "the second word changes nothing"
        await supervisor.stop()

    act(story())


def test_a_stop_leaves_no_process_behind_whatever_runs(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        await until(ready(supervisor, 2))
        ear, active = run(supervisor, tmp_path, sleep_secs=600, deaf=True, child=True)
        me = psutil.Process(active.worker.process.pid)
        await until(lambda: me.children())
        family = [*me.children(), *(psutil.Process(pid) for pid in supervisor.pids())]
        await supervisor.stop()
        gone, alive = psutil.wait_procs(family, timeout=PATIENCE_SECS)
        assert not alive and len(gone) == 3
        assert not ear.ending.done(), "a stopping bridge tells of no end: the job is put back"

    act(story())


class Guest:
    """Borrows a worker."""

    def __init__(self) -> None:
        self.process: WorkerProcess | None = None
        self.device: DeviceRow | None = None
        self.ended: list[str] = []

    def moved_in(self, process: WorkerProcess, device: DeviceRow) -> None:
        self.process, self.device = process, device

    def said(self, message: WorkerMessage) -> None:
        raise AssertionError(f"nothing was asked, and {message} came")

    def over(self, words: str) -> None:
        self.ended.append(words)


def test_a_spare_is_lent_out_and_another_takes_its_place(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        await until(ready(supervisor, 2))
        guest, second = Guest(), Guest()
        supervisor.lend(guest)
        assert guest.process is not None and guest.device is not None and guest.device.name == "cpu"
        assert supervisor.idle_device() is not None, "jobs keep their worker"
        supervisor.lend(second)
        assert second.process is None
        await until(lambda: second.process and ready(supervisor, 2)())
        assert supervisor.figures()["workers_lent"] == 2 and supervisor.figures()["workers"] == 4
        os.kill(guest.process.pid, signal.SIGKILL)
        await until(lambda: guest.ended)
        assert "SIGKILL" in guest.ended[0] and not second.ended
        assert second.process is not None
        second.process.close_orders()
        await until(lambda: second.ended)
        assert supervisor.figures()["workers_lent"] == 0
        assert supervisor.figures()["worker_deaths_total"] == 0, "what was lent does not count against jobs"
        await supervisor.stop()

    act(story())


def test_a_tenant_may_give_up_waiting_and_devices_come_first(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor = Supervisor(tmp_path, fakes.quick_workers())
        await supervisor.start()
        early, gone = Guest(), Guest()
        supervisor.lend(early)
        supervisor.lend(gone)
        supervisor.give_up(gone)
        supervisor.give_up(gone)
        idle: list[bool] = []
        supervisor.on_idle = lambda: idle.append(supervisor.idle_device() is not None and early.process is None)
        await until(lambda: idle)
        assert idle[0]
        await until(lambda: early.process and ready(supervisor, 2)())
        assert gone.process is None
        await supervisor.stop()
        assert early.process is not None and early.process.is_over and not early.ended

    act(story())

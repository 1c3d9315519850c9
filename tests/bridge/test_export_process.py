from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bridge import discovery
from bridge.errors import RequestError, StoreFull
from bridge.export_process import _asked, _told
from bridge.exporter import ExportAnswer, ExportOrder, perform
from bridge.messages import Deliver
from engines.memory import machine_bytes
from tests.bridge.served import Served
from tests.workplace import PATIENCE_SECS


@contextlib.asynccontextmanager
async def exporting(root: Path, timeout_secs: float = PATIENCE_SECS) -> AsyncIterator[Served]:
    one = Served(root)
    one.exporter._timeout_secs = timeout_secs
    try:
        yield one
    finally:
        await one.delivery.stop()
        await one.exporter.stop()


def pid_of(one: Served) -> int:
    assert one.exporter._process is not None
    return one.exporter._process.pid


def test_an_order_whose_process_died_is_given_to_a_fresh_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with exporting(tmp_path) as one:
            digest = await one.asset()
            await one.exporter.start()
            first = pid_of(one)
            os.kill(first, signal.SIGSTOP)
            waiting = asyncio.create_task(one.delivery.files(digest, Deliver(host="web")))
            while not one.exporter._turn.locked():  # from then on the order is in the pipe
                await asyncio.sleep(0.01)
            os.kill(first, signal.SIGKILL)
            delivered = await waiting
            assert delivered.sources[0].path.read_bytes()[:4] == b"RIFF"
            assert pid_of(one) != first

    asyncio.run(story())


async def dying(process: asyncio.subprocess.Process, order: ExportOrder) -> None:
    """An order that kills the process which has it, after something was written."""
    (Path(order.folder) / "half").write_bytes(b"half")
    process.kill()
    await process.wait()


@pytest.mark.parametrize("deaths", [1, 2])
def test_an_order_that_kills_two_processes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    folders: list[list[str]] = []

    async def asked(process: asyncio.subprocess.Process, order: ExportOrder) -> ExportAnswer | None:
        folders.append(sorted(path.name for path in Path(order.folder).iterdir()))
        if len(folders) > deaths:
            return await _asked(process, order)
        await dying(process, order)
        return None

    monkeypatch.setattr("bridge.export_process._asked", asked)

    async def story() -> None:
        async with exporting(tmp_path) as one:
            digest = await one.asset()
            if deaths == 2:
                with pytest.raises(RequestError, match=r"twice \(signal 9\)"):
                    await one.delivery.files(digest, Deliver(host="web"))
                assert len(folders) == 2, "not a third time"
            delivered = await one.delivery.files(digest, Deliver(host="web"))
            assert delivered.sources[0].path.read_bytes()[:4] == b"RIFF"
            assert not (delivered.sources[0].path.parent / "half").exists()
            assert folders == [[]] * (deaths + 1), "each begins with an empty folder"

    asyncio.run(story())


def test_a_process_that_is_stopped_is_not_replaced_for_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def story() -> None:
        async with exporting(tmp_path) as one:

            async def stopped(process: asyncio.subprocess.Process, order: ExportOrder) -> None:
                asked.append(process.pid)
                await one.exporter.stop()

            monkeypatch.setattr("bridge.export_process._asked", stopped)
            digest = await one.asset()
            with pytest.raises(RequestError, match="signal 9"):
                await one.delivery.files(digest, Deliver(host="web"))
            assert len(asked) == 1 and one.exporter._process is None

    asyncio.run(story())


def test_an_export_without_memory_for_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engines import export

    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    async def story() -> None:
        async with exporting(tmp_path) as one:
            digest = await one.asset()
            parts = {part.digest: str(one.store.path(part.digest)) for part in one.store.manifest(digest).parts}
            order = ExportOrder(manifest=str(one.store.path(digest)), parts=parts, host="web", folder=str(tmp_path))
            monkeypatch.setattr(export, "export", greedy)
            with pytest.raises(RequestError, match="more memory"):
                _told(perform(order))

    asyncio.run(story())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds to such a limit")
def test_the_exporter_holds_itself_to_nine_tenths_of_the_memory() -> None:
    """And an allocation beyond it is refused by the system, which numpy says as `MemoryError`."""
    script = (
        "import numpy as np\nfrom bridge import exporter\nmost = exporter.limit_memory()\n"
        "np.ones(1 << 20)\n"
        "try:\n  np.empty(most + 1, np.uint8)\nexcept MemoryError:\n  print(most)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 0.89 * machine_bytes()


def test_an_export_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with exporting(tmp_path, timeout_secs=0.2) as one:
            digest = await one.asset()
            await one.exporter.start()
            os.kill(pid_of(one), signal.SIGSTOP)
            with pytest.raises(RequestError, match="longer than"):
                await one.delivery.files(digest, Deliver(host="web"))
            one.exporter._timeout_secs = PATIENCE_SECS
            assert (await one.delivery.files(digest, Deliver(host="web"))).message.files

    asyncio.run(story())


def test_a_process_that_cannot_be_ended_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bridge.export_process._EXIT_SECS", 0.05)

    async def story() -> None:
        async with exporting(tmp_path) as one:
            await one.exporter.start()
            stuck = one.exporter._process
            assert stuck is not None
            with monkeypatch.context() as immortal:
                immortal.setattr(stuck, "kill", lambda: None)
                os.kill(stuck.pid, signal.SIGSTOP)
                await one.exporter.stop()
            assert "left to the system" in caplog.text
            digest = await one.asset()
            assert (await one.delivery.files(digest, Deliver(host="web"))).message.files
            stuck.kill()
            await stuck.wait()

    asyncio.run(story())


def test_the_same_export_is_made_once_and_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with exporting(tmp_path) as one:
            digest = await one.asset(100_000)
            wish = Deliver(host="unreal")
            answers = await asyncio.gather(*[one.delivery.files(digest, wish) for _ in range(5)])
            assert len({answer.sources[0].path for answer in answers}) == 1
            assert one.counters.exports_total == 1
            other = await one.delivery.files(digest, Deliver(host="python", formats={"sound": "npy"}))
            assert other.sources[0].path != answers[0].sources[0].path
            assert one.counters.exports_total == 2
            first = answers[0].sources[0].path
            first.chmod(0o600)
            first.write_bytes(b"cut")
            again = await one.delivery.files(digest, wish)
            assert again.sources[0].path.stat().st_size == again.message.files[0].size_bytes
            assert one.counters.exports_total == 3
            assert not list((tmp_path / "exports").glob("*.partial"))

    asyncio.run(story())


def test_a_damaged_asset_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with exporting(tmp_path) as one:
            digest = await one.asset()
            part = one.store.path(one.store.manifest(digest).parts[0].digest)
            part.chmod(0o600)
            part.write_bytes(b"nothing of ours")
            with pytest.raises(RequestError):
                await one.delivery.files(digest, Deliver(host="web"))
            assert not list((tmp_path / "exports").iterdir())

    asyncio.run(story())


@pytest.mark.parametrize("number, expected", [(errno.ENOSPC, StoreFull), (errno.EIO, RequestError)])
def test_a_full_disk_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    """Whatever else a disk says is a defect, but a full one is nothing that another format would mend."""
    from engines import export

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    async def story() -> None:
        async with exporting(tmp_path) as one:
            digest = await one.asset()
            manifest = one.store.manifest(digest)
            parts = {part.digest: str(one.store.path(part.digest)) for part in manifest.parts}
            order = ExportOrder(
                manifest=str(one.store.path(digest)), parts=parts, host="web", folder=str(tmp_path), formats={}
            )
            monkeypatch.setattr(export, "export", refused)
            with pytest.raises(expected) as raised:
                _told(perform(order))
            assert type(raised.value) is expected

    asyncio.run(story())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's word is Linux's")
def test_the_process_dies_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import asyncio\nfrom bridge.export_process import ExportProcess\n"
        "async def main():\n  one = ExportProcess(timeout_secs=9)\n  await one.start()\n"
        "  print(one._process.pid, flush=True)\n  await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + PATIENCE_SECS
    while discovery.is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not discovery.is_alive(child)


def test_prints_of_a_codec_cannot_reach_the_answers(tmp_path: Path) -> None:
    order = ExportOrder(manifest=str(tmp_path / "none"), parts={}, host="web", folder=str(tmp_path))
    process = subprocess.run(
        [sys.executable, "-m", "bridge.exporter", str(os.getpid())],
        input=msgspec.json.encode(order) + b"\n",
        capture_output=True,
        timeout=PATIENCE_SECS,
        check=True,
    )
    (line,) = process.stdout.splitlines()
    assert msgspec.json.decode(line)["error"] == "defect"
    assert b"FileNotFoundError" in process.stderr

"""What a run may do to its worker, and what the client is told: crashes, silence, nonsense, full disks."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.jobrun import Eta
from bridge.ledger import Ledger
from bridge.messages import (
    JobFailed,
    JobFinished,
    JobPreview,
    JobProduced,
    JobQueued,
    JobStarted,
    JobState,
    PreviewWish,
    StoreCollect,
)
from generators.pipe import MAX_PREVIEW_BYTES
from tests.workplace import Workplace, act, working


async def fails(place: Workplace, generator: str = "fake.script", **params: Any) -> JobFailed:
    """The failure of a job, after which the next job must run, and no file may be left over."""
    job = place.submit(generator=generator, params=params, seed=99)
    end = await place.end_of(job.job_id)
    assert isinstance(end, JobFailed), end
    after = await place.end_of(place.submit(fresh=True).job_id)
    assert isinstance(after, JobFinished), after
    record = place.ledger.job(job.job_id)
    assert record is not None and record.state is JobState.FAILED and record.error == end.message
    return end


@pytest.mark.parametrize(
    ("dies", "words"),
    [
        ("kill", "SIGKILL, which most often means that the system had run out of memory"),
        ("segfault", "SIGSEGV, a fault in native code"),
        ("abort", "SIGABRT"),
        ("exit", "exit code 7. Its last words:\ngoing now"),
        ("nonsense", "wrote nonsense to its pipe"),
        ("closes", "closed its pipe"),
    ],
)
def test_a_worker_that_dies_twice_fails_the_job_with_the_reason(tmp_path: Path, dies: str, words: str) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            end = await fails(place, dies=dies)
            assert end.code == "run.worker_died" and words in end.message
            starts = place.of(end.job_id, JobStarted)
            assert [start.attempt for start in starts] == [1, 2]
            first, second = place.of(end.job_id, JobQueued)
            assert not first.reason and second.reason.startswith("attempt 1 of 2: the worker")
            assert _files(tmp_path) == []

    act(story())


def test_a_worker_that_dies_once_costs_one_attempt(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path / "root") as place:
            job = place.submit(params={"dies": "kill", "dies_until": str(tmp_path / "attempts"), "assets": 3})
            end = await place.end_of(job.job_id)
            assert isinstance(end, JobFinished) and len(end.assets) == 3
            assert [start.attempt for start in place.of(job.job_id, JobStarted)] == [1, 2]
            assert [result.asset for result in place.ledger.results(job.job_id)] == end.assets

    act(story())


def test_a_run_that_takes_too_long_or_says_nothing_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            silent = await fails(place, generator="fake.silent", sleep_secs=600.0, deaf=True)
            assert (silent.code, "said nothing for 0.3 s" in silent.message) == ("run.timeout", True)
            assert len(place.of(silent.job_id, JobStarted)) == 1, "a run that is too slow is not tried again"
            chatty = await fails(place, generator="fake.hasty", progress=1_000_000)
            assert (chatty.code, "longer than 0.6 s" in chatty.message) == ("run.timeout", True)

    act(story())


@pytest.mark.parametrize(
    ("raises", "code", "words"),
    [
        ("told", "run.failed", "the fake was told to fail"),
        ("defect", "run.failed", "ZeroDivisionError: a slip in the fake"),
        ("memory", "run.failed", "memory ran out on cpu: a lot was wanted"),
        ("disk", "limit.store", "the disk is full"),
        ("same name", "run.failed", "gave two results the name 'twin'"),
        ("not an event", "run.failed", "yielded str, expected an event"),
    ],
)
def test_what_a_generator_raises_reaches_the_artist_in_words(
    tmp_path: Path, raises: str, code: str, words: str
) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            end = await fails(place, raises=raises)
            assert end.code == code and words in end.message
            assert bool(end.remedy) == (raises in ("memory", "disk"))
            assert len(place.of(end.job_id, JobStarted)) == 1
            assert _files(tmp_path) == []

    act(story())


def test_a_generator_that_gives_nothing_or_is_missing_fails(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            assert "without a result" in (await fails(place, assets=0)).message
            missing = place.submit(generator="fake.absent")
            end = await place.end_of(missing.job_id)
            assert isinstance(end, JobFailed) and "tests.fakes:no_such_function cannot be imported" in end.message

    act(story())


def test_prints_do_not_disturb_the_pipe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bridge.worker")

    async def story() -> None:
        async with working(tmp_path) as place:
            end = await place.end_of(place.submit(params={"prints": "\x00\xff\x00\x00{garbage}" * 50}).job_id)
            assert isinstance(end, JobFinished)

    act(story())
    assert sum("{garbage}" in record.message for record in caplog.records) >= 1


def test_many_assets_arrive_in_order_and_each_is_whole(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            job = place.submit(params={"assets": 200})
            end = await place.end_of(job.job_id)
            told = place.of(job.job_id, JobProduced)
            assert [event.name for event in told] == [f"result{index}" for index in range(200)]
            assert [event.asset for event in told] == end.assets
            for row in end.assets:
                await place.store.verify(row.digest)
            assert _files(tmp_path) == []

    act(story())


def test_previews_come_at_the_wished_size_and_rate(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            wish = PreviewWish(size_px=2048, per_sec=60, media_type="image/raw")
            job = place.submit(params={"previews": 4, "preview_px": 4096}, preview=wish)
            await place.end_of(job.job_id)
            previews = [(m, p) for _, m, p in place.heard if isinstance(m, JobPreview)]
            assert 1 <= len(previews) <= 4
            for preview, payload in previews:
                assert len(payload) == preview.width_px * preview.height_px * 3 <= MAX_PREVIEW_BYTES
            rare = place.submit(params={"previews": 50}, preview=PreviewWish(per_sec=1.0), seed=2)
            secs = (await place.end_of(rare.job_id)).run_secs
            assert 1 <= len(place.of(rare.job_id, JobPreview)) <= 1 + secs
            none = place.submit(params={"previews": 3}, seed=3)
            await place.end_of(none.job_id)
            assert not place.of(none.job_id, JobPreview)
            assert all(event.seq for event in place.jobs.events_after(place.session, 0)), "previews are not kept"

    act(story())


def test_a_result_that_cannot_be_taken_over_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            with monkeypatch.context() as broken:
                broken.setattr(place.store, "adopt_asset", _defect)
                end = await place.end_of(place.submit().job_id)
            assert isinstance(end, JobFailed) and end.code == "internal" and "a slip in the store" in end.message
            assert isinstance(await place.end_of(place.submit(seed=2).job_id), JobFinished)
            assert _files(tmp_path) == []

    act(story())


def test_an_end_that_cannot_be_written_down_is_written_down_as_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.jobrun._RETRY_SECS", 0.0)

    async def story() -> None:
        async with working(tmp_path) as place:
            change = place.ledger.change

            def fragile(record: Any, *rows: Any, **changes: Any) -> None:
                if changes.get("state") is JobState.FINISHED:
                    raise KeyError("a slip in the ledger")
                change(record, *rows, **changes)

            with monkeypatch.context() as broken:
                broken.setattr(place.ledger, "change", fragile)
                job = place.submit()
                end = await place.end_of(job.job_id)
            assert isinstance(end, JobFailed) and end.code == "internal"
            assert place.ledger.job(job.job_id).state is JobState.FAILED  # type: ignore[union-attr]
            assert isinstance(await place.end_of(place.submit(seed=2).job_id), JobFinished)

    act(story())


async def _defect(*_: Any) -> Any:
    raise TypeError("a slip in the store")


def test_a_full_quota_fails_the_job_and_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path, quota_bytes=100_000) as place:
            first = await place.end_of(place.submit(params={"size_px": 64}).job_id)
            assert isinstance(first, JobFinished)
            end = await fails_here(place, {"size_px": 256})
            assert end.code == "limit.store" and "quota of 100000 bytes" in end.message and "scenecast gc" in end.remedy
            assert isinstance(await place.end_of(place.submit(params={"size_px": 32}).job_id), JobFinished)
            assert place.store.used_bytes <= 100_000 and _files(tmp_path) == []
            collected = await place.jobs.collect(StoreCollect(request_id="r", down_to_bytes=0))
            assert collected.assets == 2 and place.store.used_bytes == 0
            assert isinstance(await place.end_of(place.submit(params={"size_px": 150}).job_id), JobFinished)

    act(story())


async def fails_here(place: Workplace, params: dict[str, Any]) -> JobFailed:
    end = await place.end_of(place.submit(params=params, seed=98).job_id)
    assert isinstance(end, JobFailed), end
    return end


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    import subprocess

    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs rights that this user lacks")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_fails_jobs_in_words_and_the_bridge_lives_on(tiny_disk: Path) -> None:
    async def story() -> None:
        async with working(tiny_disk) as place:
            end = await fails_here(place, {"size_px": 2000})
            assert end.code == "limit.store" and "disk" in end.message and end.remedy
            assert _files(tiny_disk) == []
            assert isinstance(await place.end_of(place.submit().job_id), JobFinished)
            ballast = tiny_disk / "ballast"
            _fill(ballast)
            waiting = await _until_refused(place)
            await asyncio.sleep(0.3)
            ballast.unlink()
            for job_id in waiting:
                await place.end_of(job_id)
            assert isinstance(await place.end_of(place.submit(seed=4321).job_id), JobFinished)
            assert place.ledger.counts().get("running", 0) == 0

    act(story())


def _fill(path: Path) -> None:
    block = bytes(4096)
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError as error:
            assert error.errno == 28


async def _until_refused(place: Workplace) -> list[str]:
    """Submit on a full disk until a job is refused; those that were accepted before."""
    from bridge.errors import StoreFull

    accepted = []
    for seed in range(1000, 3000):
        try:
            accepted.append(place.submit(seed=seed).job_id)
        except StoreFull as error:
            assert error.remedy
            return accepted
        await asyncio.sleep(0)
    raise AssertionError("a full disk refused nothing")


def test_eta_is_right_for_a_steady_run_and_unknown_before() -> None:
    eta = Eta()
    assert eta.after(0.1, 10.0) is None
    assert eta.after(0.2, 11.0) == pytest.approx(8.0)
    assert eta.after(0.6, 15.0) == pytest.approx(4.0)
    assert eta.after(1.0, 19.0) == 0.0
    assert eta.after(0.0, 20.0) is None, "a run that begins again is judged again"


def _files(root: Path) -> list[str]:
    return [str(path) for name in ("tmp", "spool") for path in (root / name).rglob("*") if path.is_file()]


def test_a_restart_with_a_full_queue_takes_more_at_once(tmp_path: Path) -> None:
    async def fill() -> None:
        place = Workplace(tmp_path)
        for seed in range(1000):
            place.submit(seed=seed)
        place.ledger.close()

    async def restart(number: int) -> None:
        place = Workplace(tmp_path)
        await place.jobs.start()
        accepted = place.submit(place.open(), seed=5000 + number)
        assert accepted.state is JobState.QUEUED and place.ledger.counts() == {"queued": 1001 + number}
        await place.jobs.stop(0)
        place.ledger.close()
        ledger = Ledger(tmp_path / "ledger.sqlite3")
        assert sum(ledger.counts().values()) == 1001 + number
        ledger.close()

    act(fill())
    for number in range(3):
        act(restart(number))

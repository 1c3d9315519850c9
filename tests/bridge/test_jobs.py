"""Accepting, ordering, joining, cancelling and remembering jobs, with real workers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge import errors
from bridge.jobs import JobSettings
from bridge.messages import (
    Deliver,
    JobCancel,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobList,
    JobNoted,
    JobPreview,
    JobProduced,
    JobProgress,
    JobQueued,
    JobRate,
    JobStarted,
    JobState,
    PreviewWish,
    Priority,
)
from bridge.supervisor import ActiveRun
from engines.assets import Image
from engines.neutral import read
from tests import fakes
from tests.workplace import PATIENCE_SECS, Workplace, act, working


def test_a_job_goes_from_request_to_asset(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            accepted = place.submit(params={"note": "so be it", "progress": 3, "previews": 1}, preview=PreviewWish())
            assert accepted.state is JobState.QUEUED and not accepted.duplicate
            assert not place.heard, "nothing may be told before the answer can go out"
            end = await place.end_of(accepted.job_id)
            kinds = [type(event) for event in place.events()]
            assert kinds == [JobQueued, JobStarted, JobNoted, JobProduced, JobFinished]
            assert [event.seq for event in place.events()] == [1, 2, 3, 4, 5]
            assert place.of(accepted.job_id, JobProgress)[0].fraction == pytest.approx(1 / 3)
            ((preview, payload),) = [(m, p) for _, m, p in place.heard if isinstance(m, JobPreview)]
            assert (preview.width_px, preview.height_px) == (64, 64) and payload[:2] == b"\xff\xd8"
            (row,) = end.assets
            asset = read(place.store.manifest(row.digest), place.store.path)
            assert isinstance(asset, Image) and asset.pixels.shape == (8, 8, 3)
            await place.store.verify(row.digest)
            assert place.jobs.events_after(place.session, 0) == place.events()
            assert place.jobs.events_after(place.session, 3) == place.events()[3:]
            made = place.store.manifest(row.digest).provenance
            assert made["generator"] == "fake.script" and made["seed"] == 1 and made["params"]["size_px"] == 8
            assert "job" not in str(sorted(made)) and "time" not in made

    act(story())


def test_the_same_request_is_the_same_job(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            first = place.submit(request_id="once", params={"size_px": 9, "label": "a"})
            again = place.submit(request_id="once", params={"label": "a", "size_px": 9})
            assert (again.job_id, again.duplicate, again.seed) == (first.job_id, True, first.seed)
            with pytest.raises(errors.RequestReused, match="once"):
                place.submit(request_id="once", params={"size_px": 10})
            other = place.open()
            assert place.submit(other, request_id="once").job_id != first.job_id
            await place.end_of(first.job_id)
            assert place.submit(request_id="once", params={"size_px": 9, "label": "a"}).state is JobState.FINISHED

    act(story())


def test_equal_work_is_done_once(tmp_path: Path) -> None:
    async def story() -> None:
        journal = tmp_path / "journal"
        async with working(tmp_path / "root") as place:
            params = {"sleep_secs": 0.2, "journal": str(journal), "label": "work"}
            twins = [place.submit(params=params) for _ in range(5)]
            other = place.submit(params={**params, "label": "other"})
            ends = [await place.end_of(twin.job_id) for twin in twins]
            await place.end_of(other.job_id)
            assert [end.reused for end in ends] == [False, True, True, True, True]
            assert len({end.assets[0].digest for end in ends}) == 1
            late = place.submit(params=params)
            assert late.state is JobState.FINISHED
            assert (await place.end_of(late.job_id)).reused
            fresh = place.submit(params=params, fresh=True)
            assert not (await place.end_of(fresh.job_id)).reused
            assert sorted(journal.read_text().split()) == ["other", "work", "work"]

    act(story())


def test_equal_work_is_done_again_when_its_files_are_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            end = await place.end_of(place.submit().job_id)
            place.store.path(place.store.manifest(end.assets[0].digest).parts[0].digest).unlink()
            again = await place.end_of(place.submit().job_id)
            assert not again.reused and again.assets == end.assets
            await place.store.verify(end.assets[0].digest)

    act(story())


def test_twins_of_a_cancelled_job_run_by_themselves(tmp_path: Path) -> None:
    async def story() -> None:
        go_on = tmp_path / "go on"
        async with working(tmp_path / "root") as place:
            first, second = (place.submit(params={"waits_for": str(go_on)}) for _ in range(2))
            await place.started(first.job_id)
            place.jobs.cancel(place.session, JobCancel(job_id=first.job_id))
            assert isinstance(await place.end_of(first.job_id), JobCancelled)
            go_on.touch()
            end = await place.end_of(second.job_id)
            assert isinstance(end, JobFinished) and not end.reused

    act(story())


def test_what_is_wrong_is_refused_before_it_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            await place.ready(1)
            for generator, request, leaf, path in (
                ("fake.scrpt", {}, errors.UnknownGenerator, "$.generator"),
                ("fake.huge", {}, errors.GeneratorUnavailable, "$.generator"),
                ("fake.script", {"params": {"size_px": 0}}, errors.BadParameter, "$.params.size_px"),
                ("fake.script", {"params": {"sleep_secs": float("nan")}}, errors.BadParameter, "$.params.sleep_secs"),
                ("fake.script", {"inputs": {"x": "0" * 64}}, errors.BadInput, "$.inputs.x"),
                ("fake.repaint", {}, errors.BadInput, "$.inputs.picture"),
            ):
                with pytest.raises(leaf) as caught:
                    place.submit(generator=generator, **request)
                assert caught.value.path == path
            assert not place.ledger.counts() and not place.heard

    act(story())


def test_a_session_may_only_have_so_many_jobs_waiting(tmp_path: Path) -> None:
    async def story() -> None:
        place = Workplace(tmp_path, settings=JobSettings(queued_jobs=3))
        for seed in range(3):
            place.submit(seed=seed)
        with pytest.raises(errors.QueueFull, match="3 jobs"):
            place.submit(seed=9)
        place.submit(place.open(), seed=9)
        place.ledger.close()

    act(story())


def test_a_waiting_job_is_cancelled_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        place = Workplace(tmp_path)
        kept, gone = place.submit(seed=1), place.submit(seed=2)
        with pytest.raises(errors.UnknownJob):
            place.jobs.cancel(place.open(), JobCancel(job_id=gone.job_id))
        place.jobs.cancel(place.session, JobCancel(job_id=gone.job_id))
        await place.end_of(gone.job_id)
        with pytest.raises(errors.RequestError, match="is over"):
            place.jobs.cancel(place.session, JobCancel(job_id=gone.job_id))
        place.jobs.cancel(place.open(), JobCancel(job_id=kept.job_id, any_owner=True))
        assert (await place.end_of(kept.job_id)).by == "another client"
        place.ledger.close()

    act(story())


@pytest.mark.parametrize("slip", ["run", "next_run"])
def test_a_job_that_cannot_be_begun_fails_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slip: str
) -> None:
    def defect(*_: Any, **__: Any) -> Any:
        monkeypatch.undo()
        raise TypeError("a slip in the supervisor")

    async def story() -> None:
        async with working(tmp_path) as place:
            await place.ready(2)
            monkeypatch.setattr(place.supervisor, slip, defect)
            first, second = place.submit(), place.submit(seed=2)
            end = await place.end_of(first.job_id)
            assert isinstance(end, JobFailed) and "could not be begun" in end.message
            assert isinstance(await place.end_of(second.job_id), JobFinished)
            assert not place.jobs._dispatcher.running and not place.jobs._dispatcher.unfinished

    act(story())


def test_a_running_job_stops_when_asked(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path, workers=fakes.quick_workers(grace_secs=600.0)) as place:
            job = place.submit(params={"sleep_secs": 600})
            await place.started(job.job_id)
            (pid,) = [worker.process.pid for worker in place.supervisor._workers if worker.run]
            place.jobs.cancel(place.session, JobCancel(job_id=job.job_id))
            place.jobs.cancel(place.session, JobCancel(job_id=job.job_id))
            assert isinstance(await place.end_of(job.job_id), JobCancelled)
            assert pid in place.supervisor.pids(), "a run that stops by itself keeps its worker"

    act(story())


def test_a_deaf_job_is_ended_with_its_worker_and_the_spare_takes_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            await place.ready(2)
            before = set(place.supervisor.pids())
            job = place.submit(params={"note": "now", "sleep_secs": 600, "deaf": True, "child": True})
            await place.until(lambda: place.of(job.job_id, JobNoted))
            (deaf,) = [worker.process.pid for worker in place.supervisor._workers if worker.run]
            while not psutil.Process(deaf).children():  # until then a cancel is seen as the note is sent
                await asyncio.sleep(0.005)
            place.jobs.cancel(place.session, JobCancel(job_id=job.job_id))
            after = place.submit(seed=5)
            assert isinstance(await place.end_of(job.job_id), JobCancelled)
            await place.started(after.job_id)
            assert {worker.process.pid for worker in place.supervisor._posts.values()} == before - {deaf}
            assert isinstance(await place.end_of(after.job_id), JobFinished)

    act(story())


def test_urgent_work_goes_first_and_sessions_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = ActiveRun.close

    def as_long_as_any(run: ActiveRun) -> float:
        """Turns go by device time, which on a busy machine is whatever it is."""
        close(run)
        return 0.05

    monkeypatch.setattr(ActiveRun, "close", as_long_as_any)

    async def story() -> None:
        async with working(tmp_path) as place:
            greedy, modest = place.open(), place.open()
            block = place.submit(params={"sleep_secs": 0.3})
            await place.started(block.job_id)
            same: dict[str, Any] = {"priority": Priority.FINAL}
            owners = {place.submit(greedy, seed=10 + i, **same).job_id: "greedy" for i in range(4)}
            owners |= {place.submit(modest, seed=20 + i, **same).job_id: "modest" for i in range(2)}
            owners[place.submit(seed=30, priority=Priority.BATCH).job_id] = "batch"
            owners[place.submit(seed=31, priority=Priority.LIVE).job_id] = "live"
            for job_id in owners:
                await place.end_of(job_id)
            order = [owners[m.job_id] for _, m, _ in place.heard if isinstance(m, JobStarted) and m.job_id in owners]
            assert order[0] == "live" and order[-1] == "batch"
            assert sorted(order[1:5]) == ["greedy", "greedy", "modest", "modest"]
            assert order[5:7] == ["greedy", "greedy"]

    act(story())


def test_an_asset_goes_in_as_an_input(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            made = (await place.end_of(place.submit().job_id)).assets[0].digest
            end = await place.end_of(place.submit(generator="fake.repaint", inputs={"picture": made}).job_id)
            first, second = (read(place.store.manifest(d), place.store.path) for d in (made, end.assets[0].digest))
            assert isinstance(first, Image) and isinstance(second, Image)
            assert (first.pixels == 255 - second.pixels).all()
            assert place.store.manifest(end.assets[0].digest).provenance["inputs"] == {"picture": made}

    act(story())


def test_the_history_in_pages_and_ratings(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            mine = [place.submit(seed=seed, label=f"job {seed}", deliver=Deliver(host="unreal")) for seed in range(5)]
            theirs = place.submit(place.open(), seed=77)
            for job in (*mine, theirs):
                await place.end_of(job.job_id)
            page = place.jobs.page(place.session, JobList(request_id="p", limit=3))
            assert [row.label for row in page.jobs] == ["job 4", "job 3", "job 2"] and page.more
            rest = place.jobs.page(place.session, JobList(request_id="p", limit=3, before=page.jobs[-1].job_id))
            assert [row.label for row in rest.jobs] == ["job 1", "job 0"] and not rest.more
            everyone = place.jobs.page(place.session, JobList(request_id="p", any_owner=True))
            assert [row.mine for row in everyone.jobs] == [False, *[True] * 5]
            failed = JobList(request_id="p", states=[JobState.FAILED])
            assert not place.jobs.page(place.session, failed).jobs
            assert place.jobs.deliver_wish(mine[0].job_id) == Deliver(host="unreal")
            assert place.jobs.deliver_wish(theirs.job_id) is None
            digest = page.jobs[0].assets[0].digest
            place.jobs.rate(place.session, JobRate(request_id="r", job_id=mine[4].job_id, digest=digest, score=1))
            place.jobs.rate(
                place.session, JobRate(request_id="r", job_id=mine[4].job_id, digest=digest, score=-1, tags=["flat"])
            )
            assert list(place.ledger.ratings()) == [(mine[4].job_id, digest, -1, ["flat"])]
            with pytest.raises(errors.UnknownAsset):
                place.jobs.rate(place.session, JobRate(request_id="r", job_id=mine[0].job_id, digest=digest, score=1))
            with pytest.raises(errors.UnknownJob):
                place.jobs.rate(place.session, JobRate(request_id="r", job_id="j0", digest=digest, score=1))

    act(story())


def test_a_stop_puts_running_jobs_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            running = place.submit(params={"sleep_secs": 30})
            waiting = place.submit(seed=2)
            await place.started(running.job_id)
            session = place.session
        for job in (running, waiting):
            record = _record(tmp_path, job.job_id)
            assert (record.state, record.attempts) == (JobState.QUEUED, 0)
        async with working(tmp_path) as place:
            assert place.open(session) == session
            place.jobs.cancel(session, JobCancel(job_id=running.job_id))
            await place.end_of(waiting.job_id)
            await place.end_of(running.job_id)
            seqs = [event.seq for event in place.jobs.events_after(session, 0)]
            assert seqs == list(range(1, len(seqs) + 1))

    act(story())


def test_a_stop_while_a_job_is_being_cancelled_cancels_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path, workers=fakes.quick_workers(grace_secs=600.0)) as place:
            job = place.submit(params={"sleep_secs": 600, "deaf": True, "child": True})
            await place.started(job.job_id)
            (deaf,) = [worker.process.pid for worker in place.supervisor._workers if worker.run]
            while not psutil.Process(deaf).children():  # until then it would heed the cancel
                await asyncio.sleep(0.005)
            place.jobs.cancel(place.session, JobCancel(job_id=job.job_id))
        assert isinstance(await place.end_of(job.job_id), JobCancelled)
        assert _record(tmp_path, job.job_id).state is JobState.CANCELLED

    act(story())


def test_a_stop_with_grace_lets_the_run_finish(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path, grace_secs=PATIENCE_SECS) as place:
            job = place.submit(params={"sleep_secs": 0.2})
            await place.started(job.job_id)
        assert _record(tmp_path, job.job_id).state is JobState.FINISHED

    act(story())


def test_one_store_has_one_bridge(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path):
            second = Workplace(tmp_path)
            with pytest.raises(errors.ScenecastError, match="another bridge"):
                await second.jobs.start()
            second.ledger.close()

    act(story())


def test_rows_of_the_catalog_say_why_something_cannot_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            await place.ready(1)
            rows = {row.id: row for row in place.jobs.generator_rows()}
            assert set(rows) == {spec.id for spec in fakes.SPECS}
            assert rows["fake.script"].available and rows["fake.script"].params["properties"]["size_px"]["minimum"] == 1
            assert not rows["fake.huge"].available and "10000 GB of GPU memory" in rows["fake.huge"].reason
            assert rows["fake.repaint"].takes[0].kinds == ["image"]
            figures = place.jobs.figures()
            assert figures["workers_ready"] >= 1 and figures["jobs_running"] == 0

    act(story())


def _record(root: Path, job_id: str) -> Any:
    from bridge.ledger import Ledger

    ledger = Ledger(root / "ledger.sqlite3")
    record = ledger.job(job_id)
    ledger.close()
    assert record is not None
    return record

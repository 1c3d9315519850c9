"""Pausing, resuming and finishing jobs: at work, before their turn, through deaths and restarts."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bridge import errors
from bridge.messages import (
    JobCancel,
    JobCancelled,
    JobFinished,
    JobNoted,
    JobProgress,
    JobQueued,
    JobStarted,
    JobState,
    JobSteer,
    JobSteered,
)
from tests.workplace import Workplace, act, working

SLOW = {"steps": 400, "step_secs": 0.005}


def steer(place: Workplace, job_id: str, action: Any) -> None:
    place.jobs.steer(place.session, JobSteer(job_id=job_id, action=action))


async def steered(place: Workplace, job_id: str, action: Any, expected: str) -> None:
    """Steer a job and hear that it has been done."""
    told = len(place.of(job_id, JobSteered))
    steer(place, job_id, action)
    await place.until(lambda: [one.steered for one in place.of(job_id, JobSteered)[told:]][-1:] == [expected])


def held_by(go_on: Path) -> dict[str, Any]:
    """Work that cannot be over before the file is there, however slow its client is."""
    return {**SLOW, "holds_at": 100, "holds_for": str(go_on)}


async def at_work(place: Workplace, go_on: Path, **params: Any) -> str:
    job = place.submit(generator="fake.grow", params={**held_by(go_on), **params})
    await place.until(lambda: place.of(job.job_id, JobProgress))
    return job.job_id


def test_a_paused_run_stands_still_frees_its_device_and_outlives_its_silence(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path / "root") as place:
            journal, go_on = tmp_path / "journal", tmp_path / "go on"
            await place.ready()
            began = time.monotonic()
            job_id = await at_work(place, go_on, journal=str(journal))
            await steered(place, job_id, "pause", "paused")
            stands = journal.read_text()
            other = await place.end_of(place.submit().job_id)
            assert isinstance(other, JobFinished), "other jobs go on"
            active = place.jobs._dispatcher.running[job_id].active
            assert active is not None
            allowed_secs, active._silence_secs = active._silence_secs, 0.5
            await asyncio.sleep(1.0)
            active._silence_secs = allowed_secs
            assert journal.read_text() == stands and not place.of(job_id, JobFinished)
            [row] = [row for row in place.jobs.page(place.session, _page()).jobs if row.job_id == job_id]
            assert (row.state, row.steered) == (JobState.RUNNING, "paused")
            assert place.jobs.standing(place.session) == [JobSteered(job_id=job_id, steered="paused")]
            go_on.touch()
            await steered(place, job_id, "resume", "")
            end = await place.end_of(job_id)
            assert isinstance(end, JobFinished) and end.run_secs <= time.monotonic() - began - 1.0
            assert len({line.split()[0] for line in journal.read_text().splitlines()}) == 1, "the same process"
            assert len(place.of(job_id, JobStarted)) == 1 and place.supervisor.deaths == 0
            await place.until_workers(2)

    act(story())


def test_a_paused_run_can_be_cancelled(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            job_id = await at_work(place, tmp_path / "never")
            await steered(place, job_id, "pause", "paused")
            place.jobs.cancel(place.session, JobCancel(job_id=job_id))
            assert isinstance(await place.end_of(job_id), JobCancelled)
            assert place.supervisor.deaths == 0, "it ended by itself"
            assert not list((tmp_path / "scratch").iterdir())

    act(story())


def test_good_enough_is_delivered_and_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            never = tmp_path / "never"
            job_id = await at_work(place, never)
            await steered(place, job_id, "pause", "paused")
            await steered(place, job_id, "finish", "finishing")
            end = await place.end_of(job_id)
            assert isinstance(end, JobFinished) and not end.reused
            assert any("finished early" in note.text for note in place.of(job_id, JobNoted))
            manifest = place.store.manifest(end.assets[0].digest)
            assert manifest.provenance["finished_early"] is True
            whole = place.submit(generator="fake.grow", params=held_by(never))
            assert whole.state is JobState.QUEUED, "what was stopped early is not reused"
            await place.started(whole.job_id)
            place.jobs.cancel(place.session, JobCancel(job_id=whole.job_id))
            assert isinstance(await place.end_of(whole.job_id), JobCancelled)

    act(story())


def test_a_waiting_job_is_held_until_it_is_resumed(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            first = await at_work(place, tmp_path / "never")
            second = place.submit(generator="fake.grow", seed=2)
            with pytest.raises(errors.RequestError, match="has not begun"):
                steer(place, second.job_id, "finish")
            await steered(place, second.job_id, "pause", "paused")
            steer(place, first, "finish")
            await place.end_of(first)
            third = place.submit(seed=3)
            await place.end_of(third.job_id)
            assert not place.of(second.job_id, JobStarted)
            held = place.submit(generator="fake.grow", seed=4)
            await steered(place, held.job_id, "pause", "paused")
            place.jobs.cancel(place.session, JobCancel(job_id=held.job_id))
            assert isinstance(await place.end_of(held.job_id), JobCancelled)
            await steered(place, second.job_id, "resume", "")
            assert isinstance(await place.end_of(second.job_id), JobFinished)

    act(story())


def test_a_paused_job_stays_paused_over_deaths_and_restarts_and_goes_on_where_it_was(tmp_path: Path) -> None:
    async def story() -> None:
        journal, go_on = tmp_path / "journal", tmp_path / "go on"
        async with working(tmp_path / "root") as place:
            job_id = await at_work(place, go_on, journal=str(journal))
            await steered(place, job_id, "pause", "paused")
            os.kill(int(journal.read_text().split()[0]), signal.SIGKILL)
            await place.until(lambda: len(place.of(job_id, JobQueued)) == 2)
            await place.end_of(place.submit().job_id)
            assert len(place.of(job_id, JobStarted)) == 1, "it is not begun again by itself"
        stood = len(journal.read_text().splitlines())
        async with working(tmp_path / "root") as place:
            session = place.open(place.ledger.job(job_id).session)  # type: ignore[union-attr]
            assert place.jobs.standing(session) == [JobSteered(job_id=job_id, steered="paused")]
            await place.end_of(place.submit(seed=5).job_id)
            assert not place.of(job_id, JobStarted)
            go_on.touch()
            place.jobs.steer(session, JobSteer(job_id=job_id, action="resume"))
            assert isinstance(await place.end_of(job_id), JobFinished)
            steps = [int(line.split()[1]) for line in journal.read_text().splitlines()]
            assert steps[stood] >= stood - 1 and steps[-1] == 399, "not from the beginning"
            assert not list((tmp_path / "root" / "scratch").iterdir())

    act(story())


def test_what_cannot_be_steered_is_refused_in_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            job = place.submit()
            with pytest.raises(errors.RequestError, match=r"fake\.script cannot be asked to pause"):
                steer(place, job.job_id, "pause")
            await place.end_of(job.job_id)
            grown = place.submit(generator="fake.grow", params={"steps": 1})
            with pytest.raises(errors.UnknownJob):
                place.jobs.steer(place.open(), JobSteer(job_id=grown.job_id, action="pause"))
            await place.end_of(grown.job_id)
            with pytest.raises(errors.RequestError, match="is over"):
                steer(place, grown.job_id, "pause")

    act(story())


def test_a_killed_worker_goes_on_from_what_it_had_done(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path / "root") as place:
            journal = tmp_path / "journal"
            killed = place.submit(generator="fake.grow", params={"dies_at": 15, "journal": str(journal)})
            end = await place.end_of(killed.job_id)
            assert isinstance(end, JobFinished)
            assert any(note.text == "taken up again at step 15" for note in place.of(killed.job_id, JobNoted))
            assert [int(line.split()[1]) for line in journal.read_text().splitlines()] == list(range(20))
            whole = await place.end_of(place.submit(generator="fake.grow").job_id)
            parts = [place.store.manifest(one.assets[0].digest).parts for one in (end, whole)]
            assert parts[0] == parts[1], "the same cloud as without the death"
            assert not list((tmp_path / "root" / "scratch").iterdir())

    act(story())


def _page() -> Any:
    from bridge.messages import JobList

    return JobList(request_id="r")

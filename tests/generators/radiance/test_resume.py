"""Training that is killed, with its worker or with its bridge, goes on where it was and ends as if nothing had been."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import zipfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.messages import (
    GrowthWish,
    JobFinished,
    JobGrown,
    JobNoted,
    JobProgress,
    JobQueued,
    JobState,
    JobSteer,
    JobSteered,
)
from engines import growth, neutral
from engines.assets import Splats
from generators.catalog import Catalog
from python_client.growing import GrowingCloud
from tests.bridge.test_growth import ask, put
from tests.generators.radiance import quick_checkpoints
from tests.generators.radiance.captures import write_folder
from tests.generators.radiance.scenes import photographs_of, textured_room
from tests.workplace import Workplace, working

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
CATALOG = Catalog.from_specs(quick_checkpoints.SPEC)
PARAMS = {"resolution_px": 96, "iterations": 1800, "splats_max": 1500, "sh_degree": 1, "exposure": True}


def act(story: Coroutine[Any, Any, None], secs: float) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(secs):
            await story

    asyncio.run(in_time())


async def uploaded(place: Workplace, folder: Path) -> str:
    """The folder as a capture in the store; its digest."""
    packed = place.store.temporary()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    return (await place.store.adopt_upload(packed, digest, "application/zip", "room.zip")).digest


def fraction(place: Workplace, job_id: str) -> float:
    told = [one for one in place.of(job_id, JobProgress) if one.stage.startswith("training")]
    return told[-1].fraction if told else 0.0


async def kill_at(place: Workplace, job_id: str, least: float) -> None:
    """SIGKILL for the worker that trains, once so much is done."""
    await place.until(lambda: fraction(place, job_id) >= least, 120)
    [worker] = [one for one in place.supervisor._workers if one.run is not None]
    os.kill(worker.process.pid, signal.SIGKILL)
    await place.until(lambda: len(place.of(job_id, JobQueued)) > 1)
    place.heard.clear()


async def ended(place: Workplace, job_id: str) -> JobFinished:
    """The end of a long job."""
    await place.until(lambda: place.of(job_id, JobFinished), 400)
    return place.of(job_id, JobFinished)[0]


def taken_up(place: Workplace, job_id: str) -> int:
    notes = [re.search(r"taken up again at iteration (\d+)", note.text) for note in place.of(job_id, JobNoted)]
    return max((int(found[1]) for found in notes if found), default=0)


@pytest.mark.timeout(600)
def test_a_killed_training_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = tmp_path / "hold"
    monkeypatch.setenv(quick_checkpoints.HOLD, str(hold))
    views = photographs_of(textured_room(2000), 6, width=48, height=40, arc_deg=50)
    photos = write_folder(tmp_path / "room", views)

    async def story() -> None:
        wish = GrowthWish(per_sec=20)
        async with working(tmp_path / "root", catalog=CATALOG) as place:
            inputs = {"photos": await uploaded(place, photos)}
            asked: dict[str, Any] = {"generator": "splats.quick", "params": PARAMS, "inputs": inputs, "seed": 3}
            whole = await place.end_of(place.submit(**asked).job_id)
            assert isinstance(whole, JobFinished)
            parts = place.store.manifest(whole.assets[0].digest).parts
            hold.touch()  # so that it cannot end before this bridge does
            job_id = place.submit(**asked, fresh=True, growth=wish).job_id
            await kill_at(place, job_id, 0.4)
            await place.until(lambda: taken_up(place, job_id) > 50 and fraction(place, job_id) > 0.65)
            first = taken_up(place, job_id)
            await place.until(lambda: place.of(job_id, JobGrown))
            cloud = GrowingCloud()
            put(cloud, *(answer := await ask(place, job_id, cloud, by_path=False)), len(answer[1]))
            session = place.session
        hold.unlink()
        async with working(tmp_path / "root", catalog=CATALOG) as place:  # the bridge too was stopped on the way
            place.session = place.open(session)
            await place.until(lambda: place.of(job_id, JobFinished))
            assert taken_up(place, job_id) > first
            record = place.ledger.job(job_id)
            assert record is not None and record.state is JobState.FINISHED
            [result] = place.ledger.results(job_id)
            manifest = place.store.manifest(result.asset.digest)
            assert manifest.parts == parts, "the very same cloud"
            message, data = await ask(place, job_id, cloud, by_path=True)
            put(cloud, message, data, len(data))
            asset = neutral.read(manifest, place.store.path)
            assert isinstance(asset, Splats)
            held = np.asarray(cloud.in_order())
            assert (held.view(np.uint32) == growth.rows_of(asset).view(np.uint32)).all()
            assert not list((tmp_path / "root" / "scratch").iterdir())

    act(story(), 580)


@pytest.mark.timeout(600)
def test_a_training_is_paused_and_finished_as_it_stands(tmp_path: Path) -> None:
    views = photographs_of(textured_room(2000), 6, width=48, height=40, arc_deg=50)
    photos = write_folder(tmp_path / "room", views)

    async def story() -> None:
        async with working(tmp_path / "root", catalog=CATALOG) as place:
            inputs = {"photos": await uploaded(place, photos)}
            params = {**PARAMS, "iterations": 100_000}
            job_id = place.submit(generator="splats.quick", params=params, inputs=inputs).job_id
            await place.until(lambda: place.of(job_id, JobProgress) and fraction(place, job_id) > 0, 120)
            place.jobs.steer(place.session, JobSteer(job_id=job_id, action="pause"))
            await place.until(lambda: [told.steered for told in place.of(job_id, JobSteered)] == ["paused"])
            stands = len(place.of(job_id, JobProgress))
            await asyncio.sleep(1.0)
            assert len(place.of(job_id, JobProgress)) <= stands + 1, "no more than what was held back"
            place.jobs.steer(place.session, JobSteer(job_id=job_id, action="finish"))
            end = await place.end_of(job_id)
            assert isinstance(end, JobFinished)
            assert any("finished early, at iteration" in note.text for note in place.of(job_id, JobNoted))

    act(story(), 580)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not (SHARED / "fox").exists(), reason="no photographs beside the checkout")
def test_the_fox_loses_at_most_twenty_seconds(tmp_path: Path) -> None:
    async def story() -> None:
        from generators.radiance.specs import SPLATS_FROM_PHOTOS

        async with working(tmp_path / "root", catalog=Catalog.from_specs(SPLATS_FROM_PHOTOS)) as place:
            inputs = {"photos": await uploaded(place, SHARED / "fox")}
            params = {"resolution_px": 240, "iterations": 4000, "splats_max": 30_000}
            asked: dict[str, Any] = {"generator": "splats.from_photos", "params": params, "inputs": inputs, "seed": 3}
            whole = await ended(place, place.submit(**asked).job_id)
            job_id = place.submit(**asked, fresh=True).job_id
            loop, began = asyncio.get_running_loop(), 0.0
            await place.until(lambda: fraction(place, job_id) > 0, 200)
            began = loop.time()
            await asyncio.sleep(35)
            at = (fraction(place, job_id) - 0.08) / 0.92 * params["iterations"]
            speed = at / (loop.time() - began)
            await kill_at(place, job_id, 0.0)
            await place.until(lambda: taken_up(place, job_id) > 0, 200)
            lost_secs = (at - taken_up(place, job_id)) / speed
            assert lost_secs <= 20, f"{lost_secs:.0f} s of work lost"
            end = await ended(place, job_id)
            parts = [place.store.manifest(one.assets[0].digest).parts for one in (whole, end)]
            assert parts[0] == parts[1]

    act(story(), 880)

"""Growing clouds as the bridge serves them: to clients that come late, skip, break off, and to those after the end."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge import growth as bridge_growth
from bridge.errors import UnknownJob
from bridge.messages import CHUNK_BYTES, GrowthFiles, GrowthGet, GrowthWish, JobFinished, JobGrown, JobSteer
from engines import growth, neutral
from engines.assets import Splats
from engines.growth_blocks import rounded
from python_client.growing import Delta, GrowingCloud
from python_client.messages import GrowthFiles as Told
from tests.engines.test_importance import cloud as random_cloud
from tests.workplace import Workplace, act, working

WISH = GrowthWish(per_sec=30)


async def ask(place: Workplace, job_id: str, cloud: GrowingCloud, *, by_path: bool) -> tuple[GrowthFiles, bytes]:
    request = GrowthGet(request_id="r", job_id=job_id, stream=cloud.stream, have=cloud.version)
    answer = await place.jobs.growths.files(place.session, request, by_path=by_path)
    message = answer.message
    if not message.size_bytes:
        return message, b""
    path = Path(message.path) if by_path and message.path else answer.source and answer.source.path
    assert path
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # a client by path asks again when a newer version has just taken the place of this one
        assert by_path
        return await ask(place, job_id, cloud, by_path=by_path)
    if answer.release:
        answer.release()
        assert not path.exists()
    return message, data


def put(cloud: GrowingCloud, message: GrowthFiles, data: bytes, stop: int) -> None:
    told = Told(
        "r", message.job_id, message.stream, message.version, message.since, message.count, message.final,
        message.size_bytes,
    )  # fmt: skip
    delta = Delta(cloud, told)
    for at in range(0, stop, 10_000):
        delta.feed(memoryview(data)[at : min(at + 10_000, stop)])


def stored(place: Workplace, end: JobFinished) -> np.ndarray[Any, np.dtype[np.float32]]:
    asset = neutral.read(place.store.manifest(end.assets[0].digest), place.store.path)
    assert isinstance(asset, Splats)
    return growth.rows_of(asset)


def same(cloud: GrowingCloud, rows: np.ndarray[Any, np.dtype[np.float32]]) -> bool:
    return cloud.final and bool((np.asarray(cloud.in_order()).view(np.uint32) == rows.view(np.uint32)).all())


@pytest.mark.parametrize("by_path", [False, True])
def test_late_broken_and_forgetful_clients_end_with_the_asset_bit_for_bit(tmp_path: Path, by_path: bool) -> None:
    async def story() -> None:
        chance = random.Random(3)
        async with working(tmp_path) as place:
            params = {"steps": 100_000, "step_secs": 0.02, "splats": 3000}
            job = place.submit(generator="fake.grow", params=params, growth=WISH)
            clouds = [GrowingCloud() for _ in range(4)]
            versions, may_end = set(), False
            while not place.of(job.job_id, JobFinished):
                cloud = chance.choice(clouds)
                message, data = await ask(place, job.job_id, cloud, by_path=by_path)
                versions.add(message.version)
                if len(versions) == 7 and not may_end:  # once: asked again, it may be over already
                    may_end = True
                    place.jobs.steer(place.session, JobSteer(job_id=job.job_id, action="finish"))
                if data:
                    put(cloud, message, data, chance.choice([len(data), len(data), chance.randrange(len(data))]))
                await asyncio.sleep(chance.choice([0.0, 0.02, 0.1]))
            end = await place.end_of(job.job_id)
            rows = stored(place, end)
            for cloud in [*clouds, GrowingCloud()]:
                message, data = await ask(place, job.job_id, cloud, by_path=by_path)
                put(cloud, message, data, len(data))
                assert same(cloud, rows)
                again, nothing = await ask(place, job.job_id, cloud, by_path=by_path)
                assert not nothing and again.version == cloud.version and again.final
            assert {path.name for path in (tmp_path / "growth").iterdir()} == {f"{job.job_id}.growth"}
            assert not list((tmp_path / "spool").rglob("*.growth"))

    act(story())


def test_versions_are_told_to_those_who_asked_and_no_more_often(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as place:
            params = {"steps": 100, "step_secs": 0.01}
            job = place.submit(
                generator="fake.grow", params=params, growth=GrowthWish(per_sec=5, splats_max=10, sh_degree=0)
            )
            secs = (await place.end_of(job.job_id)).run_secs
            grown = place.of(job.job_id, JobGrown)
            assert 2 <= len(grown) <= 2 + 5 * secs
            assert [one.final for one in grown] == [False] * (len(grown) - 1) + [True]
            assert all(one.count == 10 and one.sh_degree == 0 for one in grown[:-1])
            assert grown[-1].count == 60 and grown[-1].sh_degree == 1
            silent = await place.end_of(place.submit(generator="fake.grow", params=params, seed=2).job_id)
            assert not place.of(silent.job_id, JobGrown)

    act(story())


def test_after_the_end_the_last_version_is_made_from_the_asset(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path / "root") as place:
            job = place.submit(generator="fake.grow", growth=WISH)
            end = await place.end_of(job.job_id)
            reused = place.submit(generator="fake.grow", growth=WISH)
            session, cloud = place.session, GrowingCloud()
            message, data = await ask(place, reused.job_id, cloud, by_path=False)
            put(cloud, message, data, len(data))
            assert same(cloud, stored(place, end))
        async with working(tmp_path / "root") as place:
            place.session = place.open(session)
            for turn in range(2):
                cloud = GrowingCloud()
                cloud.stream, cloud.version = ("gone", 7) if turn else ("", 0)
                message, data = await ask(place, job.job_id, cloud, by_path=turn == 0)
                assert message.since == 0
                put(cloud, message, data, len(data))
                assert same(cloud, stored(place, end))
            other = place.open()
            with pytest.raises(UnknownJob):
                await place.jobs.growths.files(other, GrowthGet(request_id="r", job_id=job.job_id), by_path=False)
            plain = place.submit(request_id="plain")
            await place.end_of(plain.job_id)
            message, data = await ask(place, plain.job_id, GrowingCloud(), by_path=False)
            assert (message.version, data) == (0, b"")

    act(story())


def test_only_the_newest_finished_clouds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_growth, "KEPT_JOBS", 2)

    async def story() -> None:
        async with working(tmp_path) as place:
            jobs = [place.submit(generator="fake.grow", seed=seed, growth=WISH).job_id for seed in range(4)]
            for job_id in jobs:
                await place.end_of(job_id)
            assert {path.stem for path in (tmp_path / "growth").iterdir()} == set(jobs[2:])
            message, data = await ask(place, jobs[0], GrowingCloud(), by_path=True)
            assert message.final and data

    act(story())


def test_whoever_gives_up_asking_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()
    cut = growth.cut

    def slow(*arguments: Any) -> int:
        size = cut(*arguments)
        begun.set()
        may_end.wait()
        return size

    async def story() -> None:
        async with working(tmp_path) as place:
            job = place.submit(generator="fake.grow", growth=WISH)
            await place.end_of(job.job_id)
            monkeypatch.setattr(growth, "cut", slow)
            asking = asyncio.create_task(ask(place, job.job_id, GrowingCloud(), by_path=False))
            await asyncio.to_thread(begun.wait)
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled() and len(list((tmp_path / "growth").iterdir())) == 2
            may_end.set()
            while len(list((tmp_path / "growth").iterdir())) > 1:
                await asyncio.sleep(0.01)

    act(story())


def test_a_worker_that_dies_begins_a_new_stream(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path / "root") as place:
            params = {"steps": 40, "step_secs": 0.02, "holds_at": 20, "holds_for": str(tmp_path / "die"), "dies_at": 20}
            job = place.submit(generator="fake.grow", params=params, growth=WISH)
            await place.until(lambda: place.of(job.job_id, JobGrown))
            cloud = GrowingCloud()
            message, data = await ask(place, job.job_id, cloud, by_path=False)
            put(cloud, message, data, len(data))
            (tmp_path / "die").touch()
            end = await place.end_of(job.job_id)
            assert len({one.stream for one in place.of(job.job_id, JobGrown)}) == 2
            message, data = await ask(place, job.job_id, cloud, by_path=False)
            assert message.since == 0
            put(cloud, message, data, len(data))
            assert same(cloud, stored(place, end))

    act(story())


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_the_first_chunk_is_a_picture_of_the_whole_in_a_twentieth_of_the_bytes(tmp_path: Path, count: int) -> None:
    whole = growth.whole(random_cloud(count, 1))
    rows = rounded(whole.rows)
    file, part = tmp_path / "version", tmp_path / "cut"
    growth.write(replace(whole, rows=rows, rounded=True, order=None, sketch=None, sketch_slots=None), file)
    size = growth.cut(file, 0, part)
    message = GrowthFiles(request_id="r", job_id="j", stream="s", version=1, count=count, size_bytes=size)
    plan = bridge_growth.Growth(message).plan
    assert plan[0][1] == 0 and all(a[1] + a[2] == b[1] for a, b in pairwise(plan)) and sum(plan[-1][1:]) == size
    assert plan[0][2] < 0.05 * size and max(taken for _, _, taken in plan) <= CHUNK_BYTES
    held = GrowingCloud()
    put(held, message, part.read_bytes(), plan[0][2])
    assert sum(held.live) > 0.9 * count // growth.SKETCH_SHARE

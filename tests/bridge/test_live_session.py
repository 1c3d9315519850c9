"""How live sessions end, and what a frame that cannot be answered does not end."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.bridge.live_client import EYE, PIXELS, SIDE, Live, opened, run, session_of, until
from tests.bridge.served import client


def test_closing_is_acknowledged_when_nothing_is_left_running(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            live = await Live.open(me, params={"frame_secs": 50.0})
            await live.send()
            await asyncio.sleep(0.05)
            session = session_of(one, live)
            process = psutil.Process(session.worker_pid)
            memory = session._memory.path
            closed = await live.close()
            assert closed["live"] == live.id and closed["code"] == ""
            assert not psutil.pid_exists(process.pid) or process.status() == psutil.STATUS_ZOMBIE
            assert not os.path.exists(memory) and not session.plan.spool.exists()
            assert one.figures()["live_sessions"] == one.figures()["workers_lent"] == 0
            await live.send()  # it was on its way when the session ended
            assert (await live.close())["code"] == ""
            assert all(message["type"] != "refused" for message in me.heard)

    run(story())


def test_a_connection_that_is_lost_ends_its_sessions(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, _):
            async with client(one.url, token=one.token) as other:
                live = await Live.open(other, params={"frame_secs": 50.0})
                await live.send()
                pid = session_of(one, live).worker_pid
                await Live.open(other, "live.slow_start", params={"load_secs": 50.0}, ready=False)
                other.socket.transport.abort()
            await until(lambda: not one._live.sessions)
            await until(lambda: not psutil.pid_exists(pid))

    run(story())


def test_a_killed_worker_is_replaced_once_and_the_newest_frame_done_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            live = await Live.open(me)
            await live.image(await live.send())
            frame = await live.send(None, params={"gain": 0.5})
            await live.image(frame)
            os.kill(session_of(one, live).worker_pid, signal.SIGKILL)
            assert "SIGKILL" in (await live.state("restarted"))["text"]
            await live.state("ready")
            image = await live.image(frame)
            assert image["payload"] == (PIXELS * np.float32(0.5)).astype(np.uint8).tobytes()
            os.kill(session_of(one, live).worker_pid, signal.SIGKILL)
            closed = await me.hear_until("live.closed")
            assert closed["code"] == "run.worker_died" and "SIGKILL" in closed["reason"] and closed["remedy"]
            assert not one._live.sessions and one.figures()["live_workers_lost_total"] == 2

    run(story())


def test_a_frame_that_kills_its_worker_ends_the_session_with_the_true_reason(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me)
            await live.send(params={"dies": "kill"})
            assert "the fake dies now" in (await live.state("restarted"))["text"]
            closed = await me.hear_until("live.closed")
            assert "restarted once" in closed["reason"] and "the fake dies now" in closed["reason"]

    run(story())


def test_a_frame_without_end_is_told_and_then_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, "live.hasty", params={"frame_secs": 60.0})
            await live.send()
            assert "frame 1" in (await live.state("stalled"))["text"]
            assert "longer than 2.2 s" in (await live.state("restarted"))["text"]

    run(story())


def test_loading_without_end_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, "live.slow_start", params={"load_secs": 60.0}, ready=False)
            assert "not ready within 0.5 s" in (await live.state("restarted"))["text"]
            assert "not ready within 0.5 s" in (await me.hear_until("live.closed"))["reason"]

    run(story())


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"raises": "start"}, "run.failed", "told not to start"),
        ({"raises": "defect"}, "run.failed", "ZeroDivisionError: a slip in the fake"),
    ],
)
def test_a_generator_that_cannot_go_on_ends_the_session(
    tmp_path: Path, params: dict[str, Any], code: str, words: str
) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            live = await Live.open(me, params=params, ready=False)
            await live.send()
            closed = await me.hear_until("live.closed")
            assert closed["code"] == code and words in closed["reason"]
            assert not one._live.sessions

    run(story())


@pytest.mark.parametrize(
    ("params", "words"), [({"raises": "told"}, "told to fail"), ({"wrong": True}, "uint8 (16, 16)")]
)
def test_a_frame_that_cannot_be_answered_is_refused_and_the_session_goes_on(
    tmp_path: Path, params: dict[str, Any], words: str
) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me)
            await live.send(params=params)
            refused = await live.refused()
            assert refused["code"] == "run.failed" and words in refused["message"]
            assert (await live.state("ready"))["frame"] == 1
            await live.image(await live.send(params={"raises": "", "wrong": False}))

    run(story())


def test_what_is_to_be_known_as_long_as_it_runs_is_said_with_every_ready(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, params={"notes": "drawn by hand"}, ready=False)
            first = await live.state("ready")
            assert first["text"] == "drawn by hand"
            await live.send(params={"raises": "told"})
            await live.refused()
            later = await live.state("ready")
            assert (later["frame"], later["text"]) == (1, "drawn by hand")

    run(story())


def test_hostile_frames_are_refused_and_harm_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me)
            good = {"channel": "colour", "offset": 0, "size_bytes": PIXELS.nbytes}
            spoilt: list[tuple[str, dict[str, Any]]] = [
                ("expected 768", {}),  # shorter than it says
                ("have 768 or 1024", {"pictures": [{**good, "size_bytes": 700}]}),
                ("begins at byte 8", {"pictures": [{**good, "offset": 8}]}),
                ("begins at byte 2", {"pictures": [{**good, "offset": 2}]}),
                ("comes twice", {"pictures": [good, good]}),
                ("at most", {"size_bytes": 1 << 40}),
                ("no picture in them", {"pictures": []}),
                ("opened for 16 × 16", {"width_px": 17}),
                ("has the space metres", {"pictures": [{**good, "space": "metres"}]}),
                ("gain", {"params": {"gain": 5.0}}),
                ("no parameter 'gian'", {"params": {"gian": 1.0}}),
                ("near is", {"camera": {"world_from_camera": EYE, "near_m": 2.0, "far_m": 1.0}}),
                ("needs near_m", {"camera": {"world_from_camera": EYE, "near_m": -2.0}}),
                ("beyond", {"camera": {"world_from_camera": [1e30] * 16}}),
            ]
            for number, (words, fields) in enumerate(spoilt):
                if number == 0:
                    await me.say("live.frame", b"", live=live.id, frame=1, size_bytes=768, pictures=[good])
                    words = "0 bytes came, 768 are missing"
                    live.number = 1
                else:
                    await live.send(**fields)
                assert words in (await live.refused())["message"], words
            await me.say("live.frame", PIXELS.tobytes()[:100], live=live.id, frame=50, size_bytes=768, pictures=[good])
            await me.say("live.frame", bytes(700), live=live.id, frame=50, offset=100)
            assert "700 bytes came, 668 are missing" in (await live.refused())["message"]
            await me.say("live.frame", bytes(10), live=live.id, frame=50, offset=100)  # of a frame that was refused
            await me.say("live.frame", bytes(10), live=live.id, frame=51, offset=100)
            assert "expected a new frame" in (await live.refused())["message"]
            await me.say("live.frame", b"", live="nobody", frame=1)
            refused = await me.hear_until("refused")
            assert (refused["code"], refused["request_id"]) == ("request.live", "nobody")
            refused = await me.ask("live.close", "live.closed", live="nobody")
            assert refused["code"] == "request.live"
            live.number = 50
            await live.send()
            assert "numbers to rise" in (await live.refused())["message"] if live.number < 51 else True
            live.number = 60
            assert (await live.image(await live.send()))["payload"] == PIXELS.tobytes()

    run(story())


def test_a_frame_without_what_the_generator_needs_is_refused_in_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, "live.surface")
            await live.send()
            refused = await live.refused()
            assert "needs depth and camera, and frame 1 has colour" in refused["message"]
            await live.send(None, camera={"world_from_camera": EYE})
            assert "needs depth" in (await live.refused())["message"]
            mirrored = [-1.0, *EYE[1:]]
            depth = np.ones((SIDE, SIDE), "<f2")
            row = {"channel": "depth", "offset": 0, "size_bytes": depth.nbytes, "dtype": "<f2"}
            await live.send(depth, pictures=[row], camera={"world_from_camera": mirrored})
            assert "mirrors" in (await live.refused())["message"]

    run(story())


def test_a_payload_that_never_comes_costs_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me)
            good = {"channel": "colour", "offset": 0, "size_bytes": PIXELS.nbytes}
            for _ in range(20):
                live.number += 1
                await me.say("live.frame", bytes(100), live=live.id, frame=live.number, size_bytes=768, pictures=[good])
            assert (await live.image(await live.send()))["payload"] == PIXELS.tobytes()

    run(story())


def test_a_header_that_lies_about_its_payload_ends_no_connection(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me)
            await me.socket.send(b"\xce" + struct.pack(">I", 4000) + b"\x82")
            assert (await me.hear_until("refused"))["code"] == "wire.invalid"
            await live.image(await live.send())

    run(story())

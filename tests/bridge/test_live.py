"""Live sessions over a real socket with real workers: the newest wins, and jobs go on beside them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.bridge.live_client import EYE, PIXELS, SIDE, Live, opened, run, session_of, until
from tests.bridge.served import client


def test_a_frame_goes_in_and_a_picture_comes_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            welcome = me.heard[0]
            rows = {row["id"]: row for row in welcome["generators"]}
            assert rows["live.mirror"]["live"] == {"wants": ["colour"], "optional": ["camera"], "refines": False}
            assert rows["live.mirror"]["jobs"] is False and rows["live.both"]["jobs"] is True
            assert rows["fake.script"]["live"] is None
            live = await Live.open(me)
            told = [message["text"] for message in me.heard if message["type"] == "live.state"]
            assert told == ["waiting for a worker", "loading mirror", "the fake is loading", ""]
            frame = await live.send()
            image = await live.image(frame)
            assert image["payload"] == PIXELS.tobytes()
            assert (image["width_px"], image["height_px"], image["components"]) == (SIDE, SIDE, 3)
            assert image["media_type"] == "image/raw" and image["run_ms"] > 0 and not image["rough"]
            frame = await live.send(None, params={"gain": 0.5})
            assert (await live.image(frame))["payload"] == (PIXELS * np.float32(0.5)).astype(np.uint8).tobytes()
            small = PIXELS[:8, :12]
            frame = await live.send(small, width_px=12, height_px=8, params={"gain": 1.0})
            image = await live.image(frame)
            assert (image["width_px"], image["height_px"], image["payload"]) == (12, 8, small.tobytes())
            figures = one.figures()
            assert figures["live_sessions"] == figures["workers_lent"] == 1 and figures["live_images_total"] == 3

    run(story())


def test_answers_come_as_they_were_asked_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, alpha=True, bottom_up=True)
            image = await live.image(await live.send())
            pixels = np.frombuffer(image["payload"], np.uint8).reshape(SIDE, SIDE, 4)
            assert image["components"] == 4
            assert np.array_equal(pixels[::-1, :, :3], PIXELS) and (pixels[..., 3] == 255).all()
            pictures = [{"channel": "colour", "offset": 0, "size_bytes": PIXELS.nbytes, "bottom_up": True}]
            upside_down = await live.send(pictures=pictures)
            pixels = np.frombuffer((await live.image(upside_down))["payload"], np.uint8).reshape(SIDE, SIDE, 4)
            assert np.array_equal(pixels[..., :3], PIXELS)
            jpeg = await Live.open(me, reply="image/jpeg")
            image = await jpeg.image(await jpeg.send())
            assert image["payload"][:2] == b"\xff\xd8" and image["media_type"] == "image/jpeg"

    run(story())


def test_every_channel_arrives_in_the_neutral_form(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, "live.surface")
            camera = {"world_from_camera": EYE, "near_m": 1.0, "far_m": 9.0}
            depth = np.full((SIDE, SIDE), 0.5, "<f4")
            depth[1] = 1.0
            row = {"channel": "depth", "offset": 0, "size_bytes": depth.nbytes, "dtype": "<f4", "space": "window"}
            image = await live.image(await live.send(depth, pictures=[row], camera=camera))
            pixels = np.frombuffer(image["payload"], np.uint8).reshape(SIDE, SIDE, 3)
            assert tuple(pixels[0, 0]) == (7, 8, 9)  # where the camera stands
            assert (pixels[2] == 18).all() and (pixels[1] == 255).all()  # 1·9 / (9 - 0.5·8) metres, and nothing

    run(story())


def test_an_input_asset_reaches_a_live_generator(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            accepted = await me.ask("job.submit", "job.accepted", request_id="r", generator="fake.script", seed=3)
            assert accepted["type"] == "job.accepted"
            digest = (await me.hear_until("job.finished"))["assets"][0]["digest"]
            live = await Live.open(me, "live.view", inputs={"picture": digest})
            image = await live.image(await live.send(None, camera={"world_from_camera": EYE}))
            assert (image["width_px"], image["height_px"]) == (8, 8)
            assert one.store._pins[digest] == 1
            await live.close()
            assert digest not in one.store._pins
            refused = await me.ask("live.open", "live.opened", request_id="q", generator="live.view")
            assert (refused["code"], refused["path"]) == ("request.input", "$.inputs.picture")

    run(story())


def test_the_newest_wins_under_a_slow_generator(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            live = await Live.open(me, params={"frame_secs": 0.15})
            began = time.monotonic()
            frames = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in range(40)]
            for frame in frames:
                await live.send(frame)
                await asyncio.sleep(0.01)
            seen: list[dict[str, Any]] = []
            while not seen or seen[-1]["frame"] < 40:
                seen.append(await live.image())
            numbers = [image["frame"] for image in seen]
            most = 2 + (time.monotonic() - began) / 0.15
            assert numbers == sorted(numbers) and 1 < len(numbers) <= most and numbers[-1] == 40
            for image in seen:  # no answer mixes two frames
                assert set(image["payload"]) == {image["frame"] - 1}
            assert session_of(one, live)._intake.replaced == 40 - len(seen)

    run(story())


def test_what_a_replaced_frame_changed_is_not_lost(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, params={"frame_secs": 0.2})
            await live.image(await live.send(np.zeros((SIDE, SIDE, 3), np.uint8)))
            await live.send(None)
            await asyncio.sleep(0.05)  # that one is being worked on; the next three meet in the bridge
            await live.send(PIXELS)
            await live.send(None, params={"gain": 0.5})
            last = await live.send(None, params={"frame_secs": 0.0})
            image = await live.image(last)
            assert image["payload"] == (PIXELS * np.float32(0.5)).astype(np.uint8).tobytes()

    run(story())


def test_a_generator_may_give_up_for_a_newer_frame_and_answer_roughly_first(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, params={"frame_secs": 20.0, "gives_up": True, "rough_first": True})
            await live.send()
            rough = await live.image(1)
            assert rough["rough"] and rough["width_px"] == SIDE // 2
            await live.send(None, params={"frame_secs": 0.0})
            full = await live.image(2)
            if full["rough"]:  # else the full one came soon enough to take its place
                full = await live.image(2)
            assert not full["rough"] and full["payload"] == PIXELS.tobytes()

    run(story())


def test_every_frame_is_given_up_for_a_newer_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me, params={"frame_secs": 100.0, "gives_up": True, "rough_first": True})
            for number in range(1, 6):
                await live.send()
                assert (await live.image(number))["rough"]

    run(story())


def test_frames_are_bounded_in_their_rate(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path, live_per_sec=20.0) as (one, me):
            live = await Live.open(me)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            last = 0
            while loop.time() - begun < 0.5:
                last = await live.send()
                await asyncio.sleep(0.002)
            await live.image(last)
            took = loop.time() - begun
            assert one.figures()["live_frames_total"] <= took * 20 + 2

    run(story())


def test_a_large_answer_and_a_large_frame_come_in_pieces(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            side = 1024
            pixels = np.random.default_rng(2).integers(0, 256, (side, side, 3), np.uint8)
            live = await Live.open(me, width_px=side, height_px=side)
            data, step = pixels.tobytes(), 800_000
            row = {"channel": "colour", "offset": 0, "size_bytes": len(data)}
            for offset in range(0, len(data), step):
                more = {"size_bytes": len(data), "pictures": [row]} if offset == 0 else {}
                await me.say("live.frame", data[offset : offset + step], live=live.id, frame=1, offset=offset, **more)
            got = bytearray()
            while len(got) < len(data):
                piece = await live.image(1)
                assert piece["offset"] == len(got) and piece["size_bytes"] == len(data)
                got += piece["payload"]
            assert bytes(got) == data

    run(story())


def test_jobs_go_on_beside_a_live_session(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            live = await Live.open(me, params={"frame_secs": 0.05})
            for number in range(3):
                await live.send()
                await me.say("job.submit", request_id=f"r{number}", generator="fake.script", seed=number)
                await me.hear_until("job.finished")
            await live.image(await live.send())
            await until(lambda: one.figures()["workers"] == 3)
            assert one.figures()["worker_deaths_total"] == 0

    run(story())


def test_limits_on_sessions(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path, live_sessions=3, live_per_client=2) as (one, me):
            open_one: dict[str, Any] = {"generator": "live.mirror", "width_px": 4, "height_px": 4}
            for number in range(2):
                await me.ask("live.open", "live.opened", request_id=f"r{number}", **open_one)
            refused = await me.ask("live.open", "live.opened", request_id="r2", **open_one)
            assert refused["code"] == "limit.live" and "this client has 2" in refused["message"]
            async with client(one.url, token=one.token) as other:
                await other.ask("live.open", "live.opened", request_id="r", **open_one)
                refused = await other.ask("live.open", "live.opened", request_id="r2", **open_one)
                assert refused["code"] == "limit.live" and "live_sessions" in refused["remedy"]

    run(story())


@pytest.mark.parametrize(
    ("generator", "fields", "code", "words"),
    [
        ("live.mirro", {}, "request.generator", "live.mirro"),
        ("fake.script", {}, "request.invalid", "does not work live"),
        ("live.huge", {}, "request.unavailable", "GPU memory"),
        ("live.mirror", {"params": {"gain": 9.0}}, "request.parameter", "<= 4"),
        ("live.mirror", {"inputs": {"picture": "0" * 64}}, "request.input", "no asset"),
        ("live.mirror", {"width_px": 5000}, "wire.invalid", "4096"),
    ],
)
def test_openings_that_are_refused(
    tmp_path: Path, generator: str, fields: dict[str, Any], code: str, words: str
) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (one, me):
            await until(lambda: one.figures()["workers_ready"])
            refused = await me.ask("live.open", "live.opened", request_id="r", generator=generator, **fields)
            assert (refused["type"], refused["code"], refused["request_id"]) == ("refused", code, "r")
            assert words in refused["message"] and not one._live.sessions
            refused = await me.ask("job.submit", "job.accepted", request_id="j", generator="live.mirror")
            assert refused["code"] == "request.invalid" and "live.open" in refused["remedy"]

    run(story())


def test_the_bridge_stops_with_a_session_open(tmp_path: Path) -> None:
    async def story() -> None:
        pids: list[int] = []
        async with opened(tmp_path) as (one, me):
            live = await Live.open(me, params={"frame_secs": 50.0})
            await live.send()
            pids += one._supervisor.pids()
            room, memory = one._live, session_of(one, live)._memory.path
        assert not room.sessions and not os.path.exists(memory)
        assert len(pids) >= 2 and not [pid for pid in pids if psutil.pid_exists(pid)]

    run(story())

"""Live sessions over a real socket with real workers: the newest wins, ends are true, jobs go on beside them."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bridge.app import Bridge
from bridge.live_session import LiveSession
from bridge.settings import checked
from generators.catalog import Catalog
from tests import fakes, live_fakes
from tests.bridge.served import Client, client
from tests.workplace import PATIENCE_SECS

SIDE = 16
PIXELS = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
EYE = [1.0, 0, 0, 7, 0, 1, 0, 8, 0, 0, 1, 9, 0, 0, 0, 1]


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            await work

    asyncio.run(limited())


@asynccontextmanager
async def opened(root: Path, **values: Any) -> AsyncIterator[tuple[Bridge, Client]]:
    settings = checked({"data_dir": str(root), "port": 0, "grace_secs": 0.5, "prepare": False, **values})
    catalog = Catalog.from_specs(*fakes.SPECS, *live_fakes.SPECS)
    bridge = Bridge(settings, catalog=catalog, workers=fakes.quick_workers(), announce=False)
    async with bridge as one, client(one.url, token=one.token) as me:
        yield one, me


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECS):
        while not condition():
            await asyncio.sleep(0.005)


class Live:
    """One live session as a client of maps and bytes sees it."""

    def __init__(self, me: Client, live: str) -> None:
        self.me, self.id, self.number = me, live, 0

    @classmethod
    async def open(cls, me: Client, generator: str = "live.mirror", *, ready: bool = True, **fields: Any) -> Live:
        request = {"request_id": os.urandom(4).hex(), "generator": generator, "width_px": SIDE, "height_px": SIDE}
        answer = await me.ask("live.open", "live.opened", **{**request, **fields})
        assert answer["type"] == "live.opened", answer
        live = cls(me, answer["live"])
        if ready:
            await live.state("ready")
        return live

    async def state(self, stage: str) -> dict[str, Any]:
        while True:
            message = await self.me.hear_until("live.state", "live.closed")
            assert message["type"] == "live.state", message
            if message["live"] == self.id and message["stage"] == stage:
                return message

    async def send(self, colour: np.ndarray[Any, Any] | None = PIXELS, **fields: Any) -> int:
        self.number += 1
        data = b"" if colour is None else colour.tobytes()
        pictures = [] if colour is None else [{"channel": "colour", "offset": 0, "size_bytes": len(data)}]
        message = {"frame": self.number, "pictures": pictures, "size_bytes": len(data), **fields}
        await self.me.say("live.frame", data, live=self.id, **message)
        return self.number

    async def image(self, frame: int = 0) -> dict[str, Any]:
        """The answer to that frame or a newer one."""
        while True:
            message = await self.me.hear_until("live.image", "live.closed", "refused")
            assert message["type"] == "live.image", message
            if message["frame"] >= frame:
                return message

    async def refused(self) -> dict[str, Any]:
        refused = await self.me.hear_until("refused")
        assert refused["request_id"] == self.id
        return refused

    async def close(self) -> dict[str, Any]:
        await self.me.say("live.close", live=self.id)
        return await self.me.hear_until("live.closed")


def session_of(one: Bridge, live: Live) -> LiveSession:
    return one._live.sessions[live.id]


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


def test_a_header_that_lies_about_its_payload_ends_no_connection(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as (_, me):
            live = await Live.open(me)
            await me.socket.send(b"\xce" + struct.pack(">I", 4000) + b"\x82")
            assert (await me.hear_until("refused"))["code"] == "wire.invalid"
            await live.image(await live.send())

    run(story())

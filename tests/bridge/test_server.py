from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from bridge.messages import (
    AssetRow,
    Deliver,
    JobFinished,
    JobNoted,
    JobPage,
    JobPreview,
    JobProduced,
    JobProgress,
    JobRow,
    JobState,
    Priority,
)
from bridge.server import WRITE_LIMIT_BYTES
from tests.bridge.served import TOKEN, Served, client, served
from tests.workplace import PATIENCE_SECS


def run(work: Coroutine[Any, Any, None]) -> None:
    """A test's whole life in a loop of its own, with a limit."""

    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_SECS):
            await work

    asyncio.run(limited())


async def settled(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.002)


def test_ping_pong_and_refusals_over_a_real_socket(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            assert await me.ask("ping", "pong", id=4) == {"type": "pong", "id": 4}
            refused = await me.ask("job.submit", "job.accepted", request_id="r", generator="no.such")
            assert (refused["code"], refused["path"], refused["request_id"]) == (
                "request.generator",
                "$.generator",
                "r",
            )
            await me.socket.send("text")
            assert (await me.hear())["code"] == "wire.invalid"
            assert await me.ask("ping", "pong", id=5) == {"type": "pong", "id": 5}

    run(story())


async def status_of(one: Served, headers: dict[str, str], **options: Any) -> int:
    options.setdefault("subprotocols", [Subprotocol("scenecast.v1")])
    try:
        async with connect(one.url, additional_headers=headers, proxy=None, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_the_gate_stands_before_the_upgrade(tmp_path: Path) -> None:
    async def story() -> None:
        good = {"Authorization": f"Bearer {TOKEN}"}
        token = [Subprotocol("scenecast.v1"), Subprotocol(f"scenecast.token.{TOKEN}")]
        async with served(tmp_path) as one:
            assert await status_of(one, good) == 101
            assert await status_of(one, {}) == 401
            assert await status_of(one, {"Authorization": f"Bearer {TOKEN[:-1]}"}) == 401
            assert await status_of(one, good, origin="https://evil.example") == 403
            assert await status_of(one, good, origin="null") == 403
            assert await status_of(one, {}, subprotocols=token) == 401
            assert await status_of(one, {}, subprotocols=token, origin="https://panel.example") == 101
            assert await status_of(one, good, origin="https://panel.example.evil") == 403
            assert await status_of(one, good, subprotocols=None) == 400
            assert one.counters.refused_handshakes_total == 6

    run(story())


async def plain(one: Served, path: str, *headers: str, method: str = "GET", host: str = "") -> tuple[int, str, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{one.port}'}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), head.lower(), body


def test_plain_requests_are_health_and_figures_alone(tmp_path: Path) -> None:
    async def story() -> None:
        bearer = f"Authorization: Bearer {TOKEN}"
        async with served(tmp_path) as one:
            status, head, body = await plain(one, "/healthz")
            assert (status, '"status": "ok"' in body, TOKEN in head + body) == (200, True, False)
            assert (await plain(one, "/healthz", host="evil.example"))[0] == 421
            assert (await plain(one, "/metrics"))[0] == 401
            status, head, body = await plain(one, "/metrics", bearer)
            assert status == 200
            assert "scenecast_refused_handshakes_total 2" in body
            assert (await plain(one, "/", bearer))[0] == 404
            assert (await plain(one, "/../../etc/passwd", bearer))[0] == 404
            assert (await plain(one, "/metrics", bearer, method="POST"))[0] == 405
            for path in ("/healthz", "/metrics", "/nothing"):
                assert "text/html" not in (await plain(one, path, bearer))[1]

    run(story())


def test_a_collection_is_answered_and_its_failure_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            answer = await me.ask("store.collect", "store.collected", request_id="r1", down_to_bytes=0)
            assert (answer["request_id"], answer["left_bytes"]) == ("r1", 4)
            refused = await me.ask("store.collect", "store.collected", request_id="r2", down_to_bytes=13)
            assert (refused["type"], refused["request_id"]) == ("refused", "r2")

    run(story())


def test_a_late_hello_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, hello_secs=0.05) as one, client(one.url, hello=False) as me:
            assert (await me.hear())["fatal"] is True
            with pytest.raises(ConnectionClosed):
                await me.hear()

    run(story())


def test_the_newest_connection_takes_the_session_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as first, client(one.url, session="s1") as second:
            assert (await first.hear_until("closing"))["reason"]
            with pytest.raises(ConnectionClosed):
                await first.hear()
            assert second.heard[0]["resumed"] is True
            one.jobs.happen("s1", JobNoted, text="for the second")
            assert (await second.hear())["text"] == "for the second"
            assert len(one.registry) == 1

    run(story())


def test_replay_comes_before_what_happens_now(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one:
            async with client(one.url):
                pass
            for number in range(300):
                one.jobs.happen("s1", JobNoted, text=str(number))
            async with client(one.url, hello=False) as me:
                await me.say("hello", protocol=1, client="test", session="s1", cursor=100)
                await me.hear_until("welcome")
                for number in range(300, 400):
                    one.jobs.happen("s1", JobNoted, text=str(number))
                heard = [await me.hear() for _ in range(300)]
                assert [event["seq"] for event in heard] == list(range(101, 401))
                assert [event["text"] for event in heard] == [str(number) for number in range(100, 400)]

    run(story())


def test_only_the_newest_preview_of_a_job_waits_and_none_follows_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            for number in range(50):
                preview = JobPreview(job_id="j1", width_px=1, height_px=1, media_type="image/raw")
                one.registry.tell("s1", preview, bytes([number, 0, 0]))
            one.registry.tell("s1", JobProgress(job_id="j2", fraction=0.5))
            one.jobs.happen("s1", JobFinished, "j2", assets=[])
            await me.say("ping", id=1)
            heard = [await me.hear() for _ in range(3)]
            assert sorted(message["type"] for message in heard) == ["job.finished", "job.preview", "pong"]
            newest = next(message for message in heard if message["type"] == "job.preview")
            assert newest["payload"] == bytes([49, 0, 0])

    run(story())


def test_a_local_client_gets_paths_and_a_remote_one_the_same_bytes(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            served(tmp_path) as one,
            client(one.url, disk_proof="the-proof") as near,
            client(one.url) as far,
        ):
            digest = await one.asset(700_000)
            files = await near.ask("asset.fetch", "asset.files", request_id="f", digest=digest, host="neutral")
            assert files["transfer"] == ""
            (row,) = files["files"]
            values = np.memmap(row["path"], row["dtype"], "r", row["offset"], tuple(row["shape"]))
            np.testing.assert_array_equal(values, np.load(row["path"]))
            remote = await far.ask("asset.fetch", "asset.files", request_id="f", digest=digest, host="neutral")
            assert remote["files"][0]["path"] is None
            (data,) = await far.take_files(remote)
            assert data == Path(row["path"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == row["sha256"]
            assert remote["provenance"] == {"generator": "test"}
            assert max(len(chunk.get("payload", b"")) for chunk in far.heard) == 256 << 10

    run(story())


def test_a_wish_brings_the_files_unasked_written_for_the_host(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            digest = await one.asset(40_000)
            one.jobs.wishes["j1"] = Deliver(host="blender")
            one.jobs.happen("s1", JobProduced, "j1", asset=AssetRow(digest=digest, kind="sound"), name="wind")
            files = await me.hear_until("asset.files")
            assert (files["job_id"], files["name"], files["host"]) == ("j1", "wind", "blender")
            data = await me.take_files(files)
            assert data[0][:4] == b"RIFF"
            assert [hashlib.sha256(part).hexdigest() for part in data] == [row["sha256"] for row in files["files"]]
            await me.ask("asset.fetch", "asset.files", request_id="f", digest=digest, host="blender")
            assert (one.counters.exports_total, one.counters.export_cache_hits_total) == (1, 1)

    run(story())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"digest": "0" * 64, "host": "neutral"}, "request.asset"),
        ({"digest": "0" * 64, "host": "blender"}, "request.asset"),
        ({"host": "maya"}, "request.host"),
        ({"host": "web", "formats": {"sound": "png"}}, "request.format"),
        ({"host": "web", "formats": {"smell": "png"}}, "request.format"),
        ({"host": "neutral", "formats": {"sound": "wav"}}, "request.format"),
    ],
)
def test_what_cannot_be_fetched_is_refused_in_words(tmp_path: Path, fields: dict[str, Any], code: str) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            digest = await one.asset()
            asked = {"request_id": "f", "digest": digest, **fields}
            refused = await me.ask("asset.fetch", "asset.files", **asked)
            assert (refused["code"], refused["request_id"]) == (code, "f")
            assert refused["message"]

    run(story())


def test_chunks_stop_without_credit_and_go_on_with_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            digest = await one.asset(6 << 20)
            await me.ask("asset.fetch", "asset.files", request_id="f", digest=digest, host="neutral")
            for number in range(8):
                assert (await me.hear())["offset"] == number << 18
            await me.ask("ping", "pong", id=1)
            await asyncio.sleep(0.05)
            await me.ask("ping", "pong", id=2)
            assert [message["type"] for message in me.heard[-2:]] == ["pong", "pong"]
            await me.say("asset.credit", size_bytes=256 << 10)
            assert (await me.hear())["offset"] == 8 << 18
            refused = await me.ask("asset.credit", "refused", size_bytes=1 << 30)
            assert refused["code"] == "request.invalid"

    run(story())


def test_every_chunk_follows_its_announcement_and_answers_come_in_between(tmp_path: Path) -> None:
    """Many files at a time, asked for while others arrive: nothing overtakes what tells of it."""

    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            digests = [await one.asset(size << 20) for size in (5, 3, 1)]
            asked, ponged, waiting = 0, 0, 0
            left: dict[str, int] = {}
            got: dict[tuple[str, int], int] = {}
            while asked < 12 or waiting or any(left.values()) or ponged < 12:
                if asked < 12:
                    await me.say("asset.fetch", request_id=f"f{asked}", digest=digests[asked % 3], host="neutral")
                    await me.say("ping", id=asked)
                    asked, waiting = asked + 1, waiting + 1
                message = await me.hear()
                if message["type"] == "asset.files":
                    waiting -= 1
                    left[message["transfer"]] = sum(row["size_bytes"] for row in message["files"])
                elif message["type"] == "asset.chunk":
                    part = (message["transfer"], message["file"])
                    assert message["transfer"] in left, "a chunk of a transfer that was not announced"
                    assert message["offset"] == got.get(part, 0)
                    got[part] = message["offset"] + len(message["payload"])
                    left[message["transfer"]] -= len(message["payload"])
                    await me.say("asset.credit", size_bytes=len(message["payload"]))
                elif message["type"] == "pong":
                    assert message["id"] == ponged
                    ponged += 1
            assert len(left) == 12

    run(story())


def test_transfers_take_turns_and_can_be_stopped(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            digests = {"long": await one.asset(64 << 20), "short": await one.asset(1 << 20)}
            for name, digest in digests.items():
                await me.say("asset.fetch", request_id=name, digest=digest, host="neutral")
            transfers: dict[str, str] = {}
            left, passed = 1, 0
            while left:  # every chunk earns its credit, whoever it is for: one without would stall both in the end
                message = await me.hear()
                if message["type"] == "asset.files":
                    transfers[message["request_id"]] = message["transfer"]
                    if message["request_id"] == "short":
                        left, passed = sum(row["size_bytes"] for row in message["files"]), 0
                elif message["type"] == "asset.chunk":
                    await me.say("asset.credit", size_bytes=len(message["payload"]))
                    if message["transfer"] == transfers.get("short"):
                        left -= len(message["payload"])
                    else:
                        passed += len(message["payload"])
            assert passed < 16 << 20
            await me.say("asset.stop", transfer=transfers["long"])
            await me.ask("ping", "pong", id=1)
            while (await me.ask("ping", "pong", id=2))["type"] != "pong":
                pass
            assert not [connection for connection in one.registry._by_session.values() if not connection.outbox.idle]

    run(story())


def test_an_upload_is_cut_off_goes_on_and_becomes_an_asset(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one:
            async with client(one.url) as me:
                digest = await one.asset(3_000_000)
                files = await me.ask("asset.fetch", "asset.files", request_id="f", digest=digest, host="blender")
                (data,) = await me.take_files(files)
            data = data[:-2] + b"\x01\x02"
            name = hashlib.sha256(data).hexdigest()
            offer: dict[str, Any] = {
                "digest": name,
                "size_bytes": len(data),
                "media_type": "audio/wav",
                "name": "mine.wav",
            }
            async with client(one.url) as me:
                state = await me.ask("upload.offer", "upload.state", request_id="u", **offer)
                assert (state["done"], state["offset"]) == (False, 0)
                for offset in range(0, 4 << 18, 1 << 18):
                    chunk = data[offset : offset + (1 << 18)]
                    await me.say("upload.chunk", chunk, upload=state["upload"], offset=offset)
                await settled(lambda: (tmp_path / "uploads" / name).stat().st_size == 4 << 18)
            async with client(one.url) as me:
                state = await me.ask("upload.offer", "upload.state", request_id="u", **offer)
                assert state["offset"] == 4 << 18
                wrong = await me.ask("upload.chunk", "upload.state", data[:10], upload=state["upload"], offset=0)
                assert (wrong["code"], wrong["path"]) == ("request.invalid", "$.offset")
                for offset in range(4 << 18, len(data), 1 << 18):
                    chunk = data[offset : offset + (1 << 18)]
                    await me.say("upload.chunk", chunk, upload=state["upload"], offset=offset)
                done = await me.hear_until("upload.state", "refused")
                assert (done["done"], done["asset"]["kind"]) == (True, "sound")
                again = await me.ask("upload.offer", "upload.state", request_id="v", **offer)
                assert (again["done"], again["asset"]) == (True, done["asset"])
            assert one.store.path(name).read_bytes() == data
            assert not list((tmp_path / "uploads").iterdir())

    run(story())


def test_bytes_that_are_not_what_was_offered_are_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            offer: dict[str, Any] = {"digest": "ab" * 32, "size_bytes": 4, "media_type": "image/png"}
            state = await me.ask("upload.offer", "upload.state", request_id="u", **offer)
            refused = await me.ask("upload.chunk", "upload.state", b"abcd", upload=state["upload"], offset=0)
            assert refused["code"] == "request.input"
            assert not list((tmp_path / "uploads").iterdir())
            assert not one.store.has("ab" * 32)

    run(story())


def test_a_client_that_never_reads_is_given_up_and_holds_little(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, stall_secs=0.3) as one, client(one.url) as healthy:
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1 << 12)
            key = "dGhlIHNhbXBsZSBub25jZQ=="
            writer.write(
                f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{one.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: scenecast.v1\r\n"
                f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            hello = b"\x83\xa4type\xa5hello\xa8protocol\x01\xa6client\xa1c"
            writer.write(bytes([0x82, 0x80 | len(hello), 0, 0, 0, 0]) + hello)
            await settled(lambda: len(one.registry) == 2)
            connection = one.registry._by_session["s2"]
            most = 0
            while "s2" in one.registry:
                for number in range(50):
                    preview = JobPreview(job_id=f"j{number}", width_px=1, height_px=1, media_type="image/raw")
                    one.registry.tell("s2", preview, bytes(500_000))
                    one.jobs.happen("s2", JobNoted, text="x" * 10_000)
                most = max(most, connection.outbox.held_bytes)
                await healthy.ask("ping", "pong", id=1)
            assert most < 8 << 20
            assert one.counters.stalled_clients_total == 1
            writer.close()

    run(story())


def test_a_client_that_is_cut_off_while_its_requests_wait_for_it_to_read_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one:
            async with client(one.url) as me:
                connection = one.registry._by_session["s1"]
                row = AssetRow(digest="0" * 64, kind="image", name="n" * 256, size_bytes=1)
                job = JobRow(
                    job_id="j", request_id="r", generator="a.b", state=JobState.FINISHED,
                    priority=Priority.FINAL, params={},
                    created=1.0, assets=[row] * 1000,
                )  # fmt: skip
                one.jobs.page_answer = JobPage(request_id="", jobs=[job, job])
                there = one.server._open[connection].transport
                me.socket.transport.pause_reading()
                while connection.outbox.has_room or there.get_write_buffer_size() < WRITE_LIMIT_BYTES:
                    if connection.outbox.has_room:
                        await me.say("job.list", request_id="r")
                    await asyncio.sleep(0)
                me.socket.transport.abort()
            await settled(lambda: not one.registry and not one.server._open)

    run(story())


def test_stopping_says_goodbye(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as one, client(one.url) as me:
            await one.server.stop("the bridge stops", 5.0)
            assert (await me.hear_until("closing"))["reason"] == "the bridge stops"
            with pytest.raises(ConnectionClosed):
                await me.hear()

    run(story())

"""The client on a real socket against the scripted bridge: the pleasant path, and every way it can break."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge import wire
from python_client import (
    Client,
    ConnectionFailed,
    HandshakeRefused,
    JobCancelled,
    JobFailed,
    Refused,
    ScenecastError,
    TransferFailed,
    Unreachable,
    WaitTimeout,
    connect,
    connection,
    events,
    transfers,
)
from python_client.frames import encode
from python_client.testing import CHUNK_BYTES, FakeBridge, Hold, Made, Says, Step, echo
from python_client.transport import Transport, parse_url

LARGE = random.Random(1).randbytes(6_000_000)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_SECS", (0.005, 0.02))


def large(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Made("mesh", {"a.bin": LARGE, "empty.bin": b"", "b.bin": b"small"})


def until(client: Client, condition: Callable[[], bool], secs: float = 120.0) -> None:
    client.drive(condition, secs, "the test's condition")


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as scenecast:
        assert str(scenecast.state) == "connected"
        assert [row.id for row in scenecast.generators] == ["test.echo"]
        job = scenecast.submit("test.echo", text="hello", host="unreal")
        told = list(job)
        assert [type(event) for event in told if not isinstance(event, (events.Progress, events.Preview))] == [
            events.Queued, events.Started, events.Noted, events.Produced, events.Finished
        ]  # fmt: skip
        assert job.state == "finished" and job.fraction == 1.0 and job.notes == ["an echo"] and job.seed == 7
        assert job.preview is not None and job.preview.data == b"\xff\0\0"
        assert all(str(event) for event in told)
        [path] = job.result().save(tmp_path / "out")
        assert json.loads(Path(path).read_text()) == {"text": "hello"}
        scenecast.rate(job, 1, tags=["keep"])
        [row] = scenecast.jobs()
        assert row.job_id == job.id and row.assets == job.assets
        assert scenecast.refresh() == scenecast.generators
        assert 0 < scenecast.ping() < 5
        assert scenecast.submit("test.echo", label="next").wait(120) == "finished"


def test_everything_said_is_what_the_bridge_declares(tmp_path: Path) -> None:
    """Every message of a session that does all there is to do, decoded by the bridge's own strict decoder."""
    (tmp_path / "photo.jpg").write_bytes(b"x" * 600_000)
    with FakeBridge() as bridge, connect(bridge.url, bridge.token, host="blender", host_version="4.5") as client:
        row = client.upload(tmp_path / "photo.jpg")
        job = client.submit("test.echo", {"text": "a"}, inputs={"exemplar": row, "other": tmp_path / "photo.jpg"},
                            formats={"image": "png"}, seed=3, priority="live", label="l", fresh=True)  # fmt: skip
        job.result()
        client.fetch(job.assets[0], "unreal", {"image": "png"})
        client.rate(job, -1)
        client.jobs(states=["finished"], any_owner=True)
        client.refresh()
        client.ping()
        job.cancel()
        client.cancel(job.id, any_owner=True)
        with pytest.raises(Refused, match="no such asset"):
            client.fetch("0" * 64)
        said = list(bridge.received)
        assert bridge.received[0]["host"] == "blender"
    kinds = {message["type"] for message in said}
    assert kinds >= {"hello", "job.submit", "job.list", "job.rate", "asset.fetch", "upload.offer", "upload.chunk",
                     "catalog.get", "ping", "asset.credit"}  # fmt: skip
    for message in said:
        wire.decode_client(encode(message, b"x" if message["type"] == "upload.chunk" else b""))


@pytest.mark.parametrize("window_bytes", [1, 300_000, 1 << 20, 9 << 20])
def test_files_arrive_through_a_window_of_any_size(window_bytes: int) -> None:
    with FakeBridge(large, window_bytes=window_bytes) as bridge, connect(bridge.url, bridge.token) as client:
        result = client.submit("test.echo").result(120)
        assert result.file("a").read() == LARGE and result.file("b").read() == b"small"


def test_files_arrive_whole_in_memory_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "IN_MEMORY_BYTES", len(LARGE) - 1)
    with FakeBridge(large) as bridge, connect(bridge.url, bridge.token) as client:
        result = client.submit("test.echo").result(120)
        assert result.file("a").read() == LARGE and result.file("a").path
        assert result.file("b.bin").read() == b"small" and not result.file("b").path
        assert result.file("empty").read() == b""
        saved = result.save(tmp_path)
        assert sorted(Path(path).name for path in saved) == ["a.bin", "b.bin", "empty.bin"]
        assert (tmp_path / "a.bin").read_bytes() == LARGE
        kept = Path(result.file("a").path)
        with pytest.raises(ScenecastError, match="no file 'nothing'"):
            result.file("nothing")
    assert not kept.exists(), "the client's own folder goes with it"


def test_a_shared_disk_hands_over_paths(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with FakeBridge(large, share_disk=str(store)) as bridge, connect(bridge.url, bridge.token) as client:
        result = client.submit("test.echo").result(120)
        assert Path(result.file("a").path).parent == store and result.file("a").view() == LARGE
        result.save(tmp_path / "out")
        assert (tmp_path / "out" / "a.bin").read_bytes() == LARGE
        assert Path(result.file("a").path).exists(), "the bridge's own file stays where it is"


@pytest.mark.parametrize(("verify", "local"), [(True, True), (True, False), (None, False)])
def test_bytes_that_are_not_the_announced_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch, verify: bool | None, local: bool
) -> None:
    monkeypatch.setattr(Transport, "local", local)
    with FakeBridge(large) as bridge, connect(bridge.url, bridge.token, verify=verify) as client:
        monkeypatch.setattr(transfers, "hashlib", SimpleNamespace(sha256=hashlib.blake2s))
        with pytest.raises(TransferFailed, match="damaged"):
            client.submit("test.echo").result(120)


@pytest.mark.parametrize(("verify", "local"), [(None, True), (False, True), (False, False)])
def test_bytes_of_this_machine_are_hashed_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, verify: bool | None, local: bool
) -> None:
    monkeypatch.setattr(Transport, "local", local)
    with FakeBridge(large) as bridge, connect(bridge.url, bridge.token, verify=verify) as client:
        monkeypatch.setattr(transfers, "hashlib", SimpleNamespace())
        assert client.submit("test.echo").result(120).file("a").read() == LARGE


@pytest.mark.parametrize(("url", "local"), [("ws://127.0.0.1:1", True), ("wss://192.0.2.1:1", False)])
def test_a_transport_knows_whether_bytes_leave_this_machine(url: str, local: bool) -> None:
    assert Transport(parse_url(url)).local is local


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "con", "NUL.txt", "a\\b", "c:d", "x\0", "dot."])
def test_a_file_name_cannot_leave_its_folder(name: str) -> None:
    with (
        FakeBridge(lambda message: [Made("image", {name: b"x"})]) as bridge,
        connect(bridge.url, bridge.token) as client,
        pytest.raises(TransferFailed, match="no plain file name"),
    ):
        client.submit("test.echo").result(120)


def failing(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Says("job.failed", {"code": "run.failed", "message": "no water", "remedy": "Add water."})


def test_a_failure_is_told_with_its_remedy() -> None:
    with FakeBridge(failing) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.echo")
        with pytest.raises(JobFailed, match="no water\nAdd water") as failed:
            job.result(120)
        assert failed.value.code == "run.failed" and job.state == "failed"


def held(message: Mapping[str, Any]) -> Iterator[Step]:
    yield Hold()
    yield from echo(message)


def test_cancel_ends_a_job_and_only_it() -> None:
    with FakeBridge(held) as bridge, connect(bridge.url, bridge.token) as client:
        first, second = client.submit("test.echo"), client.submit("test.echo")
        until(client, lambda: first.state == second.state == "running")
        first.cancel()
        with pytest.raises(JobCancelled):
            first.result(120)
        assert second.state == "running"
        bridge.release()
        assert second.wait(120) == "finished"


def test_cancel_before_the_bridge_heard_of_it() -> None:
    client = Client("ws://127.0.0.1:9", "t")
    job = client.submit("test.echo")
    assert job.state == "submitting"
    job.cancel()
    assert job.state == "cancelled" and client.bookmark()["submits"] == []
    client.close()


def test_waiting_has_an_end() -> None:
    with FakeBridge(held) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.echo")
        with pytest.raises(WaitTimeout, match=r"longer than 0\.1 s"):
            job.wait(0.1)
        bridge.release()
        assert job.wait(120) == "finished"


def test_uploads_are_sent_once(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(3_000_000)
    (tmp_path / "photo.jpg").write_bytes(data)
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as client:
        row = client.upload(tmp_path / "photo.jpg")
        assert row.digest == hashlib.sha256(data).hexdigest() and bridge.uploads[row.digest] == data
        again = client.start_upload(data, name="other.jpg")
        until(client, lambda: again.done)
        assert again.skipped and again.value == row
        assert sum(message["type"] == "upload.chunk" for message in bridge.received) == 12
        with pytest.raises(ScenecastError, match="cannot be read"):
            client.upload(tmp_path / "absent.jpg")
        with pytest.raises(Refused, match="of no known format"):
            client.upload(b"refused" + data[:400_000], timeout_secs=120)
        assert not client.protocol.uploads


# ------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize("seed", range(6))
def test_cut_at_random_bytes_nothing_is_lost_or_doubled(seed: int) -> None:
    """Connections that break after 200 to 400 000 bytes, until two dozen jobs and an upload got through."""
    chance = random.Random(seed)
    data = chance.randbytes(900_000)

    def script(message: Mapping[str, Any]) -> Iterator[Step]:
        number = message["params"]["number"]
        yield Says("job.noted", {"text": f"note {number}"})
        yield Made("image", {"n.txt": str(number).encode(), "data.bin": bytes([number]) * 20_000}, name=f"n{number}")

    first = [200, 900, 3_000, 3_000, 20_000, 20_000, 60_000]
    chance.shuffle(first)

    def limit() -> int:
        return first.pop() if first else chance.choice([900, 20_000, 100_000, 400_000])

    with FakeBridge(script, cut_after=limit) as bridge, contextlib.closing(Client(bridge.url, bridge.token)) as client:
        upload = client.start_upload(data)
        jobs = [client.submit("test.echo", number=number) for number in range(24)]
        results: dict[int, Any] = {}
        end = time.monotonic() + 120
        while len(results) < len(jobs) or not upload.done:
            assert time.monotonic() < end, (client.state, jobs)
            if not client.pump(0.01):
                client.connection.wait(0.01)
            for number, job in enumerate(jobs):
                if job.state == "finished" and number not in results:
                    replies = client.deliver(job)
                    if all(reply.done for reply in replies):
                        results[number] = job.result(0.1)
        assert bridge.connections > 5, "the test is about broken connections"
        assert len(bridge.jobs) == len(jobs), "a job was submitted twice"
        for number, job in enumerate(jobs):
            assert job.notes == [f"note {number}"]
            assert [event.seq for event in job.durable] == sorted({event.seq for event in job.durable})
            kinds = [type(event).__name__ for event in job.durable]
            assert kinds == ["JobQueued", "JobStarted", "JobNoted", "JobProduced", "JobFinished"]
            assert results[number].file("n").read() == str(number).encode()
            assert results[number].file("data").read() == bytes([number]) * 20_000
        assert upload.value.digest == hashlib.sha256(data).hexdigest() and bridge.uploads[upload.digest] == data


def test_everything_works_byte_by_byte() -> None:
    with FakeBridge(piece_bytes=1) as bridge, connect(bridge.url, bridge.token) as client:
        assert client.submit("test.echo", text="slow").result(120).files[0].read() == b'{"text": "slow"}'


def test_a_program_that_restarts_goes_on_from_its_bookmark() -> None:
    with FakeBridge(held) as bridge:
        with connect(bridge.url, bridge.token) as client:
            job = client.submit("test.echo", text="kept", host="unreal", label="mine")
            until(client, lambda: job.state == "running")
            late = client.submit("test.echo", text="never sent", host="unreal")
            bookmark = json.loads(json.dumps(client.bookmark()))
        assert late.state == "submitting"
        bridge.release()
        with connect(bridge.url, bridge.token, bookmark=bookmark) as client:
            assert client.protocol.welcome is not None and client.protocol.welcome.resumed
            jobs = {job.params["text"]: job for job in client.open_jobs}
            assert jobs.keys() == {"kept", "never sent"} and jobs["kept"].label == "mine"
            assert jobs["kept"].result(120).files[0].read() == b'{"text": "kept"}'
            until(client, lambda: jobs["never sent"].state == "running")
            bridge.release()
            assert jobs["never sent"].result(120).files[0].read() == b'{"text": "never sent"}'
            assert len(bridge.jobs) == 2


def test_a_bridge_that_forgot_the_session_is_noticed() -> None:
    with FakeBridge(held) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.echo")
        until(client, lambda: job.state == "running")
        bridge.forget()
        bridge.cut()
        with pytest.raises(JobFailed, match="no longer knows"):
            job.result(120)


def test_a_bridge_that_comes_back_is_found_again() -> None:
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as client:
        bridge.cut()
        until(client, lambda: client.state.status != "connected")
        assert client.state.cause and client.state.status in ("waiting", "connecting")
        client.wait_connected(120)
        assert client.state.cause == "" and bridge.connections >= 2


def test_silence_is_noticed_and_a_late_pump_is_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as client:
        later = now + 100 * connection.QUIET_SECS  # the host was busy: not the bridge's fault
        monkeypatch.setattr(client.connection, "_clock", lambda: later)
        client.pump(0.01)
        assert client.state.status == "connected"
        until(client, lambda: client.protocol.ponged > 0)
        assert bridge.connections == 1


def test_refusals_are_in_words() -> None:
    with FakeBridge() as bridge:
        with pytest.raises(HandshakeRefused, match="not the one of this run") as refused:
            connect(bridge.url, "wrong")
        assert refused.value.status == 401 and "scenecast token" in refused.value.remedy
    with pytest.raises(Unreachable, match=r"nothing answers at 127\.0\.0\.1:9 "):
        connect("ws://127.0.0.1:9", "t")
    with pytest.raises(ScenecastError, match="unencrypted"):
        connect("ws://192.168.0.9:7263", "t")
    with pytest.raises(ScenecastError, match="no bridge address"):
        connect("http://127.0.0.1", "t")
    client = Client("ws://127.0.0.1:9", "t")
    client.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        client.wait_connected()


def test_a_message_that_the_protocol_does_not_know_ends_the_connection() -> None:
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as client:
        session = client.protocol.session
        bridge.say(session, {"type": "job.dance"})
        with pytest.raises(ScenecastError, match=r"'job\.dance' is no message"):
            until(client, lambda: False)


def test_a_gap_in_the_events_is_healed_by_asking_again() -> None:
    with FakeBridge() as bridge, connect(bridge.url, bridge.token) as client:
        session = client.protocol.session
        with bridge.lock:
            for number in (1, 2):
                event = {"type": "job.noted", "seq": number, "job_id": "job-9", "time": 1.0, "text": str(number)}
                bridge.sessions[session].append(event)
        bridge.say(session, bridge.sessions[session][1])
        job = client.protocol.jobs.named("job-9")
        deadline = time.monotonic() + 120
        while job.notes != ["1", "2"]:
            assert time.monotonic() < deadline
            client.pump(0.01)
        assert bridge.connections == 2


# --------------------------------------------------------------------------------------------- pump


def test_pump_never_waits_and_keeps_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBridge(large) as bridge, connect(bridge.url, bridge.token) as client:
        ticks, steps, step = itertools.count(), [0], client.connection.step
        clock = SimpleNamespace(perf_counter=lambda: next(ticks), monotonic=time.monotonic)
        monkeypatch.setattr("python_client.client.time", clock)  # every look at it costs a second

        def counted() -> bool:
            steps[-1] += 1
            return step()

        monkeypatch.setattr(client.connection, "step", counted)
        job = client.submit("test.echo")
        while not (job.over and all(reply.done for reply in client.deliver(job))):
            steps.append(0)
            client.pump(3)
            time.sleep(0.001)
        assert 0 < max(steps) <= 3, "and no step takes more than a portion"
        assert client.pump(5.0) is False, "an idle pump returns at once"


def test_a_client_that_is_never_pumped_costs_the_bridge_only_its_credit() -> None:
    with FakeBridge(large) as bridge, connect(bridge.url, bridge.token) as client:
        client.submit("test.echo")
        client.pump(0.05)
        (line,) = bridge._lines.values()
        end = time.monotonic() + 120
        while line._credit >= CHUNK_BYTES:  # the bridge sends for as long as it may
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.2)
        assert 0 <= line._credit < CHUNK_BYTES


def test_no_thread_is_started() -> None:
    before = threading.active_count()
    client = Client("ws://127.0.0.1:9", "t")
    client.pump(0.01)
    assert threading.active_count() == before
    client.close()

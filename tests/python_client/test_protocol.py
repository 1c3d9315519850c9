"""The conversation without a socket, fed with frames of the bridge's own encoder."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import messages, wire
from python_client import Refused
from python_client.protocol import Protocol

DIGEST = "0" * 64


def welcomed(**limits: int) -> Protocol:
    protocol = Protocol(None, client="test")  # type: ignore[arg-type]
    protocol.begin()
    hear(protocol, messages.Welcome(
        protocol=1, server="test", session="s", resumed=False, shares_disk=False, limits=messages.Limits(**limits),
        generators=[], hosts=[], seq=0,
    ))  # fmt: skip
    return protocol


def hear(protocol: Protocol, message: messages.BridgeMessage, payload: bytes = b"") -> None:
    protocol.receive(memoryview(wire.encode(message, payload)))


def files(size_bytes: int, **fields: Any) -> messages.AssetFiles:
    row = messages.FileRow(name="a.bin", role="a", media_type="m", size_bytes=size_bytes, sha256=DIGEST)
    return messages.AssetFiles(digest=DIGEST, kind="image", host="web", files=[row], **fields)


def test_a_transfer_that_breaks_off_in_the_bridge_is_the_end_of_its_fetch() -> None:
    protocol = welcomed()
    reply = protocol.fetch(DIGEST, "web", {})
    [request_id] = [ask["request_id"] for ask in protocol.requests.messages()]
    hear(protocol, files(1000, request_id=request_id, transfer="t1"))
    hear(protocol, messages.AssetChunk(transfer="t1", file=0, offset=0), b"x" * 400)
    hear(protocol, messages.Refused(request_id="t1", code="store.damaged", message="the file has become shorter"))
    assert reply.done and not protocol.transfers.active and not len(protocol.requests)
    with pytest.raises(Refused, match="shorter"):
        _ = reply.value
    assert not protocol.refusals


@pytest.mark.parametrize("path", ["$.job_id", "$.action"])
def test_what_is_said_of_a_job_too_late_does_not_end_the_delivery_of_its_files(path: str) -> None:
    protocol = welcomed()
    job = protocol.submit({"generator": "a.b"}, host="web", formats={})
    hear(protocol, messages.JobAccepted(request_id=job.request_id, job_id="j", state=messages.JobState.QUEUED, seed=1))
    asset = messages.AssetRow(digest=DIGEST, kind="image", name="n", size_bytes=1000)
    hear(protocol, messages.JobProduced(seq=1, job_id="j", time=1.0, asset=asset))
    protocol.cancel(job)
    hear(protocol, messages.JobFinished(seq=2, job_id="j", time=1.0, assets=[asset]))
    hear(protocol, messages.Refused(request_id="j", code="request.invalid", message="the job is over", path=path))
    assert not job.deliveries[DIGEST].done and len(protocol.refusals) == 1
    hear(protocol, messages.Refused(request_id="j", code="limit.store", message="the disk is full"))
    assert isinstance(job.deliveries[DIGEST].error, Refused), "though a cancel had been wished for"


def test_a_transfer_of_unasked_files_that_breaks_off_is_told_to_its_job() -> None:
    protocol = welcomed()
    job = protocol.submit({"generator": "a.b"}, host="web", formats={})
    hear(protocol, messages.JobAccepted(request_id=job.request_id, job_id="j", state=messages.JobState.QUEUED, seed=1))
    asset = messages.AssetRow(digest=DIGEST, kind="image", name="n", size_bytes=1000)
    hear(protocol, messages.JobProduced(seq=1, job_id="j", time=1.0, asset=asset))
    hear(protocol, files(1000, job_id="j", transfer="t1"))
    hear(protocol, messages.Refused(request_id="t1", code="store.damaged", message="the file is gone"))
    assert isinstance(job.deliveries[DIGEST].error, Refused)
    protocol.lost()
    assert not len(protocol.requests), "what was refused is not asked for again by itself"


def test_a_connection_that_is_lost_in_the_midst_of_a_chunk_lets_go_of_its_memory() -> None:
    protocol, size = welcomed(), 6 << 20
    reply = protocol.fetch(DIGEST, "web", {})
    [request_id] = [ask["request_id"] for ask in protocol.requests.messages()]
    hear(protocol, files(size, request_id=request_id, transfer="t1"))
    whole = wire.encode(messages.AssetChunk(transfer="t1", file=0, offset=0), b"x" * (256 << 10))
    assert protocol.divert(memoryview(whole)[:1000], len(whole)) is not None
    protocol.lost()
    reply.partial = None
    memory = protocol.spool.memory
    assert memory.unused_bytes == 0 and not memory._blocks, "nothing is kept for a bridge that may never come back"
    assert not protocol._placed, "no view of it either"


def test_a_placed_chunk_is_forgotten_once_it_is_heard() -> None:
    protocol, body = welcomed(), bytes(range(256)) * 1024
    protocol._verify = False
    reply = protocol.fetch(DIGEST, "web", {})
    [request_id] = [ask["request_id"] for ask in protocol.requests.messages()]
    hear(protocol, files(2 * len(body), request_id=request_id, transfer="t1"))
    for number in range(2):
        whole = wire.encode(messages.AssetChunk(transfer="t1", file=0, offset=number * len(body)), body)
        begun = memoryview(whole)[:1000]
        rest = protocol.divert(begun, len(whole))
        assert rest is not None
        rest[:] = memoryview(whole)[1000:]
        protocol.receive(begun, rest)
        assert not protocol._placed
    assert reply.done and bytes(reply.value.files[0].data or b"") == 2 * body

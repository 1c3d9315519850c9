"""The client's copy of a growing cloud: against a plain model, through cuts, skipped versions, bytes and paths."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_client import Client, Growth, Refused, TransferFailed, connect, events
from python_client.growing import HEADER, Delta, GrowingCloud
from python_client.jobs import Job
from python_client.messages import GrowthFiles, JobGrown
from python_client.testing import FakeBridge, Hold, Made, Step
from python_client.testing_growth import FakeGrowth, Grows
from python_client.watches import Watches


def row(value: float, stride: int = 14) -> tuple[float, ...]:
    return tuple(np.float32(value + index).item() for index in range(stride))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[int, tuple[float, ...]]]:
    """Versions of a small cloud: slots come, change, go and come again; the rows may get longer once."""
    versions, stride = [], draw(st.sampled_from([14, 23]))
    for _ in range(draw(st.integers(1, 7))):
        slots = draw(st.sets(st.integers(0, 9), max_size=10))
        versions.append({slot: row(draw(st.integers(0, 2)), stride) for slot in slots})
    return versions


def told(growth: FakeGrowth, cloud: GrowingCloud) -> tuple[GrowthFiles, bytes]:
    ask = {"request_id": "r", "job_id": "j", "stream": cloud.stream, "have": cloud.version}
    head, data = growth.answer(ask)
    head.pop("type")
    return GrowthFiles(**head), data


def held(cloud: GrowingCloud) -> dict[int, tuple[float, ...]]:
    rows = np.asarray(cloud.rows).reshape(cloud.slots, cloud.stride)
    live = np.asarray(cloud.live)
    assert not rows[live == 0].any(), "a free slot is a row of zeros"
    return {slot: tuple(rows[slot].tolist()) for slot in np.nonzero(live)[0].tolist()}


@given(histories(), st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_skipped_or_cut_the_cloud_ends_as_the_newest_version(
    versions: list[dict[int, tuple[float, ...]]], data: st.DataObject
) -> None:
    growth, cloud = FakeGrowth(), GrowingCloud()
    for index, version in enumerate(versions):
        growth.grow(Grows(version, final=index == len(versions) - 1))
        if data.draw(st.booleans(), label="asks now"):
            message, file = told(growth, cloud)
            if file:
                stop = data.draw(st.integers(0, len(file)), label="cut after")
                _feed(Delta(cloud, message), file[:stop], data.draw(st.integers(1, 200), label="piece"))
    message, file = told(growth, cloud)
    if file:
        delta = Delta(cloud, message)
        _feed(delta, file, 37)
        assert delta.done
    assert held(cloud) == {slot: tuple(values) for slot, values in versions[-1].items()}
    assert (cloud.version, cloud.count, cloud.final) == (len(versions), len(versions[-1]), True)
    in_order = [tuple(one) for one in np.asarray(cloud.in_order()).reshape(cloud.count, cloud.stride).tolist()]
    assert sorted(in_order) == sorted(versions[-1].values())


def _feed(delta: Delta, data: bytes, piece: int) -> None:
    for at in range(0, len(data), piece):
        delta.feed(memoryview(data)[at : at + piece])


def test_a_sketch_is_shown_until_its_slots_come_and_then_nothing_is_left_of_it() -> None:
    growth, cloud = FakeGrowth(), GrowingCloud()
    growth.grow(Grows({slot: row(8 - slot) for slot in range(8)}))
    message, file = told(growth, cloud)
    first = HEADER.size + 2 * (12 + 4 * 14)
    delta = Delta(cloud, message)
    assert not delta.feed(memoryview(file)[: first - 1])
    assert delta.feed(memoryview(file)[first - 1 : first]) and cloud.version == 0
    shown, true = held(cloud), dict(growth.rows)
    assert sorted(shown) == [3, 7]
    for slot, values in shown.items():
        plain = struct.unpack("<14f", true[slot])
        assert values[7:10] == tuple(np.float32(3 * value) for value in plain[7:10]) and values[:7] == plain[:7]
    delta.feed(memoryview(file)[first:])
    assert delta.done and held(cloud) == {slot: struct.unpack("<14f", data) for slot, data in true.items()}
    growth.grow(Grows({slot: row(9 - slot) for slot in range(8)}))
    whole = growth.file(0)  # as it lies on a shared disk
    moment = Delta(cloud, replace(told(growth, cloud)[0], size_bytes=len(whole)))
    moment.feed(memoryview(whole)[:first])
    assert held(cloud)[3] == struct.unpack("<14f", true[3]), "who has a version is not shown the sketch of the next"
    moment.feed(memoryview(whole)[first:])
    assert moment.done and held(cloud)[3] == row(6)


def test_the_rows_are_seen_by_numpy_without_a_copy() -> None:
    growth, cloud = FakeGrowth(), GrowingCloud()
    growth.grow(Grows({0: row(1), 1: row(2)}))
    message, file = told(growth, cloud)
    assert Delta(cloud, message).feed(memoryview(file))
    view, edition = np.asarray(cloud.rows), cloud.edition
    assert view.dtype == np.float32 and view.shape == (2, 14) and not view.flags.owndata
    growth.grow(Grows({0: row(5), 1: row(2)}))
    Delta(cloud, told(growth, cloud)[0]).feed(memoryview(growth.file(1)))
    assert cloud.edition == edition and view[0, 0] == 5.0, "the same memory, a newer version"
    assert cloud.columns.sh == (11, 14) and cloud.sh_degree == 0
    with pytest.raises(TransferFailed, match="still growing"):
        cloud.in_order()


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(0, b"NOTGROWN", "expected"), (8, struct.pack("<I", 9), "expected"), (12, struct.pack("<I", 15), "expected"),
     (16, struct.pack("<I", 7), "was announced"), (28, struct.pack("<I", 77), "was announced"),
     (48, struct.pack("<I", 3), "was announced"), (64, struct.pack("<I", 99), "slot 99 of 2")],
)  # fmt: skip
def test_what_is_no_version_is_refused_in_words(at: int, value: bytes, words: str) -> None:
    growth, cloud = FakeGrowth(), GrowingCloud()
    growth.grow(Grows({0: row(1), 1: row(2)}))
    message, file = told(growth, cloud)
    spoilt = file[:at] + value + file[at + len(value) :]
    with pytest.raises(TransferFailed, match=words):
        Delta(cloud, message).feed(memoryview(spoilt))
    with pytest.raises(TransferFailed, match="more came"):
        Delta(GrowingCloud(), message).feed(memoryview(file + b"x"))


# ------------------------------------------------------------------------------------ through a bridge


def script(versions: int) -> Any:
    def steps(message: Mapping[str, Any]) -> Iterator[Step]:
        cloud: dict[int, tuple[float, ...]] = {}
        for version in range(versions):
            cloud = {**cloud, version: row(version), version + 300: row(-version)}
            cloud.pop(version - 3, None)
            yield Grows(cloud)
            yield Hold()
        yield Grows(cloud, final=True)
        yield Made("splats", {"a.bin": b"x"})

    return steps


def play(bridge: FakeBridge, client: Client, versions: int) -> Any:
    seen: list[int] = []
    job = client.submit("test.cloud", growth=Growth(per_sec=5), on_grown=lambda cloud: seen.append(cloud.version))
    cloud = job.cloud
    assert cloud is not None
    for version in range(1, versions + 1):
        client.drive(lambda version=version: cloud.version >= version, 120, "a version")  # type: ignore[misc]
        bridge.release()
    client.drive(lambda: cloud.final, 120, "the last version")
    assert seen == sorted(seen)
    return job


@pytest.mark.parametrize("by_path", [False, True])
def test_a_cloud_grows_version_by_version(tmp_path: Path, by_path: bool) -> None:
    share = str(tmp_path) if by_path else ""
    with FakeBridge(script(6), share_disk=share) as bridge, connect(bridge.url, bridge.token) as client:
        job = play(bridge, client, 6)
        assert held(job.cloud) == {slot: row(slot if slot < 300 else 300 - slot) for slot in
                                   [3, 4, 5, *range(300, 306)]}  # fmt: skip
        asks = [one for one in bridge.received if one["type"] == "growth.get"]
        assert [one["have"] for one in asks] == sorted(one["have"] for one in asks)
        assert bridge.received[1]["growth"] == {"per_sec": 5, "splats_max": 0, "sh_degree": 3}
        client.drive(lambda: job.over, 120, "the end")
        [grown] = [event for event in job.take_events() if isinstance(event, events.Grown)]
        assert grown.final and str(grown) == "version 7, the last: 9 splats"


def test_a_client_that_is_cut_off_again_and_again_comes_to_the_end() -> None:
    chance = random.Random(7)
    breaking = FakeBridge(script(5), cut_after=lambda: chance.choice([0, 900, 2000, 4000]), piece_bytes=97)
    with breaking as bridge, connect(bridge.url, bridge.token) as client:
        job = play(bridge, client, 5)
        assert sorted(held(job.cloud)) == [2, 3, 4, *range(300, 305)]
    assert bridge.connections > 1


def test_a_version_whose_transfer_breaks_off_is_asked_for_again() -> None:
    watches, asked = Watches(lambda ask, reply: asked.append((ask, reply)), lambda: "r", lambda transfer: None), []  # type: ignore[var-annotated]
    job = Job(None, request_id="s", generator="test.cloud")  # type: ignore[arg-type]
    job.id, job.cloud = "j", GrowingCloud()
    watches.told(job, JobGrown(job_id="j", stream="a", version=1, count=1))
    [(_, reply)] = asked
    fields = {"request_id": "r", "job_id": "j", "stream": "a", "version": 1, "count": 1, "size_bytes": 99}
    reply.resolve(GrowthFiles(**fields, transfer="t1"))  # type: ignore[arg-type]
    assert not watches.refused("t0", Refused("of another", code="c")) and not watches.refused(
        "", Refused("of nothing", code="c")
    )
    assert watches.refused("t1", Refused("the file is gone", code="c"))
    assert [ask["have"] for ask, _ in asked] == [0, 0], "it is asked for again at once"
    assert str(job.growth_error) == "the file is gone"


def test_who_wants_the_files_instead_is_spared_the_last_version() -> None:
    with FakeBridge(script(1)) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.cloud", growth=Growth(final=False))
        cloud = job.cloud
        assert cloud is not None
        client.drive(lambda: cloud.version == 1, 120, "the first version")
        bridge.release()
        job.result(120)
        client.ping()
        assert not cloud.final and len([one for one in bridge.received if one["type"] == "growth.get"]) == 1


def test_who_does_not_ask_is_told_nothing() -> None:
    with FakeBridge(script(1)) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.cloud")
        client.drive(lambda: job.state == "running", 120, "the start")
        bridge.release()
        client.drive(lambda: job.over, 120, "the end")
        assert job.cloud is None and not [one for one in bridge.received if one["type"] == "growth.get"]


def test_a_job_is_paused_resumed_and_finished() -> None:
    def steps(message: Mapping[str, Any]) -> Iterator[Step]:
        yield Hold()
        yield Made("splats", {"a.bin": b"x"})

    with FakeBridge(steps) as bridge, connect(bridge.url, bridge.token) as client:
        job = client.submit("test.cloud")
        client.drive(lambda: job.state == "running", 120, "the start")
        job.pause()
        client.drive(lambda: job.steered == "paused", 120, "the pause")
        bridge.cut()
        client.drive(lambda: bridge.connections == 2 and client.state.status == "connected", 120, "coming back")
        job.resume()
        client.drive(lambda: job.steered == "", 120, "going on")
        job.finish()
        client.drive(lambda: job.steered == "finishing", 120, "finishing")
        said = [event.steered for event in job.take_events() if isinstance(event, events.Steered)]
        assert said == ["paused", "", "finishing"]
        bridge.release()
        client.drive(lambda: job.over, 120, "the end")
        with pytest.raises(Exception, match="it is finished"):
            job.pause()


def test_the_layout_is_the_engines() -> None:
    from engines import growth

    assert HEADER.format == growth.HEADER.format and HEADER.size == 64

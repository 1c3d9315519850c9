"""What is published of a cloud: stable slots, only what can be seen to have changed, exact at the end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines import growth as files
from engines.assets import Splats
from engines.growth_blocks import rounded
from engines.importance import order_of, sorted_splats
from generators import growth
from generators.growth import Publisher, exactly, visibly
from generators.pipe import Grown, GrowthOrder
from python_client.growing import Delta, GrowingCloud
from python_client.messages import GrowthFiles
from tests.engines.test_importance import cloud

EAGER = GrowthOrder(per_sec=1e9)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SHARE", 1e9)


def moved(splats: Splats, rows: Any, by: float) -> Splats:
    positions = splats.positions.copy()
    positions[rows] += np.float32(by)
    return Splats(positions, splats.rotations, splats.scales, splats.opacities, splats.sh)


def taken(splats: Splats, rows: Any) -> Splats:
    index = np.asarray(rows, np.int64)
    return Splats(
        splats.positions[index], splats.rotations[index], splats.scales[index], splats.opacities[index],
        splats.sh[index],
    )  # fmt: skip


def applied(cloud: GrowingCloud, grown: Grown, folder: Path, stop: float = 1.0) -> None:
    have = cloud.version if cloud.stream == grown.stream else 0
    size = files.cut(Path(grown.file), have, folder / "cut")
    told = GrowthFiles("r", "j", grown.stream, grown.version, have, grown.count, grown.final, size)
    data = (folder / "cut").read_bytes()
    Delta(cloud, told).feed(memoryview(data)[: int(stop * size)])


def assert_shown(client: GrowingCloud, version: files.Version) -> None:
    """The client's copy is the version, slot by slot and bit for bit."""
    rows = np.asarray(client.rows).reshape(client.slots, client.stride)
    held = np.nonzero(np.asarray(client.live))[0]
    wanted = np.zeros((client.slots, client.stride), np.float32)
    wanted[version.slots] = version.rows
    assert held.tolist() == sorted(version.slots.tolist())
    assert (rows.view(np.uint32) == wanted.view(np.uint32)).all()


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[list[int], list[int], bool]]:
    """Of a pool of 12 splats: which are there, which have moved, and whether the client asks; step by step."""
    rows = st.lists(st.integers(0, 11), max_size=12, unique=True)
    return draw(st.lists(st.tuples(rows, rows, st.booleans()), min_size=1, max_size=8))


@given(lives(), st.booleans(), st.integers(0, 5), st.data())
@settings(max_examples=120, deadline=None)
def test_whatever_becomes_of_a_cloud_its_watchers_end_with_the_asset(
    tmp_path_factory: pytest.TempPathFactory, life: list[tuple[list[int], list[int], bool]], named: bool, most: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("life")
    publisher = Publisher(GrowthOrder(per_sec=1e9, splats_max=most, sh_degree=0 if most % 2 else 3), folder / "v", 1)
    pool, client = cloud(12, 3), GrowingCloud()
    shown = cloud(0, 0)
    for there, moving, asks in life:
        pool = moved(pool, moving, data.draw(st.sampled_from([1e-4, 0.5])))
        shown = taken(pool, there)
        grown = publisher.publish(shown, np.array(there, np.int64) if named else None)
        if grown and asks:
            stop = data.draw(st.sampled_from([1.0, 1.0, 0.4, 0.8]))
            try:
                applied(client, grown, folder, stop)
            except Exception as error:
                assert stop < 1, error
            if stop == 1:
                assert_shown(client, files.read(Path(grown.file)))
    order = order_of(shown)
    final = publisher.finish(shown, order)
    applied(client, final, folder)
    assert client.final and client.count == len(order)
    wanted = files.rows_of(sorted_splats(shown, order))
    held = np.asarray(client.in_order()).reshape(wanted.shape)
    assert (held.view(np.uint32) == wanted.view(np.uint32)).all()
    live = np.asarray(client.live)
    rows = np.asarray(client.rows).reshape(len(live), client.stride)
    assert live.sum() == len(order) and not rows[live == 0].any()


def test_a_splat_keeps_its_slot_while_others_come_and_go(tmp_path: Path) -> None:
    publisher, pool = Publisher(EAGER, tmp_path, 1), cloud(6, 1)
    for ids in ([0, 1, 2, 3], [3, 1, 4], [4, 5, 3, 0, 1]):
        grown = publisher.publish(taken(pool, ids), np.array(ids))
    assert grown is not None
    version = files.read(Path(grown.file))
    held = {int(slot): row for slot, row in zip(version.slots, version.rows, strict=True)}
    rows = rounded(files.rows_of(pool))
    assert sorted(held) == [0, 1, 2, 3, 4] and len(version.freed) == 0
    for slot, one in {1: 1, 3: 3, 0: 4}.items():
        assert np.array_equal(held[slot], rows[one])


def test_what_cannot_be_seen_is_not_published_until_the_end(tmp_path: Path) -> None:
    publisher, splats = Publisher(EAGER, tmp_path, 1), cloud(20, 2)
    assert publisher.publish(splats, None)
    assert publisher.publish(moved(splats, slice(None), 1e-4), None) is None
    nudged = moved(splats, [4, 7], 0.5)
    second = publisher.publish(nudged, None)
    assert second is not None and second.version == 2
    version = files.since(files.read(Path(second.file)), 1)
    assert sorted(version.slots.tolist()) == [4, 7]
    last = moved(nudged, slice(None), 1e-6)
    final = publisher.finish(last, order_of(last))
    changed = files.since(files.read(Path(final.file)), 2)
    assert len(changed.rows) == 20 and final.final and changed.order is not None


def test_what_has_only_moved_is_sent_without_its_sheen_and_rounded(tmp_path: Path) -> None:
    publisher, splats, client = Publisher(EAGER, tmp_path / "v", 1), cloud(300, 2), GrowingCloud()
    sizes = []
    shiny = replace(splats, sh=splats.sh.copy())
    shiny.sh[:40] += np.float32(0.5)
    for one in (splats, moved(splats, slice(None), 0.5), moved(shiny, slice(None), 1.0)):
        grown = publisher.publish(one, None)
        assert grown is not None
        applied(client, grown, tmp_path)
        sizes.append((tmp_path / "cut").stat().st_size)
        assert_shown(client, files.read(Path(grown.file)))
        rows, true = np.asarray(client.rows), files.rows_of(one)
        np.testing.assert_allclose(rows[:, :3], true[:, :3], rtol=2**-16)
        np.testing.assert_allclose(rows[:, 3:14], true[:, 3:14], rtol=2**-8)
    stride = client.stride
    assert stride > files.PLAIN
    assert sizes[0] == 64 + (300 + 12) * (7 + 2 * stride)
    assert sizes[1] == 64 + 300 * (7 + 2 * files.PLAIN)
    assert sizes[2] == 64 + 260 * (7 + 2 * files.PLAIN) + 40 * (7 + 2 * stride)


def test_seen_is_judged_by_the_size_of_the_splat() -> None:
    rows = files.rows_of(cloud(1, 5))
    for column, by, seen in ((0, 0.2, True), (3, 0.15, True), (10, 0.1, True), (11, 0.1, True), (14, 0.2, True),
                             (7, 0.1, True), (0, 1e-3, False), (10, 1e-3, False), (14, 0.02, False)):  # fmt: skip
        other = rows.copy()
        other[0, column] += np.float32(by)
        assert visibly(rows, other)[0] == seen, (column, by)
        assert exactly(rows, other)[0]
    turned = rows.copy()
    turned[:, 3:7] *= -1
    assert not visibly(rows, turned)[0], "a quaternion and its negative are the same turn"
    negative = rows.copy()
    negative[0, 0], rows[0, 0] = -0.0, 0.0
    assert exactly(rows, negative)[0] and not visibly(rows, negative)[0]


def test_versions_come_no_faster_than_wished_and_take_a_tenth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "SHARE", 0.1)
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    publisher, splats = Publisher(GrowthOrder(per_sec=2), tmp_path, 1), cloud(5, 1)
    assert publisher.due and publisher.publish(splats, None)
    clock[0] += 0.4
    assert not publisher.due and publisher.publish(moved(splats, [0], 1.0), None) is None
    clock[0] += 0.2
    slow = files.write

    def write(version: files.Version, path: Path) -> int:
        clock[0] += 3.0
        return slow(version, path)

    monkeypatch.setattr(growth, "write", write)
    assert publisher.publish(moved(splats, [0], 1.0), None)
    clock[0] += 29.0
    assert not publisher.due
    clock[0] += 2.0
    assert publisher.due


def test_only_the_newest_two_versions_stay_on_disk(tmp_path: Path) -> None:
    publisher, splats = Publisher(EAGER, tmp_path / "v", 1), cloud(5, 1)
    for step in range(5):
        publisher.publish(moved(splats, [0], float(step)), None)
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == ["4.growth", "5.growth"]

"""Files of growing clouds: read back as written, cut as the plain twin cuts, refused when damaged."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines import growth
from engines.errors import DamagedFile
from engines.growth import Version
from engines.growth_blocks import packed, rounded, unpacked
from python_client.growing import _unpacked
from tests.engines.test_importance import cloud


def version(count: int, free: int, seed: int, stride: int = 23, *, final: bool = False) -> Version:
    random = np.random.default_rng(seed)
    slots = random.permutation(count + free).astype(np.uint32)
    rows = random.random((count, stride), np.float32)
    order = growth.most_important_first(rows)
    freed = np.stack([slots[count:], random.integers(1, 10, free).astype(np.uint32)], 1)
    changed = random.integers(1, 10, count).astype(np.uint32)
    live = slots[:count]
    return Version(
        9, live[order], changed[order], rows[order], freed, count + free, count, order=live if final else None
    )  # fmt: skip


def plain(one: Version) -> tuple[dict[int, bytes], set[int]]:
    """Rows by slot, and free slots."""
    rows = {int(slot): row.tobytes() for slot, row in zip(one.slots, one.rows, strict=True)}
    return rows, {int(slot) for slot, _ in one.freed}


@given(st.integers(0, 40), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_cut_holds_what_changed_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, count: int, free: int, have: int, seed: int, final: bool
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = version(count, free, seed, final=final)
    size = growth.write(whole, folder / "whole")
    assert (folder / "whole").stat().st_size == size
    again = growth.read(folder / "whole")
    assert plain(again) == plain(whole) and (again.since, again.count, again.slot_count) == (0, count, count + free)
    assert growth.cut(folder / "whole", have, folder / "part") == (folder / "part").stat().st_size
    part = growth.read(folder / "part")
    rows, freed = {}, set()
    for slot, when, row in zip(whole.slots, whole.changed, whole.rows, strict=True):
        if when > have:
            rows[int(slot)] = row.tobytes()
    for slot, when in whole.freed:
        if when > have:
            freed.add(int(slot))
    assert plain(part) == (rows, freed) and part.since == (have if have else 0)
    weights = growth.most_important_first(part.rows)
    assert weights.tolist() == list(range(len(part.rows))), "still the most important first"
    if final:
        assert part.order is not None and whole.order is not None and np.array_equal(part.order, whole.order)


@given(st.integers(0, 40), st.integers(0, 9), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_what_is_packed_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, count: int, have: int, seed: int
) -> None:
    folder, random = tmp_path_factory.mktemp("packed"), np.random.default_rng(seed)
    plain_one = version(count, 3, seed)
    sheen = np.minimum(plain_one.changed, random.integers(1, 10, count).astype(np.uint32))
    whole = replace(plain_one, rows=rounded(plain_one.rows), sheen=sheen, rounded=True)
    growth.write(whole, folder / "whole")
    again = growth.read(folder / "whole")
    assert again.rounded and again.sheen is not None and np.array_equal(again.sheen, sheen)
    growth.cut(folder / "whole", have, folder / "part")
    part, cut = growth.read(folder / "part"), growth.since(whole, have)
    assert sorted(part.slots.tolist()) == sorted(cut.slots.tolist())
    assert cut.sheen is not None
    shiny = {int(slot): bool(when > have) for slot, when in zip(cut.slots, cut.sheen, strict=True)}
    wanted = {int(slot): row for slot, row in zip(cut.slots, cut.rows, strict=True)}
    for slot, row in zip(part.slots.tolist(), part.rows, strict=True):
        numbers = 23 if shiny[slot] else growth.PLAIN
        assert np.array_equal(row[:numbers], wanted[slot][:numbers]) and not row[numbers:].any()


def test_rounding_takes_the_nearest_and_packing_loses_nothing() -> None:
    random = np.random.default_rng(1)
    rows = (random.normal(size=(500, 23)) * np.exp(random.normal(0, 5, (500, 23)))).astype(np.float32)
    near = rounded(rows)
    bits = near.view(np.uint32)
    assert not (bits[:, :3] & 0xFF).any() and not (bits[:, 3:] & 0xFFFF).any()
    assert np.abs(near / rows - 1)[:, :3].max() <= 2**-16 and np.abs(near / rows - 1)[:, 3:].max() <= 2**-8
    step = np.where(np.arange(23) < 3, 1 << 8, 1 << 16).astype(np.uint32)
    for other in ((bits + step).view(np.float32), (bits - step).view(np.float32)):
        assert (np.abs(other.astype(np.float64) - rows) >= np.abs(near.astype(np.float64) - rows)).all()
    data = packed(near)
    assert len(data) == 500 * (2 * 23 + 3)
    assert np.array_equal(unpacked(np.frombuffer(data, np.uint8), 500, 23), near)
    assert np.array_equal(rounded(near), near)
    client = np.frombuffer(_unpacked(memoryview(data), 500, 23), np.float32).reshape(500, 23)
    assert np.array_equal(client, near), "the client, without numpy, reads the same"


def test_blocks_are_about_a_chunk_and_the_first_is_a_twentieth_at_most(tmp_path: Path) -> None:
    path = tmp_path / "large"
    growth.write(version(60_000, 0, 1, stride=38), path)
    block_rows = growth.HEADER.unpack(path.read_bytes()[:64])[9]
    assert 150_000 < block_rows * 41 * 4 <= growth.BLOCK_BYTES < 0.05 * path.stat().st_size


def test_a_finished_cloud_is_a_version_of_its_own() -> None:
    splats = cloud(50, 1)
    whole = growth.whole(splats)
    assert whole.order is not None and whole.order.tolist() == list(range(50))
    rows = np.empty_like(whole.rows)
    rows[whole.slots] = whole.rows
    back = growth.splats_of(rows, "cloud")
    for name in ("positions", "rotations", "scales", "opacities", "sh"):
        assert np.array_equal(getattr(back, name), getattr(splats, name))
    assert growth.rows_of(splats, 1).shape == (50, 14) and growth.rows_of(splats, 16).shape == (50, 23)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(0, b"NOTGROWN", "begins with"), (8, b"\1", "begins with"), (12, b"\5", "do not fit"),
     (40, struct.pack("<I", 0), "do not fit"), (32, struct.pack("<I", 60), "do not fit"),
     (48, struct.pack("<I", 31), "do not fit"), (52, struct.pack("<I", 31), "do not fit")],
)  # fmt: skip
def test_damage_is_told_in_words(tmp_path: Path, at: int, value: bytes, words: str) -> None:
    path = tmp_path / "damaged"
    growth.write(version(30, 4, 1, final=True), path)
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=words):
        growth.read(path)


@pytest.mark.parametrize("kept", [0, 63, 70, 300, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "short"
    growth.write(version(30, 4, 1, final=True), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedFile, match=r"early|header"):
        growth.read(path)

"""Versions of a growing cloud as files, and what changed between two of them.

A splat keeps its slot as long as it lives; a row says in which version it last changed, a free slot when it was
freed. So one file of the newest version holds the changes since every older one. Its rows come in blocks of falling
importance (opacity × area), each drawable alone. Before them comes a sketch, of which nothing is left when all of them
have come. The layout is on the page docs/growing_clouds.md:

    header    64 bytes, see `HEADER`
    freed     per free slot: uint32 slot, uint32 version it was freed in
    sketch    of a first answer: one block of `sketch` rows, their versions 0, whose slots come again below
    blocks    of `block_rows` rows, the last one shorter: uint32 slot [n], uint32 version [n], uint32 version [n] in
              which its higher harmonics last changed, float32 row [n, stride]
    order     of a final version: uint32 [count], the slot of each row of the finished asset

What is cut for one client of a version that is rounded is packed: its blocks are slots and `growth_blocks.packed`, and
the last `plain` rows have no higher harmonics, since only the rest has changed.

All little endian. A row is position 3, rotation 4 (wxyz), scale 3, opacity 1, harmonics 3K, as in
`engines.assets.Splats`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.errors import DamagedFile
from engines.growth_blocks import (
    Slots,
    read_numbers,
    read_packed,
    read_whole,
    rounded,
    write_packed,
    write_whole,
)
from engines.importance import falling, importance, order_of
from engines.sketch import sketch_of

MEDIA_TYPE = "application/vnd.scenecast.growth"
SUFFIX = ".growth"
MAGIC = b"SCGROWTH"
FORMAT = 2
HEADER = struct.Struct("<8sIIIIIIIIIIII8x")
"""Magic, format, stride, version, since, slots, count, rows, freed, block_rows, flags, sketch, plain."""
FINAL, ROUNDED, PACKED = 1, 2, 4
"""Flags: nothing comes after it; its numbers are rounded; and it is without the bytes that are zero by that."""
BLOCK_BYTES = 256 << 10
BLOCKS, FEW_ROWS = 50, 64
"""A block is at most so large, and a fiftieth of the rows unless they are few: the first is soon there."""
SKETCH_SHARE = 25
"""A sketch has at most one row for so many of the cloud, and fits into a block."""
FIXED, PLAIN = 11, 14
"""Numbers of a row before its harmonics, and before the higher ones of them."""
POSITION, ROTATION, SCALE, OPACITY = slice(0, 3), slice(3, 7), slice(7, 10), 10
SH_COUNTS = (1, 4, 9, 16)


@dataclass(frozen=True, eq=False)
class Version:
    """One version of a cloud, or the changes since `since` (0: everything).

    `slots` uint32 [R], `changed` uint32 [R] and `rows` float32 [R, stride] belong together, the most important row
    first; `freed` uint32 [F, 2] has slots and the versions they were freed in; every slot is below `slot_count`, and
    `count` of them hold a splat. `order` uint32 [count] of a final version is the slot of each row of the asset.
    `sketch` float32 [S, stride] are rows to be shown in `sketch_slots` uint32 [S] until those slots' own have come.
    `sheen` uint32 [R] are the versions in which the higher harmonics last changed; None: those of `changed`. All rows
    are `rounded`, or none.
    """

    number: int
    slots: Slots
    changed: Slots
    rows: FloatArray
    freed: Slots
    slot_count: int
    count: int
    since: int = 0
    order: Slots | None = None
    sketch: FloatArray | None = None
    sketch_slots: Slots | None = None
    sheen: Slots | None = None
    rounded: bool = False

    @property
    def stride(self) -> int:
        """Numbers in a row."""
        return int(self.rows.shape[1])


def rows_of(splats: Splats, sh_count: int = 0) -> FloatArray:
    """A cloud as rows, float32 [N, 11 + 3K]; of the harmonics the first `sh_count` when that is not 0."""
    count = splats.sh.shape[1] if sh_count == 0 else min(sh_count, splats.sh.shape[1])
    rows = np.empty((len(splats.positions), FIXED + 3 * count), np.float32)
    rows[:, POSITION], rows[:, ROTATION], rows[:, SCALE] = splats.positions, splats.rotations, splats.scales
    rows[:, OPACITY] = splats.opacities
    rows[:, FIXED:] = splats.sh[:, :count].reshape(len(rows), 3 * count)
    return rows


def splats_of(rows: FloatArray, name: str = "") -> Splats:
    """The cloud that rows hold."""
    sh = np.ascontiguousarray(rows[:, FIXED:]).reshape(len(rows), (rows.shape[1] - FIXED) // 3, 3)
    parts = (rows[:, POSITION], rows[:, ROTATION], rows[:, SCALE], rows[:, OPACITY])
    positions, rotations, scales, opacities = (np.ascontiguousarray(part) for part in parts)
    return Splats(positions, rotations, scales, opacities, sh, name)


def most_important_first(rows: FloatArray) -> NDArray[np.int64]:
    """The order in which a version's rows are kept."""
    return falling(importance(rows[:, OPACITY], rows[:, SCALE]))


def whole(splats: Splats, number: int = 1) -> Version:
    """A finished cloud as a final version of which every row is new, slot for row."""
    rows, order = rows_of(splats), order_of(splats)
    slots = np.arange(len(rows), dtype=np.uint32)
    changed = np.full(len(rows), number, np.uint32)
    none = np.empty((0, 2), np.uint32)
    return sketched(Version(number, slots[order], changed, rows[order], none, len(rows), len(rows), order=slots))


def sketched(version: Version) -> Version:
    """The same version, with a picture of the whole before its rows."""
    room = min(len(version.rows) // SKETCH_SHARE, _block_rows_max(version.stride))
    if version.sketch is not None or room == 0:
        return version
    sketch = sketch_of(splats_of(version.rows[:, :PLAIN]), room)
    rows = np.zeros((len(sketch.rows), version.stride), np.float32)
    rows[:, :PLAIN] = rows_of(sketch.splats)
    rows = rounded(rows) if version.rounded else rows
    first = most_important_first(rows)
    return replace(version, sketch=rows[first], sketch_slots=version.slots[sketch.rows[first]])


def _block_rows_max(stride: int) -> int:
    return BLOCK_BYTES // (4 * (stride + 3))


def write(version: Version, path: Path, *, pack: bool = False) -> int:
    """Write a version to `path`, replacing what was there in one step; returns its bytes.

    With `pack` one that is rounded is written for a client that needs all of it.
    """
    pack = pack and version.rounded
    whole, plain = _parted(version) if pack else (np.arange(len(version.rows)), np.arange(0))
    least = max(FEW_ROWS, -(-len(version.rows) // BLOCKS))
    block_rows = min(least, _block_rows_max(version.stride))
    flags = (FINAL if version.order is not None else 0) | (ROUNDED if version.rounded else 0) | (PACKED if pack else 0)
    drawn = np.empty((0, version.stride), np.float32) if version.sketch is None else version.sketch
    sheen = version.changed if version.sheen is None else version.sheen
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        file.write(
            HEADER.pack(
                MAGIC, FORMAT, version.stride, version.number, version.since, version.slot_count, version.count,
                len(version.rows), len(version.freed), block_rows, flags, len(drawn), len(plain),
            )
        )  # fmt: skip
        file.write(np.ascontiguousarray(version.freed, "<u4").data)
        if version.sketch_slots is not None:
            zeros = np.zeros(len(drawn), np.uint32)
            if pack:
                write_packed(file, version.sketch_slots, drawn)
            else:
                write_whole(file, version.sketch_slots, zeros, zeros, drawn)
        for part, numbers in ((whole, version.stride), (plain, PLAIN)):
            for start in range(0, len(part), block_rows):
                block = part[start : start + block_rows]
                if pack:
                    write_packed(file, version.slots[block], version.rows[block, :numbers])
                else:
                    write_whole(file, version.slots[block], version.changed[block], sheen[block], version.rows[block])
        if version.order is not None:
            file.write(np.ascontiguousarray(version.order, "<u4").data)
        size = file.tell()
    beside.replace(path)
    return size


def _parted(version: Version) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that are needed whole, and those of which only the numbers before the higher harmonics are."""
    if version.since == 0 or version.sheen is None or version.stride == PLAIN:
        return np.arange(len(version.rows)), np.arange(0)
    whole = version.sheen > version.since
    return np.nonzero(whole)[0], np.nonzero(~whole)[0]


class _Head(NamedTuple):
    magic: bytes
    form: int
    stride: int
    number: int
    since: int
    slot_count: int
    live: int
    rows: int
    freed: int
    block_rows: int
    flags: int
    sketch: int
    plain: int


def read(path: Path) -> Version:
    """The version in a file; what a packed one leaves out is zero. Raises `DamagedFile` for one that is damaged."""
    with path.open("rb") as file:
        head = _head(file, path.name)
        freed = read_numbers(file, 2 * head.freed, path.name).reshape(-1, 2)
        sketch_slots, _, _, sketch = _read_block(file, head.sketch, head.stride, head, path.name)
        slots, changed, sheen = (np.empty(head.rows, np.uint32) for _ in range(3))
        rows = np.zeros((head.rows, head.stride), np.float32)
        whole = head.rows - head.plain
        for first, last, numbers in ((0, whole, head.stride), (whole, head.rows, PLAIN)):
            for start in range(first, last, head.block_rows):
                block = slice(start, min(start + head.block_rows, last))
                slots[block], changed[block], sheen[block], rows[block, :numbers] = _read_block(
                    file, block.stop - block.start, numbers, head, path.name
                )
        order = read_numbers(file, head.live, path.name) if head.flags & FINAL else None
    version = Version(
        head.number, slots, changed, rows, freed, head.slot_count, head.live, head.since, order, sheen=sheen,
        rounded=bool(head.flags & ROUNDED),
    )  # fmt: skip
    return replace(version, sketch=sketch, sketch_slots=sketch_slots) if head.sketch else version


def _head(file: BinaryIO, name: str) -> _Head:
    data = file.read(HEADER.size)
    if len(data) != HEADER.size:
        raise DamagedFile(f"{name} ends inside its header, expected a version of a growing cloud")
    head = _Head(*HEADER.unpack(data))
    if head.magic != MAGIC or head.form != FORMAT:
        raise DamagedFile(f"{name} begins with {head.magic!r} {head.form}, expected {MAGIC!r} {FORMAT}")
    fits = head.rows <= head.live <= head.slot_count and head.freed <= head.slot_count - head.live
    fits = fits and head.block_rows > 0 and max(head.sketch, head.plain) <= head.rows
    if not fits or head.stride not in {FIXED + 3 * harmonics for harmonics in SH_COUNTS}:
        raise DamagedFile(
            f"{name}: {head.rows} rows of {head.stride} numbers in blocks of {head.block_rows}, {head.sketch} sketched "
            f"and {head.plain} plain, of {head.live} splats, {head.freed} free slots and {head.slot_count} in all do "
            "not fit together"
        )
    return head


def _read_block(
    file: BinaryIO, count: int, numbers: int, head: _Head, name: str
) -> tuple[Slots, Slots, Slots, FloatArray]:
    """Slots, both versions and rows of a block; who cuts leaves versions out, since all are newer than `since`."""
    if not head.flags & PACKED:
        return read_whole(file, count, numbers, name)
    slots, rows = read_packed(file, count, numbers, name)
    newest, older = np.full(count, head.number, np.uint32), np.full(count, head.since, np.uint32)
    return slots, newest, newest if numbers == head.stride else older, rows


def since(version: Version, have: int) -> Version:
    """What changed after the version `have` was made; everything when that is 0 or no version before this one."""
    if not 0 < have <= version.number:
        return version
    newer = version.changed > have
    freed = version.freed[version.freed[:, 1] > have]
    return Version(
        version.number, version.slots[newer], version.changed[newer], version.rows[newer], freed, version.slot_count,
        version.count, have, version.order, sheen=None if version.sheen is None else version.sheen[newer],
        rounded=version.rounded,
    )  # fmt: skip


def cut(path: Path, have: int, target: Path) -> int:
    """Write to `target` what the version at `path` changed after `have`; returns its bytes. Raises `DamagedFile`.

    Whoever has nothing gets a sketch first.
    """
    version = since(read(path), have)
    return write(version if version.since else sketched(version), target, pack=True)

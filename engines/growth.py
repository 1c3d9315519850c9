"""Versions of a growing cloud as files, and what changed between two of them.

A splat keeps its slot as long as it lives; a row says in which version it last changed, a free slot when it was
freed. So one file of the newest version holds the changes since every older one. Its rows come in blocks of falling
importance (opacity × area), each drawable alone. Before them comes a sketch, of which nothing is left when all of them
have come. The layout is on the page docs/growing_clouds.md:

    header    64 bytes, see `HEADER`
    freed     per free slot: uint32 slot, uint32 version it was freed in
    sketch    of a first answer: one block of `sketch` rows, their versions 0, whose slots come again below
    blocks    of `block_rows` rows, the last one shorter: uint32 slot [n], uint32 version [n], float32 row [n, stride]
    order     of a final version: uint32 [count], the slot of each row of the finished asset

All little endian. A row is position 3, rotation 4 (wxyz), scale 3, opacity 1, harmonics 3K, as in
`engines.assets.Splats`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.errors import DamagedFile
from engines.importance import falling, importance, order_of
from engines.sketch import sketch_of

Slots = NDArray[np.uint32]

MEDIA_TYPE = "application/vnd.scenecast.growth"
SUFFIX = ".growth"
MAGIC = b"SCGROWTH"
FORMAT = 2
HEADER = struct.Struct("<8sIIIIIIIIIII12x")
"""Magic, format, stride, version, since, slots, count, rows, freed, block_rows, flags, sketch; flag 1: it is final."""
FINAL = 1
BLOCK_BYTES = 256 << 10
BLOCKS, FEW_ROWS = 50, 64
"""A block is at most so large, and a fiftieth of the rows unless they are few: the first is soon there."""
SKETCH_SHARE = 25
"""A sketch has at most one row for so many of the cloud, and fits into a block."""
FIXED = 11
"""Numbers of a row before its harmonics."""
POSITION, ROTATION, SCALE, OPACITY = slice(0, 3), slice(3, 7), slice(7, 10), 10
SH_COUNTS = (1, 4, 9, 16)


@dataclass(frozen=True, eq=False)
class Version:
    """One version of a cloud, or the changes since `since` (0: everything).

    `slots` uint32 [R], `changed` uint32 [R] and `rows` float32 [R, stride] belong together, the most important row
    first; `freed` uint32 [F, 2] has slots and the versions they were freed in; every slot is below `slot_count`, and
    `count` of them hold a splat. `order` uint32 [count] of a final version is the slot of each row of the asset.
    `sketch` float32 [S, stride] are rows to be shown in `sketch_slots` uint32 [S] until those slots' own have come.
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
    sketch = sketch_of(splats_of(version.rows[:, : FIXED + 3]), room)
    rows = np.zeros((len(sketch.rows), version.stride), np.float32)
    rows[:, : FIXED + 3] = rows_of(sketch.splats)
    first = most_important_first(rows)
    return replace(version, sketch=rows[first], sketch_slots=version.slots[sketch.rows[first]])


def _block_rows_max(stride: int) -> int:
    return BLOCK_BYTES // (4 * (stride + 2))


def write(version: Version, path: Path) -> int:
    """Write a version to `path`, replacing what was there in one step; returns its bytes."""
    least = max(FEW_ROWS, -(-len(version.rows) // BLOCKS))
    block_rows = min(least, _block_rows_max(version.stride))
    flags = 0 if version.order is None else FINAL
    sketch = 0 if version.sketch is None else len(version.sketch)
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        file.write(
            HEADER.pack(
                MAGIC, FORMAT, version.stride, version.number, version.since, version.slot_count, version.count,
                len(version.rows), len(version.freed), block_rows, flags, sketch,
            )
        )  # fmt: skip
        file.write(np.ascontiguousarray(version.freed, "<u4").data)
        if version.sketch is not None and version.sketch_slots is not None:
            _write_block(file, version.sketch_slots, np.zeros(sketch, np.uint32), version.sketch)
        for start in range(0, len(version.rows), block_rows):
            block = slice(start, start + block_rows)
            _write_block(file, version.slots[block], version.changed[block], version.rows[block])
        if version.order is not None:
            file.write(np.ascontiguousarray(version.order, "<u4").data)
        size = file.tell()
    beside.replace(path)
    return size


def _write_block(file: BinaryIO, slots: Slots, changed: Slots, rows: FloatArray) -> None:
    file.write(np.ascontiguousarray(slots, "<u4").data)
    file.write(np.ascontiguousarray(changed, "<u4").data)
    file.write(np.ascontiguousarray(rows, "<f4").data)


def read(path: Path) -> Version:
    """The version in a file. Raises `DamagedFile` when it is none, or cut short."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
        if len(head) != HEADER.size:
            raise DamagedFile(f"{path.name} ends inside its header, expected a version of a growing cloud")
        magic, form, stride, number, since, slot_count, live, count, freed_count, block_rows, flags, drawn = (
            HEADER.unpack(head)
        )
        if magic != MAGIC or form != FORMAT:
            raise DamagedFile(f"{path.name} begins with {magic!r} {form}, expected {MAGIC!r} {FORMAT}")
        fits = count <= live <= slot_count and freed_count <= slot_count - live and block_rows > 0 and drawn <= count
        if not fits or stride not in {FIXED + 3 * harmonics for harmonics in SH_COUNTS}:
            raise DamagedFile(
                f"{path.name}: {count} rows of {stride} numbers in blocks of {block_rows}, {drawn} sketched, of {live} "
                f"splats, {freed_count} free slots and {slot_count} in all do not fit together"
            )
        freed = _numbers(file, 2 * freed_count, path).reshape(-1, 2)
        sketch_slots, _, sketch = _read_block(file, drawn, stride, path)
        slots, changed = np.empty(count, np.uint32), np.empty(count, np.uint32)
        rows = np.empty((count, stride), np.float32)
        for start in range(0, count, block_rows):
            block = slice(start, min(start + block_rows, count))
            slots[block], changed[block], rows[block] = _read_block(file, block.stop - block.start, stride, path)
        order = _numbers(file, live, path) if flags & FINAL else None
    whole = Version(number, slots, changed, rows, freed, slot_count, live, since, order)
    return replace(whole, sketch=sketch, sketch_slots=sketch_slots) if drawn else whole


def _read_block(file: BinaryIO, count: int, stride: int, path: Path) -> tuple[Slots, Slots, FloatArray]:
    """Slots, versions and rows of a block of so many rows."""
    slots, changed = _numbers(file, count, path), _numbers(file, count, path)
    return slots, changed, _numbers(file, count * stride, path).view("<f4").reshape(count, stride)


def since(version: Version, have: int) -> Version:
    """What changed after the version `have` was made; everything when that is 0 or no version before this one."""
    if not 0 < have <= version.number:
        return version
    newer = version.changed > have
    freed = version.freed[version.freed[:, 1] > have]
    return Version(
        version.number, version.slots[newer], version.changed[newer], version.rows[newer], freed, version.slot_count,
        version.count, have, version.order,
    )  # fmt: skip


def cut(path: Path, have: int, target: Path) -> int:
    """Write to `target` what the version at `path` changed after `have`; returns its bytes. Raises `DamagedFile`.

    Whoever has nothing gets a sketch first.
    """
    version = since(read(path), have)
    return write(version if version.since else sketched(version), target)


def _numbers(file: BinaryIO, count: int, path: Path) -> Slots:
    found = np.fromfile(file, "<u4", count)
    if len(found) != count:
        raise DamagedFile(f"{path.name} ends {count - len(found)} numbers early")
    return found

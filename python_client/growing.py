"""A cloud of splats that grows before the client's eyes: the client's own copy, and how changes are put into it.

The copy is one row of float32 numbers a splat, in a slot that the splat keeps for as long as it lives. With numpy at
hand `numpy.asarray(cloud.rows)` is a view of it, without a copy; without numpy it is memory like any other.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, BinaryIO, NamedTuple, Optional

from .errors import TransferFailed
from .messages import GrowthFiles

HEADER = struct.Struct("<8sIIIIIIIIIIII8x")
"""Magic, format, stride, version, since, slots, count, rows, freed, block_rows, flags, sketch, plain."""
MAGIC = b"SCGROWTH"
FORMAT = 2
FINAL, ROUNDED, PACKED = 1, 2, 4
FIXED, PLAIN = 11, 14
"""Numbers of a row before its harmonics, and before the higher ones of them."""
STRIDES = {FIXED + 3 * count: degree for degree, count in enumerate((1, 4, 9, 16))}
"""Degree of the harmonics by the length of a row."""
READ_BYTES = 256 << 10
"""So much of a file is read in one step."""
_cast: Any = memoryview.cast
"""The type stubs know only literal formats."""


class Growth(NamedTuple):
    """How a cloud is to be watched while it grows."""

    per_sec: float = 1.0
    """New versions a second at most."""
    splats_max: int = 0
    """The most important splats only, until the cloud is finished; 0 for all."""
    sh_degree: int = 3
    """Degree of the harmonics at most, until the cloud is finished."""
    final: bool = True
    """False: do without the last version, because the finished asset's files are wanted instead."""

    def wish(self) -> dict[str, Any]:
        """What the bridge is told of it."""
        return {"per_sec": self.per_sec, "splats_max": self.splats_max, "sh_degree": self.sh_degree}


class Columns(NamedTuple):
    """Where in a row its parts lie, as (first, one past the last)."""

    positions: tuple[int, int] = (0, 3)
    """Metres, +Y up, right-handed."""
    rotations: tuple[int, int] = (3, 7)
    """Unit quaternions, wxyz."""
    scales: tuple[int, int] = (7, 10)
    """Standard deviations in metres."""
    opacities: tuple[int, int] = (10, 11)
    sh: tuple[int, int] = (11, 14)
    """Harmonics, degree 0 first, three colours each: the colour is 0.5 + Σ basis·sh."""


class GrowingCloud:
    """The newest version of a cloud that has come in, and what has come of the next one.

    A free slot is a row of zeros, so whoever draws all rows draws nothing there. `rows` and `live` stay the same
    memory from version to version until `edition` goes up.
    """

    def __init__(self) -> None:
        self.stream = ""
        """Names the run whose versions these are."""
        self.version = 0
        """The newest version that is here in full; 0 for none."""
        self.count = 0
        """Splats in it."""
        self.final = False
        """True: it is the finished asset, bit for bit."""
        self.edition = 0
        """Goes up when there is new memory behind `rows` and `live`."""
        self.changes = 0
        """Goes up whenever rows have changed, also within a version that is still coming in."""
        self.received_bytes = 0
        """Of all versions so far."""
        self.stride = FIXED + 3
        self.slots = 0
        """Rows there are, free ones among them."""
        self._memory = bytearray()
        self._live = bytearray()
        self._order = b""

    @property
    def sh_degree(self) -> int:
        """Degree of the harmonics that the rows hold."""
        return STRIDES[self.stride]

    @property
    def columns(self) -> Columns:
        """Where in a row its parts lie."""
        return Columns(sh=(FIXED, self.stride))

    @property
    def rows(self) -> memoryview:
        """All slots, float32 [slots, stride]; flat when there are none."""
        return _table(memoryview(self._memory)[: 4 * self.slots * self.stride], self.slots, self.stride)

    @property
    def live(self) -> memoryview:
        """1 for every slot that holds a splat, uint8 [slots]."""
        return memoryview(self._live)[: self.slots]

    @property
    def order(self) -> memoryview:
        """Of a final cloud: the slot of each row of the asset, uint32 [count]; else empty."""
        order: memoryview = _cast(memoryview(self._order), "I")
        return order

    def in_order(self) -> memoryview:
        """A copy of a final cloud as the asset has it, float32 [count, stride], the most important splat first.

        Raises `TransferFailed` for one that is not final.
        """
        if not self.final:
            raise TransferFailed("the cloud is still growing, so it has no order yet")
        width = 4 * self.stride
        memory = memoryview(self._memory)
        joined = bytearray().join(memory[slot * width : (slot + 1) * width] for slot in self.order)
        return _table(memoryview(joined), self.count, self.stride)

    # ------------------------------------------------------------------------ what a version does to it

    def renew(self, stride: int) -> None:
        """Forget every row; the next ones have `stride` numbers."""
        self._memory, self._live = bytearray(), bytearray()
        self.slots, self.stride = 0, stride
        self.edition += 1

    def widen(self, slots: int) -> None:
        """Make room for at least so many slots."""
        if slots * self.stride * 4 > len(self._memory):
            room = slots + slots // 4
            memory, live = bytearray(4 * room * self.stride), bytearray(room)
            memory[: len(self._memory)], live[: len(self._live)] = self._memory, self._live
            self._memory, self._live = memory, live
            self.edition += 1
        self.slots = max(self.slots, slots)

    def free(self, slots: list[int]) -> None:
        """Splats that are no more."""
        nothing, width = bytes(4 * self.stride), 4 * self.stride
        for slot in slots:
            self._memory[slot * width : (slot + 1) * width] = nothing
            self._live[slot] = 0
        self.changes += bool(slots)

    def put(self, slots: list[int], rows: memoryview, numbers: int = 0) -> None:
        """The rows of some slots, one after the other; of each the first `numbers`, or all of them when that is 0."""
        width, count = 4 * self.stride, len(slots)
        part = 4 * numbers or width
        first = slots[0] if slots else 0
        if part == width and slots == list(range(first, first + count)):
            self._memory[first * width : (first + count) * width] = rows
            self._live[first : first + count] = b"\1" * count
        else:
            memory, live, at = self._memory, self._live, 0
            for slot in slots:
                memory[slot * width : slot * width + part] = rows[at : at + part]
                live[slot] = 1
                at += part
        self.changes += bool(slots)

    def complete(self, told: GrowthFiles, order: bytes) -> None:
        """All of a version is here."""
        self.stream, self.version, self.count, self.final = told.stream, told.version, told.count, told.final
        self._order = order


def _table(memory: memoryview, rows: int, stride: int) -> memoryview:
    table: memoryview = _cast(memory, "f", [rows, stride]) if rows else _cast(memory, "f")
    return table


class _Head(NamedTuple):
    magic: bytes
    format: int
    stride: int
    version: int
    since: int
    slots: int
    splats: int
    rows: int
    freed: int
    block_rows: int
    flags: int
    sketch: int
    plain: int


class _Part(NamedTuple):
    """Rows of so many numbers that are still to come, in blocks of at most `most`."""

    rows: int
    numbers: int
    most: int


class Delta:
    """One version on its way into a cloud: bytes in, rows out, block by block.

    What was put in stays when the rest never comes: asking again from the cloud's own version makes it good.
    """

    def __init__(self, cloud: GrowingCloud, told: GrowthFiles) -> None:
        self._cloud = cloud
        self._told = told
        self._held = bytearray()
        self._head: Optional[_Head] = None
        self._freed_left = True
        self._parts: list[_Part] = []
        self._received = 0
        self.done = False

    def feed(self, data: memoryview) -> bool:
        """Take the next bytes; True when the cloud has changed. Raises `TransferFailed` for what is no version."""
        self._received += len(data)
        self._cloud.received_bytes += len(data)
        if self._received > self._told.size_bytes:
            raise TransferFailed(f"a version of {self._told.size_bytes} bytes was announced, more came")
        self._held += data
        before = self._cloud.changes
        while self._step():
            pass
        if self._received == self._told.size_bytes and not self.done:
            raise TransferFailed("the version of the growing cloud is cut short")
        return self._cloud.changes != before

    def _step(self) -> bool:
        """Use up one part of what is held; False when more must come first."""
        if self.done:
            return False
        if self._head is None:
            return self._take_head()
        if self._freed_left:
            return self._take_freed(self._head)
        if self._parts:
            return self._take_block(self._head, self._parts[0])
        return self._take_order(self._head)

    def _taken(self, size_bytes: int) -> Optional[memoryview]:
        if len(self._held) < size_bytes:
            return None
        taken = memoryview(bytes(memoryview(self._held)[:size_bytes]))
        del self._held[:size_bytes]
        return taken

    def _take_head(self) -> bool:
        data = self._taken(HEADER.size)
        if data is None:
            return False
        head = _Head(*HEADER.unpack(data))
        told = self._told
        if head.magic != MAGIC or head.format != FORMAT or head.stride not in STRIDES:
            raise TransferFailed(
                f"the growing cloud comes as {head.magic!r} {head.format}, expected {MAGIC!r} {FORMAT}",
                remedy="Update the older of the two programs.",
            )
        fits = head.rows <= head.splats <= head.slots and head.freed <= head.slots and head.block_rows
        fits = fits and max(head.sketch, head.plain) <= head.rows
        if head.version != told.version or head.splats != told.count or not fits:
            raise TransferFailed(f"version {told.version} of {told.count} splats was announced, {head} came")
        if sys.byteorder != "little":
            raise TransferFailed("growing clouds are little endian, which this machine is not")
        if not told.since or head.stride != self._cloud.stride:
            self._cloud.renew(head.stride)
        self._cloud.widen(head.slots)
        # a sketch is shown in slots whose own rows come later, and is of version 0, so that no update has it
        parts = (
            _Part(head.sketch, head.stride, head.sketch),
            _Part(head.rows - head.plain, head.stride, head.block_rows),
            _Part(head.plain, PLAIN, head.block_rows),
        )
        self._head, self._parts = head, [part for part in parts if part.rows]
        return True

    def _take_freed(self, head: _Head) -> bool:
        data = self._taken(8 * head.freed)
        if data is None:
            return False
        pairs = _cast(data, "I").tolist()
        slots = [slot for slot, when in zip(pairs[::2], pairs[1::2]) if when > self._told.since]
        self._check(slots, head)
        self._cloud.free(slots)
        self._freed_left = False
        return True

    def _take_block(self, head: _Head, part: _Part) -> bool:
        count = min(part.most, part.rows)
        packed, width = head.flags & PACKED, 4 * part.numbers
        data = self._taken(count * (7 + 2 * part.numbers if packed else 12 + width))
        if data is None:
            return False
        slots = _cast(data[: 4 * count], "I").tolist()
        if packed:
            rows = _unpacked(data[4 * count :], count, part.numbers)
        else:
            changed, rows = _cast(data[4 * count : 8 * count], "I").tolist(), data[12 * count :]
            since = self._told.since
            if since and min(changed) <= since:
                newer = [index for index, when in enumerate(changed) if when > since]
                slots = [slots[index] for index in newer]
                rows = memoryview(bytearray().join(rows[index * width : (index + 1) * width] for index in newer))
        self._check(slots, head)
        self._cloud.put(slots, rows, part.numbers)
        left = part._replace(rows=part.rows - count)
        self._parts[:1] = [left] if left.rows else []
        return True

    def _take_order(self, head: _Head) -> bool:
        data = self._taken(4 * head.splats if head.flags & FINAL else 0)
        if data is None:
            return False
        if len(data):
            self._check(_cast(data, "I").tolist(), head)
        self._cloud.complete(self._told, bytes(data))
        self.done = True
        return True

    @staticmethod
    def _check(slots: list[int], head: _Head) -> None:
        if slots and max(slots) >= head.slots:
            raise TransferFailed(f"slot {max(slots)} of {head.slots} in a version of a growing cloud")


def _unpacked(data: memoryview, count: int, numbers: int) -> memoryview:
    """Rows of float32 from their third and fourth bytes, and from the second ones of their positions."""
    each = count * numbers
    rows = bytearray(4 * each)
    rows[2::4], rows[3::4] = data[:each], data[each : 2 * each]
    for axis in range(3):
        start = 2 * each + axis * count
        rows[4 * axis + 1 :: 4 * numbers] = data[start : start + count]
    return memoryview(rows)


class FileDelta:
    """A version that lies on the shared disk, read a little at a time."""

    def __init__(self, cloud: GrowingCloud, told: GrowthFiles, path: str) -> None:
        """Raises `OSError` when the file is gone: there is a newer one, so ask again."""
        self._file: BinaryIO = open(path, "rb", buffering=0)  # noqa: SIM115 - read step by step
        self._delta = Delta(cloud, told)

    @property
    def done(self) -> bool:
        """True when all of it is in the cloud."""
        return self._delta.done

    def step(self) -> bool:
        """Read on; True when the cloud has changed. Raises `TransferFailed`, `OSError`."""
        data = self._file.read(READ_BYTES)
        if not data:
            raise TransferFailed("the version of the growing cloud is cut short")
        changed = self._delta.feed(memoryview(data))
        if self.done:
            self.close()
        return changed

    def close(self) -> None:
        """Give up the rest."""
        self._file.close()

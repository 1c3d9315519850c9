"""Growing clouds for the scripted bridge: rows by slot, cut into files the slow and plain way, row by row."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .growing import FINAL, FIXED, FORMAT, HEADER, MAGIC

BLOCK_ROWS = 64


@dataclass(frozen=True)
class Grows:
    """A step: a version of the cloud, rows of 11 + 3K numbers by slot; slots that it leaves out are free."""

    rows: Mapping[int, Sequence[float]]
    final: bool = False


class FakeGrowth:
    """All versions of one cloud, as the newest rows and when each of them last changed."""

    def __init__(self) -> None:
        self.stream = f"fake-{os.urandom(4).hex()}"
        self.version = 0
        self.final = False
        self.rows: dict[int, bytes] = {}
        self._changed: dict[int, int] = {}
        self._freed: dict[int, int] = {}

    def grow(self, step: Grows) -> None:
        """Take the next version."""
        self.version += 1
        self.final = step.final
        rows = {slot: struct.pack(f"<{len(row)}f", *row) for slot, row in step.rows.items()}
        for slot in set(self.rows) - set(rows):
            self._freed[slot] = self.version
            del self._changed[slot]
        for slot, row in rows.items():
            if self.rows.get(slot) != row:
                self._changed[slot] = self.version
            self._freed.pop(slot, None)
        self.rows = rows

    def told(self, job_id: str) -> dict[str, Any]:
        """The `job.grown` of the newest version."""
        return {"type": "job.grown", "job_id": job_id, "stream": self.stream, "version": self.version,
                "count": len(self.rows), "final": self.final}  # fmt: skip

    def answer(self, ask: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The `growth.files` to a `growth.get`, without its path or transfer, and the file."""
        have = ask["have"] if ask.get("stream") == self.stream else 0
        data = b"" if have >= self.version else self.file(have)
        head = {"type": "growth.files", "request_id": ask["request_id"], "job_id": ask["job_id"],
                "stream": self.stream, "version": self.version, "since": have, "count": len(self.rows),
                "final": self.final, "size_bytes": len(data)}  # fmt: skip
        return head, data

    def file(self, since: int) -> bytes:
        """What changed after a version, the most important rows first; before all of them a fourth, larger."""
        stride = len(next(iter(self.rows.values()), bytes(4 * (FIXED + 3)))) // 4
        freed = sorted((slot, when) for slot, when in self._freed.items() if when > since)
        slots = sorted((slot for slot in self.rows if self._changed[slot] > since), key=self._rank)
        slot_count = 1 + max([*self.rows, *self._freed], default=-1)
        numbers = (stride, self.version, since, slot_count, len(self.rows), len(slots), len(freed), BLOCK_ROWS)
        sketched = [] if since else slots[3::4]
        parts = [HEADER.pack(MAGIC, FORMAT, *numbers, FINAL if self.final else 0, len(sketched), 0)]
        parts += [struct.pack("<II", slot, when) for slot, when in freed]
        parts += _block(sketched, [0] * len(sketched), [_larger(self.rows[slot]) for slot in sketched])
        for start in range(0, len(slots), BLOCK_ROWS):
            block = slots[start : start + BLOCK_ROWS]
            parts += _block(block, [self._changed[slot] for slot in block], [self.rows[slot] for slot in block])
        if self.final:
            order = sorted(self.rows, key=self._rank)
            parts.append(struct.pack(f"<{len(order)}I", *order))
        return b"".join(parts)

    def _rank(self, slot: int) -> tuple[float, int]:
        """Falling opacity × area, then slot."""
        row = struct.unpack(f"<{len(self.rows[slot]) // 4}f", self.rows[slot])
        x, y, z = row[7:10]
        return (-row[10] * (x * y + y * z + z * x), slot)


def _block(slots: Sequence[int], changed: Sequence[int], rows: Sequence[bytes]) -> list[bytes]:
    when = struct.pack(f"<{len(changed)}I", *changed)  # of the row, and of its higher harmonics
    return [struct.pack(f"<{len(slots)}I", *slots), when, when, *rows]


def _larger(row: bytes) -> bytes:
    """What is drawn for a group of splats: one of them, three times as large."""
    values = list(struct.unpack(f"<{len(row) // 4}f", row))
    values[7:10] = [3 * value for value in values[7:10]]
    return struct.pack(f"<{len(values)}f", *values)

"""What a watching client may know of a cloud that grows: the cloud as it was last published, slot by slot.

A splat that has changed too little to be seen stays as it was published, so that a version costs what it shows; the
final version is exact. Publishing takes a tenth of the run's time at most, whatever was wished for.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.growth import (
    FIXED,
    OPACITY,
    PLAIN,
    POSITION,
    ROTATION,
    SCALE,
    SUFFIX,
    Version,
    most_important_first,
    rows_of,
    sketched,
    write,
)
from engines.growth_blocks import rounded
from generators.pipe import Grown, GrowthOrder

SHARE = 0.1
"""Of a run's time goes into publishing at most."""
KEPT = 2
"""Newest versions that stay on disk: a client may just have been told of the one before."""
MOVED, STRETCHED, TURNED = 0.32, 0.16, 0.08
"""A move of so many standard deviations, a change of scale by such a part, of a quaternion by so much is seen …"""
FADED, TINTED, SHEEN = 0.05, 0.05, 0.03
"""… and so is one of opacity, of the plain colour's harmonic, of any higher one.

Chosen on a cloud in training: pictures of what a client holds are within 0.07 dB of the true ones.
"""


@dataclass(frozen=True)
class Limit:
    """What of the cloud is shown before it is finished."""

    splats_max: int
    sh_count: int


class Publisher:
    """Writes the versions of one run's cloud into `folder`."""

    def __init__(self, order: GrowthOrder, folder: Path, run: int) -> None:
        self._folder = folder
        self._run = run
        self._limit = Limit(order.splats_max, (order.sh_degree + 1) ** 2)
        self._every_secs = 1.0 / order.per_sec
        self._due_secs = 0.0
        self._stream = secrets.token_hex(8)
        self._number = 0
        self._files: list[Path] = []
        self._rows = np.zeros((0, FIXED + 3), np.float32)
        self._changed = np.zeros(0, np.uint32)
        self._sheen = np.zeros(0, np.uint32)
        """Version in which a slot's higher harmonics last changed."""
        self._freed = np.zeros(0, np.uint32)
        """Version in which a slot was freed; 0 for one that holds a splat."""
        self._id = np.zeros(0, np.int64)
        """Whose slot it is; -1 for a free one."""
        self._last_ids: NDArray[np.int64] | None = None

    @property
    def due(self) -> bool:
        """Whether a version would be published now."""
        return time.monotonic() >= self._due_secs

    @property
    def begun(self) -> bool:
        """Whether there is a version."""
        return self._number > 0

    def publish(self, splats: Splats, ids: NDArray[np.int64] | None) -> Grown | None:
        """A new version; None when it is not due, or nothing has visibly changed.

        `ids` int64 [N] names each splat for as long as it lives; without them a splat is known by its row.
        """
        if not self.due:
            return None
        began = time.monotonic()
        named = np.arange(len(splats.positions)) if ids is None else ids
        self._last_ids = named
        rows = rows_of(splats, self._limit.sh_count)
        if 0 < self._limit.splats_max < len(rows):
            shown = np.sort(most_important_first(rows)[: self._limit.splats_max])
            rows, named = rows[shown], named[shown]
        told = self._commit(rows, named, exact=False)
        now = time.monotonic()
        self._due_secs = now + max(self._every_secs, (now - began) / SHARE)
        return told

    def finish(self, splats: Splats, order: NDArray[np.int64]) -> Grown:
        """The last version: exactly `splats`, whose rows lie in the asset as `order` says.

        They are taken for those last published when they are as many; wrongly so, more of them are told as changed.
        """
        rows = rows_of(splats)
        ids = self._last_ids if self._last_ids is not None and len(self._last_ids) == len(rows) else None
        told = self._commit(rows, np.arange(len(rows)) if ids is None else ids, exact=True, order=order)
        if told is None:
            raise AssertionError("a final version is always told")
        return told

    def _commit(
        self, rows: FloatArray, ids: NDArray[np.int64], *, exact: bool, order: NDArray[np.int64] | None = None
    ) -> Grown | None:
        number = self._number + 1
        widened = rows.shape[1] != self._rows.shape[1]
        if widened:
            self._widen(rows.shape[1], number)
        slots, new, freed = self._settle(ids, number)
        new |= widened
        if exact:
            changed = sheen = new | exactly(self._rows[slots], rows)
        else:
            sheen = new | otherwise_shiny(self._rows[slots], rows)
            changed = sheen | visibly(self._rows[slots], rows)
            rows = rounded(rows)
        if not (changed.any() or freed or order is not None):
            return None
        self._number = number
        self._rows[slots[changed], :PLAIN] = rows[changed, :PLAIN]
        self._rows[slots[sheen], PLAIN:] = rows[sheen, PLAIN:]
        self._changed[slots[changed]], self._sheen[slots[sheen]] = number, number
        place = None if order is None else slots[order].astype(np.uint32)
        path = self._folder / f"{number}{SUFFIX}"
        self._folder.mkdir(parents=True, exist_ok=True)
        version = self._version(number, place, exact)
        write(sketched(version) if number == 1 else version, path)  # whoever comes later gets it from `cut`
        self._files.append(path)
        for old in self._files[:-KEPT]:
            old.unlink(missing_ok=True)
        del self._files[:-KEPT]
        degree = round(((rows.shape[1] - FIXED) / 3) ** 0.5) - 1
        return Grown(
            run=self._run, stream=self._stream, version=number, count=len(rows), sh_degree=degree, file=str(path),
            final=order is not None,
        )  # fmt: skip

    def _widen(self, stride: int, number: int) -> None:
        """The rows get more or fewer harmonics: all of them are new."""
        self._rows = np.zeros((len(self._rows), stride), np.float32)
        self._changed[:], self._sheen[:] = number, number

    def _settle(self, ids: NDArray[np.int64], number: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], bool]:
        """The slot of each splat, which splats are new, and whether any slot was freed."""
        by_id = np.argsort(self._id, kind="stable")
        sorted_ids = self._id[by_id]
        at = np.searchsorted(sorted_ids, ids)
        known = np.zeros(len(ids), bool)
        inside = at < len(sorted_ids)
        known[inside] = sorted_ids[at[inside]] == ids[inside]
        slots = np.full(len(ids), -1, np.int64)
        slots[known] = by_id[at[known]]
        gone = self._id >= 0
        gone[slots[known]] = False
        self._id[gone], self._freed[gone], self._rows[gone] = -1, number, 0
        new = ~known
        slots[new] = self._vacant(int(new.sum()))
        self._id[slots[new]], self._freed[slots[new]] = ids[new], 0
        return slots, new, bool(gone.any())

    def _vacant(self, count: int) -> NDArray[np.int64]:
        """So many free slots, the lowest first, more being made where they do not suffice."""
        free = np.nonzero(self._id < 0)[0][:count]
        more, have = count - len(free), len(self._id)
        if more:
            self._rows = np.concatenate([self._rows, np.zeros((more, self._rows.shape[1]), np.float32)])
            self._changed = np.concatenate([self._changed, np.zeros(more, np.uint32)])
            self._sheen = np.concatenate([self._sheen, np.zeros(more, np.uint32)])
            self._freed = np.concatenate([self._freed, np.zeros(more, np.uint32)])
            self._id = np.concatenate([self._id, np.full(more, -1, np.int64)])
        return np.concatenate([free, np.arange(have, have + more)]).astype(np.int64)

    def _version(self, number: int, order: NDArray[np.uint32] | None, exact: bool) -> Version:
        live = np.nonzero(self._id >= 0)[0]
        free = np.nonzero(self._id < 0)[0]
        slots = live[most_important_first(self._rows[live])]
        freed = np.stack([free.astype(np.uint32), self._freed[free]], axis=1)
        return Version(
            number, slots.astype(np.uint32), self._changed[slots], self._rows[slots], freed, len(self._id), len(live),
            order=order, sheen=self._sheen[slots], rounded=not exact,
        )  # fmt: skip


def exactly(old: FloatArray, new: FloatArray) -> NDArray[np.bool_]:
    """Which rows differ in any bit."""
    differs: NDArray[np.bool_] = (old.view(np.uint32) != new.view(np.uint32)).any(1)
    return differs


def visibly(old: FloatArray, new: FloatArray) -> NDArray[np.bool_]:
    """Which rows differ so much that it can be seen."""
    size = np.maximum(new[:, SCALE].max(1), np.float32(1e-12))
    off: NDArray[np.bool_] = np.abs(new[:, POSITION] - old[:, POSITION]).max(1) > MOVED * size
    off |= (np.abs(new[:, SCALE] - old[:, SCALE]) > STRETCHED * new[:, SCALE]).any(1)
    sign = np.where((new[:, ROTATION] * old[:, ROTATION]).sum(1) < 0, np.float32(-1), np.float32(1))
    off |= np.abs(new[:, ROTATION] - sign[:, None] * old[:, ROTATION]).max(1) > TURNED
    off |= np.abs(new[:, OPACITY] - old[:, OPACITY]) > FADED
    off |= np.abs(new[:, FIXED:PLAIN] - old[:, FIXED:PLAIN]).max(1) > TINTED
    return off | otherwise_shiny(old, new)


def otherwise_shiny(old: FloatArray, new: FloatArray) -> NDArray[np.bool_]:
    """Which rows differ visibly in their higher harmonics."""
    if new.shape[1] == PLAIN:
        return np.zeros(len(new), bool)
    off: NDArray[np.bool_] = np.abs(new[:, PLAIN:] - old[:, PLAIN:]).max(1) > SHEEN
    return off

"""Nearest neighbours among points, in numba: a tree of bounding boxes, halved along their longest sides.

Splat clouds are a thousand times denser on the subject than behind it, so a plain grid would be slow somewhere; a
tree over equal groups of points is not. Answers are exact and the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

LEAF = 8
"""Points in one leaf."""
DEPTH_MAX = 48
BATCH = 1 << 15
"""Queries between two looks at whether the job was cancelled: some 50 ms."""

Ints = NDArray[np.int32]
Check = Callable[[], None]


def unchecked() -> None:
    """For callers that cannot be cancelled."""


class Neighbours:
    """Points float32 [N, 3], N ≥ 1, ready to be asked for their nearest."""

    def __init__(self, points: FloatArray, check: Check = unchecked) -> None:
        count = len(points)
        if count == 0:
            raise ValueError("a tree needs at least one point")
        leaves = 1
        while leaves * LEAF < count:
            leaves *= 2
        self.order = np.arange(count, dtype=np.int32)
        self.boxes = np.empty((2 * leaves - 1, 6), np.float32)
        self.starts = np.empty(leaves + 1, np.int32)
        self.homes = np.empty(count, np.int32)
        axes = np.ascontiguousarray(points.T, np.float32)
        ends = np.zeros((2 * leaves - 1, 2), np.int32)
        ends[0, 1] = count
        self.starts[leaves] = count
        first = 0
        while first < 2 * leaves - 1:  # level by level; each takes a few hundredths of a second for a million points
            check()
            _build(axes, self.order, self.boxes, self.starts, self.homes, ends, first, 2 * first + 1)
            first = 2 * first + 1
        self.points = np.ascontiguousarray(points[self.order], np.float32)
        self._tree = (self.points, self.boxes, self.order, self.starts, self.homes)

    def __len__(self) -> int:
        return len(self.points)

    def nearest(self, count: int, check: Check = unchecked) -> tuple[FloatArray, Ints]:
        """For each point its `count` nearest others: distances float32 [N, count] rising, and rows int32 [N, count].

        Where there are fewer others the distance is infinite and the row -1.
        """
        distances = np.empty((len(self), count), np.float32)
        rows = np.empty((len(self), count), np.int32)
        for first in range(0, len(self), BATCH):
            check()
            last = min(first + BATCH, len(self))
            _search(*self._tree, self.points, self.order, True, first, last, distances, rows)
        return distances, rows

    def nearest_to(self, queries: FloatArray, count: int, check: Check = unchecked) -> tuple[FloatArray, Ints]:
        """For each query point [M, 3] the `count` nearest of these points, as in `nearest`."""
        wanted = np.ascontiguousarray(queries, np.float32)
        distances = np.empty((len(wanted), count), np.float32)
        rows = np.empty((len(wanted), count), np.int32)
        own = np.arange(len(wanted), dtype=np.int32)
        for first in range(0, len(wanted), BATCH):
            check()
            last = min(first + BATCH, len(wanted))
            _search(*self._tree, wanted, own, False, first, last, distances, rows)
        return distances, rows


@inlined
def _select(values: FloatArray, order: Ints, low: Any, high: Any, middle: Any) -> None:
    """Reorder low … high so that what is before `middle` is not above it, and what is behind is not below (Hoare)."""
    high -= 1
    while low < high:
        a, b, c = values[order[low]], values[order[(low + high) // 2]], values[order[high]]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[order[i]] < pivot:
                i += 1
            while pivot < values[order[j]]:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@parallel_kernel
def _build(
    axes: FloatArray,
    order: Ints,
    boxes: FloatArray,
    starts: Ints,
    homes: Ints,
    ends: Ints,
    from_node: int,
    to_node: int,
) -> None:
    """Halve the points of each of some nodes along the longest side of their box, or end there with a leaf."""
    leaves = len(starts) - 1
    for node in prange(from_node, to_node):
        first, last = ends[node]
        box = boxes[node]
        for axis in range(3):
            least, most = np.float32(np.inf), np.float32(-np.inf)
            for i in range(first, last):
                value = axes[axis, order[i]]
                least, most = min(least, value), max(most, value)
            box[axis], box[3 + axis] = least, most
        if node >= leaves - 1:
            starts[node - (leaves - 1)] = first
            for i in range(first, last):
                homes[i] = node - (leaves - 1)
            continue
        widest = 0
        for axis in range(1, 3):
            if box[3 + axis] - box[axis] > box[3 + widest] - box[widest]:
                widest = axis
        middle = (first + last) // 2
        if last - first > 1:
            _select(axes[widest], order, first, last, middle)
        ends[2 * node + 1, 0], ends[2 * node + 1, 1] = first, middle
        ends[2 * node + 2, 0], ends[2 * node + 2, 1] = middle, last


@inlined
def _box_distance(box: FloatArray, x: Any, y: Any, z: Any) -> Any:
    zero = np.float32(0)
    dx = max(max(box[0] - x, x - box[3]), zero)
    dy = max(max(box[1] - y, y - box[4]), zero)
    dz = max(max(box[2] - z, z - box[5]), zero)
    return dx * dx + dy * dy + dz * dz


@inlined
def _scan(
    points: FloatArray, order: Ints, first: Any, last: Any, own: Any, x: Any, y: Any, z: Any, best: Any, found: Any
) -> None:
    """Insert the points of one leaf into the rising list of the best; equals keep the order in which they came."""
    worst = len(best) - 1
    for j in range(first, last):
        if order[j] == own:
            continue
        dx, dy, dz = points[j, 0] - x, points[j, 1] - y, points[j, 2] - z
        distance = dx * dx + dy * dy + dz * dz
        if distance < best[worst]:
            at = worst
            while at > 0 and best[at - 1] > distance:
                best[at], found[at] = best[at - 1], found[at - 1]
                at -= 1
            best[at], found[at] = distance, order[j]


@parallel_kernel
def _search(
    points: FloatArray,
    boxes: FloatArray,
    order: Ints,
    starts: Ints,
    homes: Ints,
    queries: FloatArray,
    rows: Ints,
    selves: bool,
    first: int,
    last: int,
    distances: FloatArray,
    found: Ints,
) -> None:
    leaves = (len(boxes) + 1) // 2
    count = distances.shape[1]
    for q in prange(first, last):
        best, near = np.full(count, np.float32(np.inf), np.float32), np.full(count, -1, np.int32)
        nodes, bounds = np.empty(DEPTH_MAX, np.int32), np.empty(DEPTH_MAX, np.float32)
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        own = rows[q] if selves else np.int32(-1)
        home = homes[q] if selves else np.int32(-1)
        if home >= 0:  # the point's own leaf first: most of the tree is then too far away
            _scan(points, order, starts[home], starts[home + 1], own, x, y, z, best, near)
        nodes[0], bounds[0], top = 0, np.float32(0), 1
        while top > 0:
            top -= 1
            node = nodes[top]
            if bounds[top] >= best[count - 1]:
                continue
            while node < leaves - 1:
                left, right = 2 * node + 1, 2 * node + 2
                to_left, to_right = _box_distance(boxes[left], x, y, z), _box_distance(boxes[right], x, y, z)
                closer, farther, bound = left, right, to_right
                if to_right < to_left:
                    closer, farther, bound = right, left, to_left
                if bound < best[count - 1]:
                    nodes[top], bounds[top] = farther, bound
                    top += 1
                node = closer
            leaf = node - (leaves - 1)
            if leaf != home and _box_distance(boxes[node], x, y, z) < best[count - 1]:
                _scan(points, order, starts[leaf], starts[leaf + 1], own, x, y, z, best, near)
        row = rows[q]
        for k in range(count):
            distances[row, k], found[row, k] = np.sqrt(best[k]), near[k]


@kernel
def _root(parents: Ints, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@kernel
def _join(neighbours: Ints, linked: NDArray[np.bool_], parents: Ints) -> None:
    for i in range(len(neighbours)):
        for k in range(neighbours.shape[1]):
            if linked[i, k]:
                one, other = _root(parents, i), _root(parents, neighbours[i, k])
                if one < other:
                    parents[other] = one
                elif other < one:
                    parents[one] = other
    for i in range(len(parents)):
        parents[i] = _root(parents, i)


def components(neighbours: Ints, linked: NDArray[np.bool_]) -> Ints:
    """For each of N rows the lowest row that it is joined to, int32 [N], by the links [N, k] that are said to hold."""
    parents = np.arange(len(neighbours), dtype=np.int32)
    _join(neighbours, np.ascontiguousarray(linked & (neighbours >= 0)), parents)
    return parents

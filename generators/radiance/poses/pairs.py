"""Which photographs are worth comparing, and which of their features are the same.

Distances are angles between descriptors of unit length. Candidates come from each photograph's largest features alone
(preemptive matching: C. Wu, "Towards Linear-Time Incremental Structure from Motion", 3DV 2013), so that no vocabulary
has to be downloaded and no photograph be compared with all others at full cost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray

RATIO, ANGLE_MAX = 0.8, 0.7
"""Lowe's ratio and the largest angle in radians; COLMAP's defaults."""
PREVIEW_FEATURES = 400
FEW_FEATURES = 128
"""Taken instead when there are more than `MANY` photographs: the comparison grows with the square of both."""
MANY = 300
SHARED_LEAST = {PREVIEW_FEATURES: 8, FEW_FEATURES: 5}
"""Photographs of different things share up to seven of 400 features by chance, and four of 128."""
NEIGHBOURS = 4
"""Frames of a film are compared with so many before and after, whatever they share."""


def unit(descriptors: NDArray[np.uint8]) -> FloatArray:
    """Descriptors float32 [N, D] of unit length."""
    values = descriptors.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6), np.float32)


def matched(one: FloatArray, other: FloatArray) -> NDArray[np.uint32]:
    """Pairs of rows [M, 2] that are each other's nearest by far: Lowe's ratio test and a cross check."""
    if len(one) == 0 or len(other) < 2:
        return np.empty((0, 2), np.uint32)
    likeness = one @ other.T
    rows = np.arange(len(one))
    best, back = likeness.argmax(1), likeness.argmax(0)
    first = likeness[rows, best]
    likeness[rows, best] = -1
    second = likeness.max(1)
    angle, next_angle = np.arccos(np.clip(first, -1, 1)), np.arccos(np.clip(second, -1, 1))
    keep = (angle < ANGLE_MAX) & (angle < RATIO * next_angle) & (back[best] == rows)
    return np.stack([rows[keep], best[keep]], 1).astype(np.uint32)


def preview(descriptors: NDArray[np.uint8], sizes: NDArray[Any], count: int) -> FloatArray:
    """The descriptors of the `count` largest features: those that survive a change of distance best."""
    return unit(descriptors[np.argsort(-sizes, kind="stable")[:count]])


def shared_counts(
    previews: Sequence[FloatArray], each: Callable[[Callable[[int], None], int], None]
) -> NDArray[np.int32]:
    """How many preview features every two photographs share, int32 [N, N], zero on and below the diagonal.

    `each(work, count)` runs `work(index)` for all indices below `count`, in any order and in threads if it likes.
    """
    count = len(previews)
    shared = np.zeros((count, count), np.int32)

    def row(index: int) -> None:
        for other in range(index + 1, count):
            shared[index, other] = len(matched(previews[index], previews[other]))

    each(row, count)
    return shared


def chosen_pairs(
    shared: NDArray[np.int32], *, partners_max: int, least: int = SHARED_LEAST[PREVIEW_FEATURES], ordered: bool = False
) -> list[tuple[int, int]]:
    """The pairs worth comparing in full, sorted.

    Each photograph proposes the `partners_max` that share most with it, of those that share `least`, and never fewer
    than three; frames of a film propose their neighbours besides. What would fall apart into groups that have nothing
    to do with each other is joined by the pairs that share most across them.
    """
    count = len(shared)
    both = shared + shared.T
    pairs: set[tuple[int, int]] = set()
    for index in range(count):
        order = [int(other) for other in np.argsort(-both[index], kind="stable") if other != index]
        wanted = [other for other in order[:partners_max] if both[index, other] >= least]
        if len(wanted) < 3:
            wanted = order[:3]
        if ordered:
            wanted += [other for other in range(index - NEIGHBOURS, index + NEIGHBOURS + 1) if 0 <= other < count]
        pairs |= {(min(index, other), max(index, other)) for other in wanted if other != index}
    return sorted(pairs | set(spanning_tree(both)))


def spanning_tree(shared: NDArray[np.int32]) -> list[tuple[int, int]]:
    """The pairs of a tree over all photographs that share most together (Prim 1957), as (smaller, larger)."""
    count = len(shared)
    best, via = shared[0].astype(np.int64), np.zeros(count, int)
    best[0] = -1
    tree = []
    for _ in range(count - 1):
        new = int(best.argmax())
        tree.append((min(new, int(via[new])), max(new, int(via[new]))))
        best[new] = -1
        closer = (best >= 0) & (shared[new] > best)
        best[closer], via[closer] = shared[new][closer], new
    return tree


def further_pairs(
    shared: NDArray[np.int32], tried: Collection[tuple[int, int]], lonely: Collection[int], most: int
) -> list[tuple[int, int]]:
    """Pairs of photographs that could not be placed with any others, not tried yet, those that share most first."""
    found = {(min(one, other), max(one, other)) for one in lonely for other in range(len(shared)) if other != one}
    left = sorted(found - set(tried), key=lambda pair: (-int(shared[pair]), pair))
    return sorted(left[:most])

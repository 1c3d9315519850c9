"""In which order the arrays of a cloud leave so that it can be drawn while it arrives: rows of all of them together.

Splats are stored in falling importance, so the first rows are a picture of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bridge.messages import CHUNK_BYTES, FileRow

Chunks = list[tuple[int, int, int]]
"""File index, offset, bytes."""
FIRST_SHARE = 1 / 100
"""The first rows are so many at most, and no later ones more than a chunk of the longest array holds."""


def interleaved(files: Sequence[FileRow]) -> Chunks | None:
    """The chunks of arrays that have a row for each splat, row by row; None when these are no such arrays."""
    counts = {file.shape[0] if file.shape else 0 for file in files}
    if len(files) < 2 or len(counts) != 1 or 0 in counts:
        return None
    (count,) = counts
    widths = [math.prod(file.shape[1:]) * int(file.dtype[2:]) for file in files]
    if any(file.size_bytes != file.offset + count * width for file, width in zip(files, widths, strict=True)):
        return None
    most = max(1, CHUNK_BYTES // max(widths) - 1)
    plan: Chunks = []
    done, rows = 0, max(1, min(most, int(count * FIRST_SHARE)))
    while done < count:
        end = min(count, done + rows)
        for index, (file, width) in enumerate(zip(files, widths, strict=True)):
            start = 0 if done == 0 else file.offset + done * width
            plan.append((index, start, file.offset + end * width - start))
        done, rows = end, min(most, 2 * rows)
    return plan

"""The comment by which our PLY and OBJ files say their axes and unit: `scenecast frame X Y Z UNIT WINDING UV`."""

from __future__ import annotations

from collections.abc import Iterable

from engines.conventions import Axes
from engines.errors import DamagedFile
from engines.transforms import Frame, handedness


def frame_comment(frame: Frame) -> str:
    """The comment's text."""
    front = "ccw" if frame.front_ccw else "cw"
    origin = "bottom_left" if frame.uv_bottom_left else "top_left"
    return f"scenecast frame {frame.axes.x} {frame.axes.y} {frame.axes.z} {frame.unit_m!r} {front} {origin}"


def frame_in(comments: Iterable[str], unmarked: Frame) -> Frame:
    """The frame that a file's comments state, or `unmarked`. Raises `DamagedFile` for a comment that makes no sense."""
    for comment in comments:
        words = comment.split()
        if words[:2] != ["scenecast", "frame"]:
            continue
        try:
            x, y, z, unit, front, origin = words[2:]
            frame = Frame(Axes(x, y, z), float(unit), front == "ccw", origin == "bottom_left")  # type: ignore[arg-type]
            handedness(frame.axes)
        except (ValueError, KeyError) as error:
            raise DamagedFile(f"the comment about axes makes no sense: {comment[:80]!r}") from error
        if not 1e-9 < frame.unit_m < 1e9 or front not in ("ccw", "cw") or origin not in ("bottom_left", "top_left"):
            raise DamagedFile(f"the comment about axes makes no sense: {comment[:80]!r}")
        return frame
    return unmarked

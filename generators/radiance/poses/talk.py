"""What a run and its COLMAP process tell each other: one order as a file, lines of progress, one answer as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

ORDER, ANSWER, POINTS = "order.json", "answer.json", "points.npz"


class View(msgspec.Struct, frozen=True):
    """One photograph: its working picture uint8 [H, W, 3] and its mask bool [H, W] as `.npy` files in the folder."""

    name: str
    pixels: str
    camera: int
    """Index into `Order.cameras`."""
    mask: str = ""


class ViewCamera(msgspec.Struct, frozen=True):
    """A lens at the working size; `known_focal` when EXIF told the focal length."""

    model: str
    width: int
    height: int
    focal_px: float
    known_focal: bool


class Order(msgspec.Struct, frozen=True):
    """All that the process needs to know."""

    views: tuple[View, ...]
    cameras: tuple[ViewCamera, ...]
    ordered: bool
    """Whether the views follow each other, as the frames of a film do."""
    threads: int
    seed: int
    features_max: int = 4096
    partners_max: int = 12
    mapper: Literal["incremental", "global"] = "incremental"


class Said(msgspec.Struct, frozen=True):
    """One line of progress: `done` of `total` in a stage; `kept` is what came of it so far."""

    stage: Literal["features", "pairs", "matching", "mapping"]
    done: int
    total: int
    kept: int = 0


class Placed(msgspec.Struct, frozen=True):
    """One group of views that were placed together: its cameras by index and `camera_from_world` as 12 numbers."""

    views: dict[int, tuple[float, ...]]
    cameras: dict[int, tuple[float, ...]]
    """COLMAP's parameters by index into `Order.cameras`; the model is the one that was ordered."""
    points: int
    error_px: float


class Answer(msgspec.Struct, frozen=True):
    """The groups, largest first; the points of the first lie in `POINTS`."""

    groups: tuple[Placed, ...]
    features: tuple[int, ...]
    """How many features each view has."""
    matched: tuple[int, ...]
    """With how many others each view was matched and verified."""
    turned: bool
    """Whether the pairs show nothing but a camera that turned on the spot; then there is no group."""
    secs: dict[str, float]
    version: str = ""


def write(value: Order | Answer, path: Path) -> None:
    """Write as JSON, whole or not at all."""
    half = path.with_suffix(".part")
    half.write_bytes(msgspec.json.encode(value))
    half.replace(path)

"""What a folder or zip of photographs holds: which can be used, from where each was taken, and what was left out.

Everything is carried to neutral axes (right-handed, +Y up); `neutral_from_source` records how. What cannot be
used is named with its reason and skipped; only a capture with nothing usable at all is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engines.errors import EnginesError
from generators.radiance import colmap, transforms_json
from generators.radiance.archive import CaptureError, Source, open_source
from generators.radiance.colmap import Points
from generators.radiance.transforms_json import EXTENSIONS, Listed

NEUTRAL_FROM_Z_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)
FRAMES_MIN = 3
POINTS_MAX = 20_000_000
LISTINGS = ("transforms.json", "transforms_train.json")
MODELS = ("cameras.bin", "cameras.txt")


@dataclass(frozen=True)
class Skipped:
    """A photograph that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Capture:
    """Posed photographs, not yet decoded.

    `frames` hold poses in neutral axes and camera axes of OpenCV; their files exist and differ from each other.
    `neutral_from_source` float64 [4, 4], a similarity, carries the file's own world to neutral axes and
    `source_from_original` is what an earlier tool had applied to the poses, if it said so. `points` are neutral.
    """

    path: Path
    frames: tuple[Listed, ...]
    skipped: tuple[Skipped, ...]
    neutral_from_source: NDArray[np.float64]
    source_from_original: NDArray[np.float64] | None
    points: Points | None
    kind: str
    unit_m: float | None = None
    """Metres in one unit of the poses, where the capture says so."""


def has_poses(source: Source) -> bool:
    """Whether a capture says from where its photographs were taken, whatever that is worth."""
    return _first(source.names, LISTINGS) is not None or _first(source.names, MODELS) is not None


def unchecked() -> None:
    """For those who let work run to its end: never raises."""


def read_capture(path: Path, check: Callable[[], None] = unchecked) -> Capture:
    """The capture in a folder or zip: a `transforms.json` in any dialect, or a COLMAP model, and its photographs.

    `check` is called before each photograph; what it raises ends the work. Raises `CaptureError` when there are no
    poses, the pose file is damaged, or fewer than 3 photographs remain.
    """
    with open_source(path) as source:
        listing, model = _first(source.names, LISTINGS), _first(source.names, MODELS)
        original: NDArray[np.float64] | None = None
        points: Points | None = None
        metres: float | None = None
        if listing is not None:
            document = transforms_json.parse(source.read(listing), listing)
            listed, original, metres = list(document.frames), document.applied, document.unit_m
            neutral_from_source, kind, root = NEUTRAL_FROM_Z_UP, "transforms.json", PurePosixPath(listing).parent
            points = _listed_points(source, document, root)
        elif model is not None:
            listed, points = _read_colmap(source, model)
            neutral_from_source, kind = upright(listed), "COLMAP"
            root = PurePosixPath(model).parent
        else:
            raise CaptureError(
                f"{path.name} holds no camera poses; expected transforms.json or a COLMAP model (cameras.bin or .txt). "
                "capture.poses finds them from the photographs alone"
            )
        frames, skipped = _existing(source, listed, root, check)
    if len(frames) < FRAMES_MIN:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in skipped[:5])
        raise CaptureError(
            f"{len(frames)} of {len(listed)} photographs can be used, at least {FRAMES_MIN} are needed. {reasons}"
        )
    if metres is not None:
        neutral_from_source = np.diag([metres, metres, metres, 1.0]) @ neutral_from_source
    if points is not None:
        moved = points.positions @ neutral_from_source[:3, :3].T + neutral_from_source[:3, 3]
        points = replace(points, positions=moved.astype(np.float32))
    frames = [
        replace(
            frame,
            world_from_camera=_carried(frame.world_from_camera, neutral_from_source),
            depth_unit=frame.depth_unit * (metres or 1.0),
        )
        for frame in frames
    ]
    return Capture(
        path=path,
        frames=tuple(frames),
        skipped=tuple(skipped),
        neutral_from_source=neutral_from_source,
        source_from_original=original,
        points=points,
        kind=kind,
        unit_m=metres,
    )


def _carried(pose: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A pose carried by a similarity; it stays rigid."""
    result = matrix @ pose
    result[:3, :3] /= np.cbrt(np.linalg.det(matrix[:3, :3]))
    return result


def _first(names: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The shallowest file of one of these names, in the order of preference."""
    found = [name for name in names if PurePosixPath(name).name in wanted]
    return min(
        found,
        key=lambda name: (wanted.index(PurePosixPath(name).name), len(PurePosixPath(name).parts), name),
        default=None,
    )


def _listed_points(source: Source, document: transforms_json.Document, root: PurePosixPath) -> Points | None:
    """The points that a transforms.json names (nerfstudio's `ply_file_path`), when they are there."""
    name = None if document.points is None else str(root / document.points)
    return points_from_ply(source.read(name), name) if name is not None and name in source.names else None


def points_from_ply(content: bytes, name: str) -> Points:
    """Positions and colours of a PLY's vertices; white without colours. Raises `CaptureError` when it is damaged."""
    from engines import ply_container

    try:
        header = ply_container.read_header(content, POINTS_MAX)
        columns = ply_container.read_tables(content, header)["vertex"].columns
        positions = np.stack([columns[axis] for axis in "xyz"], -1).astype(np.float32)
    except (EnginesError, KeyError) as error:
        raise CaptureError(f"{name} holds no points that can be read: {error}") from error
    colours = np.ones_like(positions)
    if all(column in columns for column in ("red", "green", "blue")):
        raw = np.stack([columns[column] for column in ("red", "green", "blue")], -1)
        colours = (raw / 255 if raw.dtype == np.uint8 else raw).astype(np.float32)
    known = np.isfinite(positions).all(1)
    return Points(positions[known], np.clip(colours[known], 0, 1))


def _read_colmap(source: Source, model: str) -> tuple[list[Listed], Points | None]:
    folder, suffix = PurePosixPath(model).parent, PurePosixPath(model).suffix
    images, points = str(folder / f"images{suffix}"), str(folder / f"points3D{suffix}")
    if images not in source.names:
        raise CaptureError(f"{model} is there but {images} is not; the COLMAP model is incomplete")
    text = suffix == ".txt"
    parse = colmap.parse_text if text else colmap.parse_binary
    listed = sorted(parse(source.read(model), source.read(images)), key=lambda frame: frame.file)
    if not listed:
        raise CaptureError(f"{images} places no photograph")
    if points not in source.names:
        return listed, None
    read_points = colmap.parse_points_text if text else colmap.parse_points_binary
    return listed, read_points(source.read(points))


def upright(frames: list[Listed]) -> NDArray[np.float64]:
    """A rotation [4, 4] that turns the mean up direction of the cameras to +Y; people hold cameras level."""
    ups = np.array([-frame.world_from_camera[:3, 1] for frame in frames])
    up = ups.mean(0)
    length = np.linalg.norm(up)
    up = up / length if length > 0.1 else ups[0] / np.linalg.norm(ups[0])
    ahead = np.mean([frame.world_from_camera[:3, 2] for frame in frames], axis=0)
    ahead = ahead - up * (ahead @ up)
    if np.linalg.norm(ahead) < 1e-3:  # cameras all around: any heading will do
        ahead = np.eye(3)[np.argmin(np.abs(up))]
        ahead = ahead - up * (ahead @ up)
    back = -ahead / np.linalg.norm(ahead)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross(up, back), up, back])
    return matrix


def _existing(
    source: Source, listed: list[Listed], root: PurePosixPath, check: Callable[[], None]
) -> tuple[list[Listed], list[Skipped]]:
    """The frames whose photograph is there and new, and why the others are not used."""
    by_tail: dict[str, list[str]] = {}
    for known in sorted(source.names):
        by_tail.setdefault(PurePosixPath(known).name, []).append(known)
    frames: list[Listed] = []
    skipped: list[Skipped] = []
    used: dict[str, str] = {}
    for frame in listed:
        check()
        name: str | None = _find(frame.file, source.names, by_tail, root)
        if name is None:
            skipped.append(Skipped(frame.file, "the file is missing"))
            continue
        try:
            digest = hashlib.sha256(source.read(name)).hexdigest()
        except CaptureError as error:
            skipped.append(Skipped(frame.file, str(error)))
            continue
        if digest in used:
            skipped.append(Skipped(frame.file, f"the same photograph as {used[digest]}"))
            continue
        used[digest] = frame.file
        mask, depth = (
            None if other is None else _find(other, source.names, by_tail, root) for other in (frame.mask, frame.depth)
        )
        frames.append(replace(frame, file=name, mask=mask or mask_for(name, source.names), depth=depth))
    return frames, skipped


def mask_for(name: str, names: frozenset[str]) -> str | None:
    """A photograph's mask: in a folder `mask` or `masks` beside its own, under its name or with `.png` added."""
    path = PurePosixPath(name)
    for folder in (path.parent, path.parent.parent):
        for masks in ("masks", "mask"):
            for file in (f"{path.name}.png", f"{path.stem}.png", path.name, f"{path.stem}.jpg"):
                candidate = str(folder / masks / file)
                if candidate in names and candidate != name:
                    return candidate
    return None


def _find(file: str, names: frozenset[str], by_tail: dict[str, list[str]], root: PurePosixPath) -> str | None:
    """The file of that name beside the pose file, below `images/`, or the only one anywhere that ends the same."""
    parents = [root, root / "images", root.parent / "images", root.parent.parent / "images"]
    for parent in parents:
        for extension in EXTENSIONS:
            candidate = str(parent / (file + extension))
            if candidate in names:
                return candidate
    alike = by_tail.get(PurePosixPath(file).name, [])
    fitting = [name for name in alike if name.endswith("/" + file)] or alike
    return fitting[0] if len(fitting) == 1 else None

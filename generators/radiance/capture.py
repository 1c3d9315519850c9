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
from generators.radiance.dialects import photogrammetry, telephones
from generators.radiance.dialects.shared import NEUTRAL_FROM_Z_UP as NEUTRAL_FROM_Z_UP
from generators.radiance.dialects.shared import Dialect
from generators.radiance.transforms_json import EXTENSIONS, Listed

FRAMES_MIN = 3
POINTS_MAX = 20_000_000
LISTINGS = ("transforms.json", "transforms_train.json")
MODELS = ("cameras.bin", "cameras.txt")
OTHERS: tuple[Callable[[Source], Dialect | None], ...] = (
    telephones.polycam,
    telephones.record3d,
    telephones.scanner_app,
    telephones.scannet,
    photogrammetry.reality_capture,
    photogrammetry.metashape,
)
UNREAD_POSES = {
    "cameras.sfm": "Meshroom",
    "reconstruction.json": "OpenSfM or OpenDroneMap",
    "bundle.out": "Bundler",
    "poses_bounds.npy": "LLFF",
    "calibrated_camera_parameters.txt": "Pix4D",
}


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
    notes: tuple[str, ...] = ()
    """What was chosen or assumed in reading it."""


def has_poses(source: Source) -> bool:
    """Whether a capture says from where its photographs were taken, whatever that is worth."""
    if _first(source.names, LISTINGS) is not None or _first(source.names, MODELS) is not None:
        return True
    return any(reader(source) is not None for reader in OTHERS)


def unread_poses(source: Source) -> str:
    """A sentence on poses that come with a capture in a form that is not read, or an empty one."""
    for name in sorted(source.names):
        program = UNREAD_POSES.get(PurePosixPath(name).name.lower())
        if program is not None:
            return f"{name} seems to hold camera poses by {program}, which are not read; export them as a COLMAP model"
    return ""


def unchecked() -> None:
    """For those who let work run to its end: never raises."""


def read_capture(path: Path, check: Callable[[], None] = unchecked) -> Capture:
    """The capture in a folder or zip: posed photographs in any of the dialects that `docs/captures.md` names.

    `check` is called before each photograph; what it raises ends the work. Raises `CaptureError` when there are no
    poses, the pose file is damaged, or fewer than 3 photographs remain.
    """
    with open_source(path) as source:
        read = _read(source, path.name)
        frames, skipped = _existing(source, list(read.frames), read.root, check)
    skipped += [Skipped(name, reason) for name, reason in read.unposed]
    if len(frames) < FRAMES_MIN:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in skipped[:5])
        raise CaptureError(
            f"{len(frames)} of {len(frames) + len(skipped)} photographs can be used, at least {FRAMES_MIN} are needed. "
            f"{reasons}"
        )
    neutral_from_source, metres, points = read.neutral_from_source, read.unit_m, read.points
    if neutral_from_source is None:
        neutral_from_source = upright(list(read.frames))
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
        source_from_original=read.source_from_original,
        points=points,
        kind=read.kind,
        unit_m=metres,
        notes=read.notes,
    )


def _read(source: Source, name: str) -> Dialect:
    """What the capture's listing says, whatever its dialect. Raises `CaptureError` without one."""
    listing = _first(source.names, LISTINGS)
    if listing is not None:
        document, root = transforms_json.parse(source.read(listing), listing), PurePosixPath(listing).parent
        points = _listed_points(source, document, root)
        return Dialect(
            *("transforms.json", document.frames, root, NEUTRAL_FROM_Z_UP, document.unit_m, points, document.applied)
        )
    models = sorted(one for one in source.names if PurePosixPath(one).name in MODELS)
    if models:
        return _largest_model(source, models)
    for reader in OTHERS:
        read = reader(source)
        if read is not None:
            return read
    raise CaptureError(
        f"{name} holds no camera poses; expected transforms.json or a COLMAP model (cameras.bin or .txt), or one of "
        "the exports that the documentation of captures names. "
        + (unread_poses(source) or "capture.poses finds them from the photographs alone")
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


def _largest_model(source: Source, models: list[str]) -> Dialect:
    """Of COLMAP's models that lie equally deep, as `sparse/0` and `sparse/1` do, the one with most photographs."""
    first = _first(models, MODELS)
    alike = [
        one
        for one in models
        if first is not None
        and PurePosixPath(one).name == PurePosixPath(first).name
        and PurePosixPath(one).parent.parent == PurePosixPath(first).parent.parent
    ]
    read = [(one, *_read_colmap(source, one)) for one in alike]
    name, listed, points = max(read, key=lambda one: len(one[1]))
    notes: tuple[str, ...] = ()
    if len(read) > 1:
        folder = PurePosixPath(name).parent
        notes = (f"of {len(read)} COLMAP models the largest is used, {folder}, with {len(listed)} photographs",)
    return Dialect("COLMAP", tuple(listed), PurePosixPath(name).parent, None, points=points, notes=notes)


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
    """The file of that name beside the pose file, below `images/`, or the one anywhere whose path ends most alike."""
    parents = [root, root / "images", root.parent / "images", root.parent.parent / "images"]
    for parent in parents:
        for extension in EXTENSIONS:
            candidate = str(parent / (file + extension))
            if candidate in names:
                return candidate
    tail = PurePosixPath(file).name
    alike = [name for extension in EXTENSIONS for name in by_tail.get(tail + extension, [])]
    if not alike:
        return None
    ends = [_same_folders(file, name) for name in alike]
    return alike[ends.index(max(ends))] if ends.count(max(ends)) == 1 else None


def _same_folders(one: str, other: str) -> int:
    """How many folders two paths have in common, counted from their ends."""
    pairs = zip(reversed(PurePosixPath(one).parts[:-1]), reversed(PurePosixPath(other).parts[:-1]), strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/")))

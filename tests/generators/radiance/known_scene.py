"""A corner of a room with a ball and a box whose surface, colours, cameras and lens are known exactly.

Drawn by casting one ray for each pixel at analytic surfaces in numpy: slow, and independent of every renderer that
it is held against. +Y is up, the floor lies at y = 0, lengths are metres.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.lens import Lens, bend
from generators.radiance.photographs import Photograph

Points = NDArray[np.float64]
ROOM_M = 2.0
"""The floor and both walls reach so far from the middle; the walls are as high."""
BALL, BALL_M = np.array([-0.55, 0.45, 0.35]), 0.45
BOX, BOX_HALF = np.array([0.6, 0.35, -0.2]), np.array([0.35, 0.35, 0.35])
_TURN = np.radians(25.0)
BOX_FROM_WORLD = np.array([[np.cos(_TURN), 0, -np.sin(_TURN)], [0, 1, 0], [np.sin(_TURN), 0, np.cos(_TURN)]])
TARGET = (0.0, 0.45, 0.0)
_OCTAVES = (2.0, 5.0, 11.0, 23.0, 47.0)
"""Cells of the pattern in one metre; those finer than a pixel fade out, so that nothing flickers."""


@dataclass(frozen=True, eq=False)
class View:
    """What one camera sees: `pixels` uint8 [H, W, 3], `depth` float32 [H, W] metres along its axis, 0 for nothing."""

    camera: Camera
    pixels: NDArray[np.uint8]
    depth: FloatArray
    normals: FloatArray
    lens: Lens | None = None


# -- surfaces ------------------------------------------------------------------------------------------------------


def signed_distance(points: Points) -> Points:
    """Distance [N] of points [N, 3] to the nearest surface: negative inside the ball, the box, the floor or a wall."""
    ball = np.linalg.norm(points - BALL, axis=1) - BALL_M
    outside = np.abs((points - BOX) @ BOX_FROM_WORLD.T) - BOX_HALF
    box = np.linalg.norm(np.maximum(outside, 0), axis=1) + np.minimum(outside.max(1), 0)
    return np.asarray(np.minimum.reduce([ball, box, *(_panel_distance(points, axis) for axis in range(3))]))


def _panel_distance(points: Points, axis: int) -> Points:
    """To the floor (axis 1), the wall at the left (0) or the one at the back (2): finite squares without thickness."""
    corner = np.array([-ROOM_M, 0.0, -ROOM_M])
    low, high = corner.copy(), corner + 2 * ROOM_M
    high[1] = ROOM_M
    high[axis] = low[axis]
    return np.asarray(np.linalg.norm(points - np.clip(points, low, high), axis=1))


def surface_points(count: int, seed: int = 0) -> tuple[Points, Points]:
    """`count` positions and unit normals [N, 3], spread evenly over what can be seen from the open side."""
    rng = np.random.default_rng(seed)
    areas = np.array([4 * np.pi * BALL_M**2, 5 * 4 * BOX_HALF[0] ** 2, 4 * ROOM_M**2, 2 * ROOM_M**2, 2 * ROOM_M**2])
    shares = rng.choice(5, 2 * count, p=areas / areas.sum())
    positions, normals = np.empty((2 * count, 3)), np.empty((2 * count, 3))
    on_ball = rng.normal(size=(2 * count, 3))
    on_ball /= np.linalg.norm(on_ball, axis=1, keepdims=True)
    face = rng.integers(0, 5, 2 * count)  # the box stands on its sixth
    axis, side = np.array([0, 0, 2, 2, 1])[face], np.array([-1.0, 1.0, -1.0, 1.0, 1.0])[face]
    local, outward = rng.uniform(-1, 1, (2 * count, 3)) * BOX_HALF, np.zeros((2 * count, 3))
    rows = np.arange(2 * count)
    local[rows, axis], outward[rows, axis] = side * BOX_HALF[axis], side
    flat = rng.uniform(-ROOM_M, ROOM_M, (2 * count, 3))
    flat[:, 1] = (flat[:, 1] + ROOM_M) / 2
    candidates = [(BALL + BALL_M * on_ball, on_ball), (BOX + local @ BOX_FROM_WORLD, outward @ BOX_FROM_WORLD)]
    for plane in (1, 0, 2):
        on_plane, up = flat.copy(), np.zeros((2 * count, 3))
        on_plane[:, plane], up[:, plane] = 0.0 if plane == 1 else -ROOM_M, 1.0
        candidates.append((on_plane, up))
    for share, (where, facing) in enumerate(candidates):
        positions[shares == share], normals[shares == share] = where[shares == share], facing[shares == share]
    seen = signed_distance(positions + 1e-4 * normals) > 5e-5  # nothing else stands there
    return positions[seen][:count], normals[seen][:count]


def pattern(points: Points, pixel_m: Points) -> Points:
    """Linear-looking sRGB colours 0..1 [N, 3] of surface points; `pixel_m` [N] is how wide a pixel is there."""
    total = np.zeros((len(points), 3))
    for octave, cells in enumerate(_OCTAVES):
        fade = np.clip(1.6 - 2.2 * cells * pixel_m, 0, 1)[:, None]
        total += fade * (_noise(points * cells + 17.3 * octave, octave) - 0.5) / (1 + 0.25 * octave)
    return np.clip(0.5 + 0.75 * total, 0.02, 0.98)


def _noise(points: Points, salt: int) -> Points:
    """Value noise 0..1 [N, 3] on a unit lattice, three channels that have half of their values in common."""
    cell = np.floor(points).astype(np.int64)
    part = points - cell
    part = part * part * (3 - 2 * part)
    total = np.zeros((len(points), 3))
    for corner in range(8):
        offset = np.array([corner & 1, corner >> 1 & 1, corner >> 2])
        weight = np.prod(np.where(offset, part, 1 - part), axis=1)
        x, y, z = (cell + offset).T
        mixed = (x * 73856093) ^ (y * 19349663) ^ (z * 83492791) ^ (salt * 2654435761)
        mixed = (mixed ^ (mixed >> 13)) * 1274126177 & 0x7FFFFFFF
        grey = (mixed >> 3 & 0xFF) / 255
        channels = np.stack([mixed >> 11 & 0xFF, mixed >> 15 & 0xFF, mixed >> 19 & 0xFF], -1) / 255
        total += weight[:, None] * (0.6 * grey[:, None] + 0.4 * channels)
    return total


# -- pictures ------------------------------------------------------------------------------------------------------


def render(camera: Camera, lens: Lens | None = None) -> View:
    """What a camera sees; through `lens`, of the same size, the picture is bent as it describes."""
    x, y = _rays(camera, lens)
    local = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    directions = local @ camera.camera_from_world[:3, :3]  # length 1 along the axis, so hits are depths
    depth, normals = _cast(camera.position, directions)
    hit = np.isfinite(depth)
    where = camera.position + np.where(hit, depth, 0)[:, None] * directions
    colours = np.full((len(depth), 3), 0.86)
    colours[hit] = pattern(where[hit], depth[hit] / camera.fx)
    light = 0.72 + 0.28 * normals @ (np.array([0.35, 0.85, 0.4]) / np.linalg.norm([0.35, 0.85, 0.4]))
    colours[hit] *= light[hit, None]
    shape = (camera.height, camera.width)
    return View(
        camera=camera,
        pixels=(colours * 255 + 0.5).astype(np.uint8).reshape(*shape, 3),
        depth=np.where(hit, depth, 0).astype(np.float32).reshape(shape),
        normals=normals.astype(np.float32).reshape(*shape, 3),
        lens=lens,
    )


def _rays(camera: Camera, lens: Lens | None) -> tuple[Points, Points]:
    """Where the ray through each pixel's centre meets the plane at depth 1, by fixed-point iteration for a lens."""
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    if lens is None:
        return (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    bent_x, bent_y = (u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy
    x, y = bent_x.copy(), bent_y.copy()
    for _ in range(60):
        seen_x, seen_y = bend(lens, x, y)
        x, y = x + 0.8 * (bent_x - seen_x), y + 0.8 * (bent_y - seen_y)
    return x, y


def _cast(origin: Points, directions: Points) -> tuple[Points, Points]:
    """Depth [N], infinite for nothing, and normals [N, 3] of the first surface on each ray."""
    depth, normals = np.full(len(directions), np.inf), np.zeros((len(directions), 3))

    def keep(t: Points, normal: Points, valid: NDArray[np.bool_]) -> None:
        nearer = valid & (t > 1e-6) & (t < depth)
        depth[nearer], normals[nearer] = t[nearer], np.broadcast_to(normal, normals.shape)[nearer]

    with np.errstate(divide="ignore", invalid="ignore"):
        for axis in range(3):
            t = ((0.0 if axis == 1 else -ROOM_M) - origin[axis]) / directions[:, axis]
            where = origin + t[:, None] * directions
            inside = (np.abs(where[:, [0, 2]]) <= ROOM_M + 1e-9).all(1) & (where[:, 1] >= -1e-9)
            keep(t, np.eye(3)[axis], inside & (where[:, 1] <= ROOM_M) & (directions[:, axis] < 0))
        offset = origin - BALL
        a, half = (directions**2).sum(1), directions @ offset
        root = half**2 - a * (offset @ offset - BALL_M**2)
        t = (-half - np.sqrt(np.maximum(root, 0))) / a
        keep(t, (origin + t[:, None] * directions - BALL) / BALL_M, root > 0)
        start, along = BOX_FROM_WORLD @ (origin - BOX), directions @ BOX_FROM_WORLD.T
        first, second = (-BOX_HALF - start) / along, (BOX_HALF - start) / along
        enters = np.minimum(first, second)
        t = enters.max(1)
        facing = np.where(np.arange(3) == enters.argmax(1)[:, None], -np.sign(along), 0.0)
        keep(t, facing @ BOX_FROM_WORLD, t < np.maximum(first, second).min(1))
    return depth, normals


def around(
    count: int, *, width: int = 160, height: int = 120, arc_deg: float = 75.0, distance_m: float = 3.0
) -> list[Camera]:
    """Cameras on an arc before the open side of the room, up and down in turn, all looking at its middle."""
    cameras = []
    for index, angle in enumerate(np.radians(45 + np.linspace(-arc_deg / 2, arc_deg / 2, count))):
        eye_y = 1.05 + 0.45 * float(np.sin(2.4 * index))
        eye = (distance_m * float(np.sin(angle)), eye_y, distance_m * float(np.cos(angle)))
        cameras.append(looking_at(eye, TARGET, fov_y_deg=45, width=width, height=height))
    return cameras


def views(count: int, *, width: int = 160, height: int = 120, arc_deg: float = 75.0) -> list[View]:
    """`render` of each of `around`."""
    return [render(camera) for camera in around(count, width=width, height=height, arc_deg=arc_deg)]


def photographs(seen: Sequence[View]) -> list[Photograph]:
    """The views as decoded photographs, named view000.png and so on."""
    return [
        Photograph(f"view{index:03}.png", view.camera, np.ascontiguousarray(view.pixels.transpose(2, 0, 1)))
        for index, view in enumerate(seen)
    ]


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [H, W, 3] as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def transforms(seen: Sequence[View], folder: str = "images") -> dict[str, Any]:
    """The views as a `transforms.json`: a world with +Z up, camera axes of OpenGL."""
    z_up = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    frames = []
    for index, view in enumerate(seen):
        camera, lens = view.camera, view.lens
        frame: dict[str, Any] = {
            "file_path": f"{folder}/view{index:03}.png",
            "transform_matrix": (z_up @ np.linalg.inv(camera.camera_from_world) @ flip).tolist(),
            "fl_x": camera.fx,
            "fl_y": camera.fy,
            "cx": camera.cx,
            "cy": camera.cy,
            "w": camera.width,
            "h": camera.height,
        }
        if lens is not None:
            frame |= {f"k{n + 1}": k for n, k in enumerate(lens.radial)}
            frame |= {"p1": lens.tangential[0], "p2": lens.tangential[1]}
            frame["camera_model"] = "OPENCV_FISHEYE" if lens.fisheye else "OPENCV"
        frames.append(frame)
    return {"frames": frames}


def write_capture(root: Path, seen: Sequence[View], *, posed: bool = True) -> Path:
    """The views as PNG files in a new folder `root`, with their poses unless `posed` is false."""
    (root / "images").mkdir(parents=True)
    for index, view in enumerate(seen):
        (root / "images" / f"view{index:03}.png").write_bytes(png(view.pixels))
    if posed:
        (root / "transforms.json").write_text(json.dumps(transforms(seen)))
    return root

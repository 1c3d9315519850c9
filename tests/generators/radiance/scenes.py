"""Small scenes with known truth: random clouds, and a room of textured planes photographed from all around."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import Parameters
from generators.radiance.photographs import Photograph
from generators.radiance.rasterizer import Backend, Rules
from generators.radiance.rasterizer.cpu import NumbaBackend

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def random_cloud(count: int, *, sh_count: int = 4, seed: int = 0, size: float = -1.8) -> Parameters:
    """Overlapping splats of all shapes and opacities within about 2 of the origin."""
    rng = np.random.default_rng(seed)
    return Parameters(
        positions=rng.normal(size=(count, 3)).astype(np.float32),
        log_scales=rng.normal(size, 0.6, size=(count, 3)).astype(np.float32),
        quaternions=rng.normal(size=(count, 4)).astype(np.float32),
        logits=rng.normal(0.0, 2.0, size=count).astype(np.float32),
        sh=(rng.normal(size=(count, sh_count, 3)) * 0.3).astype(np.float32),
    )


def front_camera(width: int = 61, height: int = 45) -> Camera:
    return looking_at((0.3, 0.5, 4.0), (0.0, 0.0, 0.0), fov_y_deg=50, width=width, height=height)


def textured_room(count: int = 6000, seed: int = 3) -> Parameters:
    """Opaque little splats on a floor, a wall and a ball, coloured by a smooth random pattern."""
    rng = np.random.default_rng(seed)
    third = count // 3
    floor = np.stack([rng.uniform(-2, 2, third), np.full(third, -0.8), rng.uniform(-2, 2, third)], -1)
    wall = np.stack([rng.uniform(-2, 2, third), rng.uniform(-0.8, 2, third), np.full(third, -1.6)], -1)
    ball = rng.normal(size=(count - 2 * third, 3))
    ball = 0.7 * ball / np.linalg.norm(ball, axis=1, keepdims=True)
    positions = np.concatenate([floor, wall, ball])
    waves = rng.normal(size=(3, 3)) * 5
    shade = np.sin(positions @ waves).sum(1, keepdims=True) / 3  # depth is found from brightness
    colour = 0.5 + 0.3 * shade + 0.15 * np.sin(positions @ waves[::-1] + np.array([0.0, 1.0, 2.0]))
    sh = ((colour - 0.5) / 0.28209479)[:, None].astype(np.float32)
    return Parameters(
        positions=positions.astype(np.float32),
        log_scales=np.full((count, 3), np.log(0.05), np.float32),
        quaternions=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        logits=np.full(count, 4.0, np.float32),
        sh=np.ascontiguousarray(sh),
    )


def photographs_of(
    cloud: Parameters, views: int, *, width: int = 56, height: int = 48, arc_deg: float = 90.0
) -> list[Photograph]:
    """Renders of a cloud from an arc of cameras in front of it."""
    backend = NumbaBackend()
    result = []
    for index, angle in enumerate(np.radians(np.linspace(-arc_deg / 2, arc_deg / 2, views))):
        height_m = 0.6 + 0.4 * np.sin(2.3 * index)
        eye = (3.2 * float(np.sin(angle)), float(height_m), 3.2 * float(np.cos(angle)))
        camera = looking_at(eye, (0.0, 0.0, 0.0), fov_y_deg=50, width=width, height=height)
        projection = backend.project(cloud, camera, Rules())
        image = backend.rasterize(projection, projection.colour, np.zeros(3, np.float32), width, height).image
        pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
        result.append(Photograph(f"view{index}.png", camera, pixels))
    return result


def reference_picture(backend: Backend, case: str) -> tuple[FloatArray, FloatArray]:
    """What a backend draws of one of gsplat's reference scenes, and what gsplat drew: colour and alpha [H, W, 4]."""
    path = SHARED / "reference_renders" / f"{case}.safetensors"
    if not path.exists():
        pytest.skip(f"needs the reference render {path.name}")
    data = read_safetensors(path)
    height, width, _ = data["out_img"].shape
    # The file's camera, from the test that belongs to it: 90° wide, at (0.123, 0.456, -8), looking along +Z.
    matrix = np.eye(4)
    matrix[:3, 3] = (-0.123, -0.456, 8.0)
    camera = Camera(matrix, width / 2, width / 2, width / 2, height / 2, width, height)
    cloud = Parameters(data["means"], data["scales"], data["quats"], data["opacities"], data["coeffs"])
    projection = backend.project(cloud, camera, Rules())
    raster = backend.rasterize(projection, projection.colour, np.zeros(3, np.float32), width, height)
    return np.concatenate([raster.image, 1 - raster.transmittance[None]]).transpose(1, 2, 0), data["out_img"]


def relative_error(got: NDArray[Any], want: NDArray[Any]) -> float:
    return float(np.linalg.norm(got - want) / max(float(np.linalg.norm(want)), 1e-12))


def read_safetensors(path: Path) -> dict[str, FloatArray]:
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    result = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(content[8 + length + begin : 8 + length + end], "<f4")
        result[name] = values.reshape(entry["shape"]).copy()
    return result

"""The kernels hold to a plain twin in double precision; what shines through does not move the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.transforms import rotation_matrices
from generators.meshes.surface_depth import Seen, surface_depth
from generators.radiance.cameras import Camera, looking_at
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from tests.generators.meshes.clouds import walls

RULES = Rules()
WINDOW = 0.03
CAMERA = looking_at((0.2, 0.1, 3.0), (0.0, 0.0, 0.0), fov_y_deg=50, width=29, height=23)


def random_cloud(count: int = 40, seed: int = 3) -> Parameters:
    rng = np.random.default_rng(seed)
    return Parameters(
        positions=rng.uniform(-0.8, 0.8, (count, 3)).astype(np.float32),
        log_scales=np.log(rng.uniform(0.02, 0.5, (count, 3))).astype(np.float32),
        quaternions=rng.normal(size=(count, 4)).astype(np.float32),
        logits=rng.uniform(-1, 3, count).astype(np.float32),
        sh=rng.uniform(-0.5, 0.5, (count, 1, 3)).astype(np.float32),
    )


def slopes(cloud: Parameters, camera: Camera) -> NDArray[np.float64]:
    """How each splat's mean distance changes by a pixel, [N, 2]: from whole covariance matrices of u, v and z."""
    out = np.empty((len(cloud), 2))
    unit = cloud.quaternions / np.linalg.norm(cloud.quaternions, axis=1, keepdims=True)
    turns = rotation_matrices(unit).astype(np.float64)
    view = camera.camera_from_world[:3, :3]
    for n in range(len(cloud)):
        x, y, z = view @ cloud.positions[n] + camera.camera_from_world[:3, 3]
        axes = view @ turns[n] @ np.diag(np.exp(cloud.log_scales[n].astype(np.float64)))
        jacobian = np.array([
            [camera.fx / z, 0, -camera.fx * x / z**2], [0, camera.fy / z, -camera.fy * y / z**2], [0, 0, 1]
        ])  # fmt: skip
        spread = jacobian @ axes @ axes.T @ jacobian.T
        out[n] = spread[2, :2] @ np.linalg.inv(spread[:2, :2] + RULES.blur_px2 * np.eye(2))
    return out


def plain(cloud: Parameters, camera: Camera, sharpen: float) -> dict[str, NDArray[np.float64]]:
    """Every pixel and every splat in turn."""
    shown = NumbaBackend().project(cloud, camera, RULES)
    order, slope = np.argsort(shown.depth, kind="stable"), slopes(cloud, camera)
    opacity = 1 - (1 - np.minimum(shown.opacity.astype(np.float64), 0.999)) ** sharpen
    shape = (camera.height, camera.width)
    out = {name: np.zeros(shape) for name in ("coverage", "depth", "agreed")}
    for row in range(camera.height):
        for column in range(camera.width):
            through, stopped = 1.0, []
            for n in order:
                dx, dy = column + 0.5 - shown.xy[n, 0], row + 0.5 - shown.xy[n, 1]
                a, b, c = shown.conic[n].astype(np.float64)
                alpha = min(0.999, opacity[n] * np.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy))
                if alpha < 1 / 255 or through < 1e-4 or shown.extent[n, 0] == 0:
                    continue
                z = shown.depth[n] + slope[n] @ (dx, dy)
                stopped.append((z, alpha * through, through))
                through *= 1 - alpha
            out["coverage"][row, column] = 1 - through
            middle = next((z for z, weight, before in stopped if before >= 0.5 > before - weight), 0.0)
            if middle > 0:
                near = [(z, weight) for z, weight, _ in stopped if abs(z - middle) <= WINDOW * middle]
                out["agreed"][row, column] = sum(weight for _, weight in near)
                out["depth"][row, column] = sum(z * weight for z, weight in near) / out["agreed"][row, column]
    return out


def test_the_kernels_agree_with_a_plain_twin() -> None:
    for sharpen in (1.0, 3.0):
        cloud = random_cloud()
        seen, want = surface_depth(cloud, CAMERA, RULES, WINDOW, sharpen), plain(cloud, CAMERA, sharpen)
        known = want["depth"] > 0
        assert 0.3 < known.mean() < 1
        np.testing.assert_allclose(seen.coverage, want["coverage"], atol=2e-3)
        for name in ("depth", "agreed"):
            off = np.abs(getattr(seen, name) - want[name])[known]
            # Where a splat lies at the very edge of the window, rounding decides.
            assert (off < 4e-3).mean() > 0.99, name
        assert (seen.depth[~known] == 0).all()


def inner(values: FloatArray) -> FloatArray:
    return values[8:-8, 8:-8]


def looked_at(cloud: Parameters, sharpen: float = 1.0) -> Seen:
    camera = looking_at((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), fov_y_deg=40, width=48, height=48)
    return surface_depth(cloud, camera, RULES, WINDOW, sharpen)


def test_what_shines_through_does_not_pull_the_surface() -> None:
    seen = looked_at(walls(0.4))
    assert inner(1 - seen.agreed).mean() > 0.1, "the far wall is to shine through"
    np.testing.assert_allclose(inner(seen.depth), 3.0, atol=0.02)


def test_sharpening_makes_a_thin_wall_the_surface() -> None:
    thin = walls(0.12)
    np.testing.assert_allclose(inner(looked_at(thin).depth), 4.0, atol=0.02)
    sharp = looked_at(thin, 4.0)
    np.testing.assert_allclose(inner(sharp.depth), 3.0, atol=0.02)
    assert inner(sharp.agreed).min() > 0.5


def test_a_slanted_splat_is_measured_where_the_line_of_sight_meets_it() -> None:
    """One large flat splat at 45 degrees is a plane, not a step at its middle's distance."""
    half = np.pi / 8
    one = Parameters(
        positions=np.zeros((1, 3), np.float32),
        log_scales=np.log(np.array([[0.6, 0.6, 0.002]], np.float32)),
        quaternions=np.array([[np.cos(half), 0, np.sin(half), 0]], np.float32),
        logits=np.array([6.0], np.float32),
        sh=np.zeros((1, 1, 3), np.float32),
    )
    camera = looking_at((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), fov_y_deg=40, width=61, height=61)
    seen = surface_depth(one, camera, RULES, 0.5)
    row = seen.depth[30, 24:37]
    x = (np.arange(24, 37) + 0.5 - camera.cx) / camera.fx
    # The plane through the origin turned about +Y: z_world = -x_world, and the camera looks along -z_world.
    np.testing.assert_allclose(row, 3.0 / (1 - x), rtol=0.01)

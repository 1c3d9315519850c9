"""Keeping a cloud's surfaces smooth: what its splats say of their normals, and what its rendered depth says.

A flat splat's normal is its shortest axis. Drawn like a colour, these normals are compared with those of the rendered
depth around each pixel, so that each corrects the other (2D Gaussian splatting, Huang et al. 2024); and the shortest
axis is kept short, so that it means something (PGSR, Chen et al. 2024). Nothing but the cloud itself is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.cameras import Camera
from generators.radiance.depth_loss import EDGE, OPAQUE_FROM
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer.kernels import parallel_kernel, prange
from generators.radiance.rasterizer.projection import quaternion_gradient, rotation, scale_of, to_camera

FLATNESS = 10.0
"""How much the mean smallest scale, in scene units, counts beside the mean difference of normals."""
ZERO, ONE = np.float32(0), np.float32(1)
Axes = NDArray[np.int8]


@parallel_kernel
def _shortest_axes(
    view: FloatArray, positions: FloatArray, log_scales: FloatArray, quaternions: FloatArray, normals: FloatArray,
    axes: Axes,
) -> None:  # fmt: skip
    for i in prange(len(positions)):
        m = rotation(quaternions[i])[0]
        k = 0
        for j in range(1, 3):
            if log_scales[i, j] < log_scales[i, k]:
                k = j
        p = to_camera(view, positions[i])
        towards = ZERO
        for row in range(3):
            normals[i, row] = view[row, 0] * m[k] + view[row, 1] * m[3 + k] + view[row, 2] * m[6 + k]
            towards += normals[i, row] * p[row]
        axes[i] = k + 1
        if towards > ZERO:
            axes[i] = -k - 1
            for row in range(3):
                normals[i, row] = -normals[i, row]


@parallel_kernel
def _turn(view: FloatArray, quaternions: FloatArray, axes: Axes, by_normals: FloatArray, out: FloatArray) -> None:
    """Add to `out` [N, 4] the gradients of the quaternions by those of the normals."""
    for i in prange(len(quaternions)):
        g_rotation, turn = np.zeros((3, 3), np.float32), np.empty(4, np.float32)
        _, w, x, y, z, inverse = rotation(quaternions[i])
        k = abs(axes[i]) - 1
        sign = ONE if axes[i] > 0 else -ONE
        for j in range(3):
            g = view[0, j] * by_normals[i, 0] + view[1, j] * by_normals[i, 1] + view[2, j] * by_normals[i, 2]
            g_rotation[j, 0] = g_rotation[j, 1] = g_rotation[j, 2] = ZERO
            g_rotation[j, k] = sign * g
        quaternion_gradient(g_rotation, w, x, y, z, inverse, turn)
        for j in range(4):
            out[i, j] += turn[j]


@parallel_kernel
def _press(log_scales: FloatArray, weight: np.float32, out: FloatArray) -> None:
    """Add the gradient of weight·Σ smallest scale."""
    for i in prange(len(log_scales)):
        k = 0
        for j in range(1, 3):
            if log_scales[i, j] < log_scales[i, k]:
                k = j
        out[i, k] += weight * scale_of(log_scales[i, k])


def _view(camera: Camera) -> FloatArray:
    return np.ascontiguousarray(camera.camera_from_world[:3], np.float32)


def splat_normals(parameters: Parameters, camera: Camera) -> tuple[FloatArray, Axes]:
    """Unit normals float32 [N, 3] in the camera's axes, facing it; and which axis each is, from 1, negative if turned.

    Of equally short axes the first one counts.
    """
    normals, axes = np.empty((len(parameters), 3), np.float32), np.empty(len(parameters), np.int8)
    _shortest_axes(
        _view(camera), parameters.positions, parameters.log_scales, parameters.quaternions, normals, axes
    )  # fmt: skip
    return normals, axes


def turn_and_press(
    parameters: Parameters, camera: Camera, axes: Axes, by_normals: FloatArray, weight: float, gradients: Parameters
) -> None:
    """Add to a cloud's gradients those by its normals [N, 3], and those of weight · FLATNESS · mean smallest scale."""
    _turn(_view(camera), parameters.quaternions, axes, by_normals, gradients.quaternions)
    each = np.float32(weight * FLATNESS / max(len(parameters), 1))
    _press(parameters.log_scales, each, gradients.log_scales)


def normals_of_depth(inverse: FloatArray, camera: Camera) -> tuple[FloatArray, FloatArray]:
    """Normals [3, H-2, W-2] facing the camera, in its axes, of all inner pixels of an inverse depth [H, W].

    On a plane inverse depth is linear across the picture, so central differences of it are exact. The second result
    is the length of the vector that was normalised.
    """
    along, down = _differences(inverse)
    u, v = _from_centre(inverse.shape, camera)
    away = np.stack(
        [np.float32(camera.fx) * along, np.float32(camera.fy) * down, inverse[1:-1, 1:-1] - u * along - v * down]
    )
    length = np.maximum(np.sqrt((away * away).sum(0)), np.float32(1e-12))
    return -away / length, length


def _differences(inverse: FloatArray) -> tuple[FloatArray, FloatArray]:
    half = np.float32(0.5)
    return half * (inverse[1:-1, 2:] - inverse[1:-1, :-2]), half * (inverse[2:, 1:-1] - inverse[:-2, 1:-1])


def _from_centre(shape: tuple[int, ...], camera: Camera) -> tuple[FloatArray, FloatArray]:
    """Pixels from the principal point to each inner pixel, across [1, W-2] and down [H-2, 1]."""
    u = np.arange(1, shape[1] - 1, dtype=np.float32) + np.float32(0.5 - camera.cx)
    v = np.arange(1, shape[0] - 1, dtype=np.float32) + np.float32(0.5 - camera.cy)
    return u[None, :], v[:, None]


@dataclass(frozen=True, eq=False)
class NormalDifference:
    """A loss and its gradients by the accumulated depth, the transmittance [H, W] and the drawn normals [3, H, W]."""

    loss: float
    by_depth: FloatArray
    by_transmittance: FloatArray
    by_normals: FloatArray


def normal_loss(
    depth: FloatArray,
    transmittance: FloatArray,
    normals: FloatArray,
    camera: Camera,
    *,
    weight: float = 1.0,
    mask: NDArray[np.bool_] | None = None,
) -> NormalDifference:
    """`weight` times the mean of Σ ωᵢ·(1 - nᵢ·N), N being the normal of (1 - transmittance) / depth about each pixel.

    `depth` [H, W] and `normals` [3, H, W] are sums over the splats, weighted with ω. Pixels on the border, beside an
    edge in depth, half transparent or outside `mask` count nothing.
    """
    alpha = 1 - transmittance
    covered = (alpha > OPAQUE_FROM) & (depth > 0)
    under = np.where(covered, depth, 1).astype(np.float32)
    inverse = np.where(covered, alpha / under, 0).astype(np.float32)
    wanted, length = normals_of_depth(inverse, camera)
    counts = _on_one_surface(inverse, covered)
    if mask is not None:
        counts &= mask[1:-1, 1:-1]
    share = np.where(counts, np.float32(weight / depth.size), ZERO)
    drawn, inner = normals[:, 1:-1, 1:-1], alpha[1:-1, 1:-1]
    along = (drawn * wanted).sum(0)
    loss = float((share * (inner - along)).sum(dtype=np.float64))

    by_vector = share / length * (drawn - along * wanted)
    u, v = _from_centre(inverse.shape, camera)
    by_along = np.float32(0.5 * camera.fx) * by_vector[0] - np.float32(0.5) * u * by_vector[2]
    by_down = np.float32(0.5 * camera.fy) * by_vector[1] - np.float32(0.5) * v * by_vector[2]
    by_inverse = np.zeros_like(inverse)
    by_inverse[1:-1, 1:-1] = by_vector[2]
    by_inverse[1:-1, 2:] += by_along
    by_inverse[1:-1, :-2] -= by_along
    by_inverse[2:, 1:-1] += by_down
    by_inverse[:-2, 1:-1] -= by_down
    by_alpha = by_inverse / under
    by_alpha[1:-1, 1:-1] += share
    by_normals = np.zeros_like(normals)
    by_normals[:, 1:-1, 1:-1] = -share * wanted
    return NormalDifference(loss, -by_inverse * inverse / under, -by_alpha, by_normals)


def _on_one_surface(inverse: FloatArray, covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which inner pixels [H-2, W-2] and their four neighbours are covered, without an edge in depth between them."""
    along, down = _differences(inverse)
    near = np.float32(EDGE) * inverse[1:-1, 1:-1]
    smooth: NDArray[np.bool_] = (np.abs(along) <= near) & (np.abs(down) <= near)
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2), (1, 1)):
        height, width = covered.shape
        smooth &= covered[rows : height - 2 + rows, columns : width - 2 + columns]
    return smooth

"""Pictures of triangles and splats from a three-quarter view, without any loop over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh, Splats
from engines.geometry import smooth_normals, tangents
from engines.kinds import MapName
from engines.material_view import Maps, sampled
from engines.shading import Surface, backdrop, displayed, lit
from engines.spherical_harmonics import evaluate
from engines.transforms import rotation_matrices

_CANDIDATES = 4_000_000
"""Pixels looked at in one go: bounds the memory at some 300 MB."""
_MOST_SPLATS = 60_000


@dataclass(frozen=True, eq=False)
class Camera:
    """An orthographic view: `rotation` float64 [3, 3] turns the world into right, up, towards the eye."""

    rotation: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: float
    """Pixels a metre."""
    size_px: int

    def project(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Pixel x, pixel y (down) and depth towards the eye, float64 [N, 3]."""
        seen = (points.astype(np.float64) - self.centre) @ self.rotation.T * self.scale
        return np.stack([self.size_px / 2 + seen[:, 0], self.size_px / 2 - seen[:, 1], seen[:, 2]], axis=1)


def three_quarter(points: NDArray[np.float32], size_px: int, *, yaw: float = 0.6, pitch: float = 0.42) -> Camera:
    """A camera to the right of and above the front that holds nearly all points, stray ones apart."""
    some = points[:: max(1, len(points) // 200_000)].astype(np.float64) if len(points) else np.zeros((1, 3))
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    seen = some @ turn.T
    low, high = np.percentile(seen, (0.3, 99.7), axis=0) if len(seen) > 2000 else (seen.min(0), seen.max(0))
    extent = max(float((high - low)[:2].max()), 1e-9)
    return Camera(turn, turn.T @ ((low + high) / 2), 0.86 * size_px / extent, size_px)


def mesh_picture(mesh: Mesh, size_px: int) -> NDArray[np.uint8]:
    """sRGB uint8 [size, size, 3]: the mesh with its colours and material, smooth at its edges."""
    fine = size_px * 2
    scene = np.repeat(np.repeat(backdrop(size_px), 2, axis=0), 2, axis=1).reshape(-1, 3)
    camera = three_quarter(mesh.positions, fine)
    if len(mesh.faces):
        pixels, faces, weights = visible(camera.project(mesh.positions), mesh.faces, fine)
        scene[pixels] = lit(_mesh_surface(mesh, camera, faces, weights, fine))
    return displayed(scene.reshape(size_px, 2, size_px, 2, 3).mean(axis=(1, 3), dtype=np.float32))


def visible(
    projected: NDArray[np.float64], faces: NDArray[np.uint32], size_px: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Which triangle each covered pixel shows: pixels [P] (row · size + column), faces [P], barycentric [P, 3]."""
    corners = projected[faces.astype(np.int64)]
    area = _cross(corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2])
    flat = np.abs(area) < 1e-12
    planes = _weight_planes(corners, np.where(flat, 1.0, area))
    depths = corners[..., 2]
    depth = np.full(size_px * size_px, -np.inf)
    owner = np.full(size_px * size_px, -1, np.int64)
    shares = np.zeros((size_px * size_px, 3))
    # Only pixels whose centres can lie inside: from the first centre at or after the left edge to the last before.
    low = np.clip(np.ceil(corners[..., :2].min(axis=1) - 0.5), 0, size_px).astype(np.int64)
    high = np.clip(np.floor(corners[..., :2].max(axis=1) - 0.5) + 1, 0, size_px).astype(np.int64)
    high[flat] = 0
    for which, x, y in candidates(low, high):
        plane = planes[which]
        weights = plane[..., 0] * (x + 0.5)[:, None] + plane[..., 1] * (y + 0.5)[:, None] + plane[..., 2]
        inside = np.flatnonzero((weights[:, 0] >= 0) & (weights[:, 1] >= 0) & (weights[:, 2] >= 0))
        which, weights, pixel = which[inside], weights[inside], (y * size_px + x)[inside]
        z = np.einsum("pc,pc->p", weights, depths[which])
        np.maximum.at(depth, pixel, z)
        front = np.flatnonzero(z == depth[pixel])
        owner[pixel[front]], shares[pixel[front]] = which[front], weights[front]
    pixels = np.flatnonzero(owner >= 0)
    return pixels, owner[pixels], shares[pixels]


def _weight_planes(corners: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each barycentric weight as a plane over the screen: [F, 3, 3], the last axis for x, y and 1."""
    planes = np.empty((len(corners), 3, 3))
    for corner in range(3):
        (ax, ay), (bx, by) = corners[:, (corner + 1) % 3, :2].T, corners[:, (corner + 2) % 3, :2].T
        planes[:, corner, 0], planes[:, corner, 1] = ay - by, bx - ax
        planes[:, corner, 2] = ax * by - ay * bx
    return np.asarray(planes / area[:, None, None])


def candidates(
    low: NDArray[np.int64], high: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Every pixel of every box [low, high), in bounded portions: box number, x, y."""
    width, height = (np.maximum(high - low, 0)).T
    count = width * height
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _CANDIDATES, side="right")))
        which = np.repeat(np.arange(start, stop), count[start:stop])
        inner = np.arange(len(which)) - np.repeat(ends[start:stop] - count[start:stop] - before, count[start:stop])
        yield which, low[which, 0] + inner % width[which], low[which, 1] + inner // width[which]
        start = stop


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _mesh_surface(
    mesh: Mesh, camera: Camera, faces: NDArray[np.int64], weights: NDArray[np.float64], fine: int
) -> Surface:
    index = mesh.faces[faces].astype(np.int64)

    def over(values: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("pc,pcd->pd", weights, values[index]), np.float32)

    normals = mesh.normals if mesh.normals is not None else smooth_normals(mesh.positions, mesh.faces)
    normal = over(normals)
    base = over(mesh.colours)[:, :3] if mesh.colours is not None else np.ones((len(faces), 3), np.float32)
    if mesh.material is None:
        tint = np.float32(1.0 if mesh.colours is not None else 0.55)
        return Surface(base * tint, _towards_eye(normal, camera), 0.55)
    maps = sampled(mesh.material, min(1024, fine))
    uv = over(mesh.uvs) if mesh.uvs is not None else np.zeros((len(faces), 2), np.float32)
    rows, columns = _texels(maps, uv)
    along = tangents(mesh) if MapName.NORMAL in mesh.material.maps else None
    if along is not None:
        tangent = over(along)
        sideways = np.cross(normal, tangent[:, :3]) * np.sign(tangent[:, 3:])
        bump = maps.normal[rows, columns]
        normal = bump[:, :1] * tangent[:, :3] + bump[:, 1:2] * sideways + bump[:, 2:] * normal
    return Surface(
        base * maps.base[rows, columns],
        _towards_eye(normal, camera),
        maps.roughness[rows, columns],
        maps.metallic[rows, columns],
        maps.occlusion[rows, columns],
        maps.emission[rows, columns],
        maps.ior,
    )


def _texels(maps: Maps, uv: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    size = maps.base.shape[0]
    # 1.0 itself belongs to the last texel, not to the next tile.
    wrapped = np.where((uv == np.floor(uv)) & (uv != 0), np.float32(1 - 1e-6), uv % 1)
    return ((1 - wrapped[:, 1]) * size).astype(np.int64) % size, (wrapped[:, 0] * size).astype(np.int64) % size


def _towards_eye(normal: FloatArray, camera: Camera) -> FloatArray:
    """Unit normals in view space; a triangle seen from behind is lit as if it had two sides."""
    seen = normal @ camera.rotation.T.astype(np.float32)
    seen = seen * np.where(seen[:, 2:] < 0, np.float32(-1), np.float32(1))
    return np.asarray(seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-9), np.float32)


def splats_picture(splats: Splats, size_px: int) -> NDArray[np.uint8]:
    """sRGB uint8 [size, size, 3]: the Gaussians blended front to back; of a large cloud an even share, enlarged."""
    stride = -(-len(splats.positions) // _MOST_SPLATS)
    picked = slice(None, None, max(stride, 1))
    camera = three_quarter(splats.positions, size_px)
    seen = camera.project(splats.positions[picked])
    enlarged = max(stride, 1) ** (1 / 3)
    axes = rotation_matrices(splats.rotations[picked]) * splats.scales[picked][:, None, :] * enlarged
    flat = (camera.rotation[:2] * np.array([[1], [-1]]) * camera.scale) @ axes
    covariance = flat @ flat.transpose(0, 2, 1) + 0.3 * np.eye(2)
    towards = np.tile(-camera.rotation[2], (len(seen), 1))
    colours = np.clip(evaluate(splats.sh[picked], towards) + 0.5, 0, 1)
    linear_wall = displayed(backdrop(size_px)).reshape(-1, 3) / 255.0
    blended = _blended(seen, covariance, splats.opacities[picked].astype(np.float64), colours, linear_wall, size_px)
    return np.round(np.clip(blended, 0, 1) * 255).astype(np.uint8).reshape(size_px, size_px, 3)


def _blended(
    seen: NDArray[np.float64],
    covariance: NDArray[np.float64],
    opacities: NDArray[np.float64],
    colours: NDArray[np.float64],
    behind: NDArray[np.float64],
    size_px: int,
) -> NDArray[np.float64]:
    """Front-to-back compositing of all fragments at once: sorted by pixel and depth, then running products."""
    order = np.argsort(-seen[:, 2], kind="stable")
    seen, covariance, opacities, colours = seen[order], covariance[order], opacities[order], colours[order]
    precision = np.linalg.inv(covariance)
    reach = 3.0 * np.sqrt(np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], axis=1))
    low = np.clip(np.floor(seen[:, :2] - reach), 0, size_px).astype(np.int64)
    high = np.clip(np.ceil(seen[:, :2] + reach), 0, size_px).astype(np.int64)
    transmitted = np.ones(size_px * size_px)
    result = np.zeros((size_px * size_px, 3))
    for which, x, y in candidates(low, high):
        dx, dy = x + 0.5 - seen[which, 0], y + 0.5 - seen[which, 1]
        p = precision[which]
        power = p[:, 0, 0] * dx * dx + 2 * p[:, 0, 1] * dx * dy + p[:, 1, 1] * dy * dy
        alpha = np.minimum(opacities[which] * np.exp(-0.5 * power), 0.99)
        solid = alpha > 1 / 255
        which, alpha, pixel = which[solid], alpha[solid], (y * size_px + x)[solid]
        along = np.argsort(pixel, kind="stable")  # stable: within a pixel the nearest stays first
        which, alpha, pixel = which[along], alpha[along], pixel[along]
        left = np.log1p(-alpha)
        total = np.cumsum(left) - left
        first = np.flatnonzero(np.diff(pixel, prepend=-1))
        lengths = np.diff(np.append(first, len(pixel)))
        share = alpha * np.exp(total - np.repeat(total[first], lengths)) * transmitted[pixel]
        for channel in range(3):
            result[:, channel] += np.bincount(pixel, share * colours[which, channel], len(result))
        transmitted *= np.exp(np.bincount(pixel, left, len(result)))
    return np.asarray(result + transmitted[:, None] * behind)

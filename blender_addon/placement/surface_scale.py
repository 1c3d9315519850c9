# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a surface's UV square is in the world, so that a texture of known size lies on it at that size."""

from __future__ import annotations

from typing import Any

import numpy as np


def metres_per_uv(item: Any) -> float | None:
    """Metres that one unit of UV spans on average on this object, its scale included; None without usable UVs."""
    mesh = item.data if item is not None and item.type == "MESH" else None
    if mesh is None or mesh.uv_layers.active is None or not mesh.polygons:
        return None
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    corners = np.empty(count * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", corners)
    vertices = np.empty(count * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", vertices)
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    uvs = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers.active.uv.foreach_get("vector", uvs)
    linear = np.array(item.matrix_world.to_3x3(), np.float64)
    world = (positions.reshape(-1, 3) @ linear.T)[vertices].reshape(count, 3, 3)
    flat = uvs.reshape(-1, 2)[corners].reshape(count, 3, 2).astype(np.float64)
    a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    uv_area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2
    edges = np.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0])
    area = np.linalg.norm(edges, axis=1).sum() / 2
    if uv_area < 1e-9 or area < 1e-12 or not np.isfinite([uv_area, area]).all():
        return None
    return float(np.sqrt(area / uv_area))


def metres_per_axis(item: Any) -> tuple[float, float, float]:
    """Metres in the world per unit of each of the object's own axes."""
    x, y, z = (abs(float(value)) or 1.0 for value in item.matrix_world.to_scale())
    return x, y, z


def has_uvs(item: Any) -> bool:
    """Whether UV coordinates mean anything on this object: text and curves make their own."""
    return item is None or item.type != "MESH" or item.data.uv_layers.active is not None

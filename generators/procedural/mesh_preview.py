"""A small picture of a mesh for the eye: orthographic, lit from above left, good enough to judge a shape."""

from __future__ import annotations

import numpy as np

from engines.assets import Array, FloatArray

SAMPLES_PER_PIXEL = 4.0
BACKGROUND = 0.16


def picture(
    positions: Array, faces: Array, normals: FloatArray, colours: Array, size_px: int = 256, pitch_deg: float = 28.0
) -> FloatArray:
    """Picture of a mesh, float32 linear [size, size, 3].

    `positions` [V, 3], `faces` [F, 3], unit `normals` [V, 3] and linear `colours` [V, 3]. Every triangle is covered
    with points in proportion to its area in the picture and the nearest point wins: no triangle is too small.
    """
    yaw, pitch = np.radians(35.0), np.radians(pitch_deg)
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    towards = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    up = np.cross(towards, right)
    flat = positions @ np.stack((right, up, towards), -1)
    low, high = flat[:, :2].min(0), flat[:, :2].max(0)
    scale = 0.92 * size_px / float((high - low).max())
    flat[:, :2] = (flat[:, :2] - (low + high) / 2) * scale + size_px / 2
    corners = flat[faces]
    edge, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = (edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]) / 2
    count = np.where(area > 0, np.ceil(area * SAMPLES_PER_PIXEL), 0).astype(np.intp)
    face = np.repeat(np.arange(len(faces)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    # A lattice of two irrational steps covers a triangle evenly with any number of points.
    s, t = (0.5 + within * 0.754877666) % 1, (0.5 + within * 0.569840296) % 1
    fold = s + t > 1
    s, t = np.where(fold, 1 - s, s), np.where(fold, 1 - t, t)
    point = corners[face, 0] + s[:, None] * edge[face] + t[:, None] * other[face]
    pixel = np.clip(point[:, :2].astype(np.intp), 0, size_px - 1)
    order = np.argsort(point[:, 2], kind="stable")
    seen = np.full(size_px * size_px, -1)
    seen[((size_px - 1 - pixel[order, 1]) * size_px + pixel[order, 0])] = order
    shown = seen >= 0
    chosen = seen[shown]
    weights = np.stack((1 - s - t, s, t), -1)[chosen][..., None]
    normal = (normals[faces[face[chosen]]] * weights).sum(1)
    albedo = (colours[faces[face[chosen]]] * weights).sum(1)
    light = -0.35 * right + 0.75 * up + 0.55 * towards
    sun = np.maximum(normal @ (light / np.linalg.norm(light)), 0)
    out = np.full((size_px * size_px, 3), BACKGROUND, np.float32)
    out[shown] = albedo * (0.25 + 0.25 * normal[:, 1] + 1.1 * sun)[:, None]
    return out.reshape(size_px, size_px, 3)

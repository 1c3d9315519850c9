"""What is the matter with a mesh, in numbers and in words an artist or a printer's operator understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.meshes.hole_filling import outlines
from generators.meshes.isosurface import Check, Ints, Surface
from generators.meshes.manifold import Mended
from generators.meshes.topology import edges_of, face_areas, face_vectors, pieces, volume_m3
from generators.meshes.tracing import Tree, cast, tree_of
from generators.radiance.rasterizer.kernels import inlined, parallel_kernel, prange

WALL_SAMPLES = 20_000
PORTION = 1 << 15
PRINTED_WALL_M = 0.0008
"""Two lines of a common nozzle: thinner walls do not print."""


@dataclass(frozen=True)
class Report:
    """Counts of faults, and the figures that a print is priced by; lengths in metres."""

    triangles: int
    pieces: int
    holes: int
    border_edges: int
    crowded_edges: int
    crossing_triangles: int
    size_m: tuple[float, float, float]
    area_m2: float
    volume_m3: float
    wall_m: float | None
    """The thinnest wall found, None when the surface is open."""
    thin_share: float
    """Share of the area whose wall is thinner than asked for."""

    @property
    def watertight(self) -> bool:
        """No border and no edge with more than two triangles."""
        return self.border_edges == 0 and self.crowded_edges == 0

    def words(self) -> str:
        """One sentence."""
        size = " × ".join(f"{1000 * v:.4g}" for v in self.size_m)
        parts = [
            f"{self.triangles:,} triangles in {self.pieces} {'piece' if self.pieces == 1 else 'pieces'}",
            f"{size} mm",
            "watertight" if self.watertight else f"open: {self.holes} holes with {self.border_edges} border edges",
        ]
        if self.crowded_edges:
            parts.append(f"{self.crowded_edges} edges with more than two triangles")
        if self.crossing_triangles:
            parts.append(f"{self.crossing_triangles} triangles pass through others")
        parts.append(f"area {self.area_m2 * 1e4:.4g} cm²")
        if self.watertight:
            parts.append(f"volume {self.volume_m3 * 1e6:.4g} cm³")
        if self.wall_m is not None:
            parts.append(f"thinnest wall {self.wall_m * 1000:.3g} mm")
            if self.thin_share > 0:
                parts.append(f"{self.thin_share:.1%} of the area is thinner than asked for")
        return ", ".join(parts)


def reported(surface: Surface, wall_m: float = 0.0, check: Check = lambda: None) -> Report:
    """Examine an indexed surface; walls are measured only where it is closed."""
    edges = edges_of(surface.faces)
    check()
    border, crowded = int(edges.border.sum()), int(edges.crowded.sum())
    tree = tree_of(surface.positions, surface.faces) if len(surface.faces) else None
    check()
    crossing = int(crossings(surface, tree, check).sum()) if tree is not None else 0
    wall, thin = None, 0.0
    if tree is not None and border == 0:
        walls, areas = wall_thickness(surface, tree, check)
        if len(walls):
            wall, thin = float(walls.min()), float(areas[walls < wall_m].sum() / max(areas.sum(), 1e-30))
    extent = np.ptp(surface.positions, axis=0) if len(surface.positions) else np.zeros(3)
    numbers = pieces(surface.faces, len(surface.positions)) if len(surface.faces) else np.empty(0, np.int64)
    return Report(
        triangles=len(surface.faces),
        pieces=int(numbers.max()) + 1 if len(numbers) else 0,
        holes=len(outlines(surface.faces)) if border else 0,
        border_edges=border,
        crowded_edges=crowded,
        crossing_triangles=crossing,
        size_m=(float(extent[0]), float(extent[1]), float(extent[2])),
        area_m2=float(face_areas(surface.positions, surface.faces).sum()),
        volume_m3=volume_m3(surface.positions, surface.faces),
        wall_m=wall,
        thin_share=thin,
    )


def print_words(report: Report) -> str:
    """Whether a mesh that was made watertight can be printed, what is in the way of it, and what to do."""
    faults = []
    if not report.watertight:
        faults.append(f"{report.border_edges + report.crowded_edges} edges are open or crowded")
    if report.crossing_triangles:
        faults.append(f"{report.crossing_triangles:,} of {report.triangles:,} triangles pass through others")
    wall = None if report.wall_m is None else f"the thinnest wall is {report.wall_m * 1000:.3g} mm"
    if wall is not None and (report.wall_m or 0) < PRINTED_WALL_M:
        faults.append(wall)
    if not faults:
        return "watertight: no triangle passes through another" + (f", {wall}" if wall else "")
    return (
        f"not ready to print: {' and '.join(faults)}; run mesh.repair with method rebuild, which makes one surface "
        "around it, or give the sheet another thickness"
    )


def mended_words(mended: Mended) -> str:
    """What had to be put right, empty when nothing."""
    parts = [
        (mended.joined, "vertices that lay on others were joined"),
        (mended.flat, "triangles without area were dropped"),
        (mended.doubled, "triangles were there twice"),
        (mended.turned, "triangles faced the wrong way"),
        (mended.crowded, "edges had more than two triangles and were cut"),
    ]
    return ", ".join(f"{count:,} {words}" for count, words in parts if count)


def wall_thickness(surface: Surface, tree: Tree, check: Check = lambda: None) -> tuple[FloatArray, FloatArray]:
    """Metres from triangles' middles straight inwards to the other side, and the area each speaks for.

    Up to `WALL_SAMPLES` triangles, spread evenly over their order.
    """
    stride = max(1, -(-len(surface.faces) // WALL_SAMPLES))
    some = np.arange(0, len(surface.faces), stride)
    vectors = face_vectors(surface.positions, surface.faces[some])
    length = np.linalg.norm(vectors, axis=1)
    good = length > 0
    some, vectors, length = some[good], vectors[good], length[good]
    inward = np.ascontiguousarray(-vectors / length[:, None], np.float32)
    middles = np.ascontiguousarray(surface.positions[surface.faces[some]].mean(1))
    size = max(float(np.ptp(surface.positions, axis=0).max()), 1e-30)
    hits = cast(tree, middles, inward, 4 * size, near=1e-5 * size, check=check)
    corners = surface.faces[some]
    # A neighbour met at once across a sharp edge is no wall.
    beside = (surface.faces[np.maximum(hits.face, 0)][:, :, None] == corners[:, None, :]).any((1, 2))
    met = (hits.face >= 0) & ~beside
    return hits.distance[met], (length[met] / 2).astype(np.float32)


def crossings(surface: Surface, tree: Tree, check: Check = lambda: None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which triangles pass through others that share no corner with them, bool [F] in the tree's order."""
    faces = np.ascontiguousarray(surface.faces[tree.order], np.int32)
    out = np.zeros(len(faces), np.bool_)
    for first in range(0, len(faces), PORTION):
        check()
        _cross(tree.boxes, tree.corners, faces, first, min(first + PORTION, len(faces)), out)
    return out


@inlined
def _pierces(p: Any, q: Any, t: Any) -> bool:
    """Whether the segment from p to q goes through a triangle (double precision; ending on it does not count)."""
    e1x, e1y, e1z = np.float64(t[1, 0]) - t[0, 0], np.float64(t[1, 1]) - t[0, 1], np.float64(t[1, 2]) - t[0, 2]
    e2x, e2y, e2z = np.float64(t[2, 0]) - t[0, 0], np.float64(t[2, 1]) - t[0, 1], np.float64(t[2, 2]) - t[0, 2]
    dx, dy, dz = np.float64(q[0]) - p[0], np.float64(q[1]) - p[1], np.float64(q[2]) - p[2]
    px, py, pz = dy * e2z - dz * e2y, dz * e2x - dx * e2z, dx * e2y - dy * e2x
    det = e1x * px + e1y * py + e1z * pz
    scale = np.sqrt((dx * dx + dy * dy + dz * dz) * (e1x**2 + e1y**2 + e1z**2) * (e2x**2 + e2y**2 + e2z**2))
    if abs(det) <= 1e-9 * scale:
        return False
    sx, sy, sz = np.float64(p[0]) - t[0, 0], np.float64(p[1]) - t[0, 1], np.float64(p[2]) - t[0, 2]
    u = (sx * px + sy * py + sz * pz) / det
    qx, qy, qz = sy * e1z - sz * e1y, sz * e1x - sx * e1z, sx * e1y - sy * e1x
    v = (dx * qx + dy * qy + dz * qz) / det
    w = (e2x * qx + e2y * qy + e2z * qz) / det
    return bool(u >= 0 and v >= 0 and u + v <= 1 and 1e-6 < w < 1 - 1e-6)


@parallel_kernel
def _cross(boxes: FloatArray, corners: FloatArray, faces: Ints, begin: int, end: int, out: Any) -> None:
    leaves = (len(boxes) + 1) // 2
    for i in prange(begin, end):
        stack = np.empty(64, np.int32)
        low, high = np.empty(3, np.float32), np.empty(3, np.float32)
        for c in range(3):
            low[c] = min(corners[i, 0, c], corners[i, 1, c], corners[i, 2, c])
            high[c] = max(corners[i, 0, c], corners[i, 1, c], corners[i, 2, c])
        stack[0], size = 0, 1
        while size > 0 and not out[i]:
            size -= 1
            node = stack[size]
            apart = False
            for c in range(3):
                apart = apart or boxes[node, c] > high[c] or boxes[node, c + 3] < low[c]
            if apart:
                continue
            if node < leaves - 1:
                stack[size], stack[size + 1] = 2 * node + 1, 2 * node + 2
                size += 2
                continue
            first = (node - leaves + 1) * 4
            for j in range(first, min(first + 4, len(corners))):
                shared = j == i
                for a in range(3):
                    for b in range(3):
                        shared = shared or faces[i, a] == faces[j, b]
                if shared:
                    continue
                for k in range(3):
                    if _pierces(corners[i, k], corners[i, (k + 1) % 3], corners[j]) or _pierces(
                        corners[j, k], corners[j, (k + 1) % 3], corners[i]
                    ):
                        out[i] = True

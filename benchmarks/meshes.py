"""Meshes against known truth, and their parts against peers in the same run.

Truth: a ring and a knot given as distances, and a room corner with a ball and a box, rendered by a tracer that shares
nothing with the code measured. Chamfer distance is the mean of both directions over 40 000 points each, in millimetres;
normal consistency the mean cosine between the normals of nearest points. A peer (scikit-image's marching cubes, the
fast-simplification library) is measured beside ours where it is installed. Seconds are of wall time: mind the load.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, note
from engines.assets import FloatArray
from engines.geometry import smooth_normals
from generators.meshes.decimation import decimated
from generators.meshes.depth_views import DepthView
from generators.meshes.fusion import Box
from generators.meshes.isosurface import Surface, blocks_of, isosurface
from generators.meshes.reconstruction import surface_of_function, surface_of_views
from generators.meshes.report import reported
from generators.meshes.topology import edges_of, face_areas
from generators.meshes.tracing import nearest, tree_of
from generators.meshes.unwrapping import unwrapped
from tests.generators.radiance import known_scene

POINTS = 40_000
HALF = Box(np.full(3, -1.0), np.full(3, 1.0))
SIDE = 192


def run() -> Iterator[Figure]:
    """All figures; half a minute."""
    note(f"load average {os.getloadavg()[0]:.1f} at the start; {os.cpu_count()} cores")
    surface_of_function(ring, HALF, 16)  # the kernels are compiled or read from the cache here
    yield from shapes()
    yield from room()
    yield from parts()
    note(f"load average {os.getloadavg()[0]:.1f} at the end")


def ring(points: FloatArray) -> NDArray[np.floating]:
    """Distance to a ring of radius 0.6 and thickness 0.25."""
    return np.asarray(np.hypot(np.hypot(points[:, 0], points[:, 2]) - 0.6, points[:, 1]) - 0.25)


def knot(points: FloatArray) -> NDArray[np.floating]:
    """Distance to a (2, 3) torus knot of thickness 0.1, to its nearest of 600 points along."""
    turn = np.linspace(0, 2 * np.pi, 600, endpoint=False)
    radius = 0.5 + 0.2 * np.cos(3 * turn)
    along = np.stack([radius * np.cos(2 * turn), 0.2 * np.sin(3 * turn), radius * np.sin(2 * turn)], axis=1)
    squared = (points.astype(np.float32) ** 2).sum(1)[:, None] + (along**2).sum(1)[None]
    squared = squared - 2 * points.astype(np.float32) @ along.T.astype(np.float32)
    return np.asarray(np.sqrt(np.maximum(squared.min(1), 0)) - 0.1)


def sampled(surface: Surface, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Points spread evenly over a surface with their smooth normals."""
    rng = np.random.default_rng(seed)
    area = face_areas(surface.positions, surface.faces)
    face = rng.choice(len(area), POINTS, p=area / area.sum())
    shares = rng.dirichlet([1, 1, 1], POINTS)
    corners = surface.faces[face]
    normals = smooth_normals(surface.positions, surface.faces)
    points = np.einsum("nk,nkc->nc", shares, surface.positions[corners])
    facing = np.einsum("nk,nkc->nc", shares, normals[corners])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    return points.astype(np.float32), facing.astype(np.float32)


def compared(surface: Surface, points: FloatArray, normals: FloatArray, own: FloatArray) -> tuple[float, float]:
    """Chamfer distance in metres and normal consistency; `own` are the surface's samples' distances to the truth."""
    hits = nearest(tree_of(surface.positions, surface.faces), points)
    mine = smooth_normals(surface.positions, surface.faces)[surface.faces[hits.face]]
    facing = np.einsum("nk,nkc->nc", hits.shares, mine)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    chamfer = (float(hits.distance.mean()) + float(np.abs(own).mean())) / 2
    return chamfer, float(np.einsum("nc,nc->n", facing, normals).mean())


def shapes() -> Iterator[Figure]:
    """Distances sampled on a grid of 96, then reduced to 2000 triangles; truth is the same shape at 320."""
    for name, function, truth_cells in (("ring", ring, 320), ("torus knot", knot, 160)):
        truth = surface_of_function(function, HALF, truth_cells)
        points, normals = sampled(truth)
        surface = surface_of_function(function, HALF, 96)
        for title, made in ((f"{name}, 96 cells", surface), (f"{name}, 2000 triangles", decimated(surface, 2000))):
            chamfer, facing = compared(made, points, normals, function(sampled(made, 1)[0]))
            yield Figure("meshes", f"Chamfer distance, {title}", chamfer * 1000, "mm", "half a cell", 2000 / 96 / 2)
            yield Figure("meshes", f"normal consistency, {title}", facing, "", "1 is the truth", 1.0)
            border = int(edges_of(made.faces).border.sum())
            yield Figure("meshes", f"border edges, {title}", border, "", "below 1: watertight", 1)
            crossing = reported(made).crossing_triangles
            yield Figure("meshes", f"triangles that cross, {title}", crossing, "", "must stay below 1", 1)


def room() -> Iterator[Figure]:
    """A room corner from 24 true distance pictures, with and without noise of 1 % of the distance."""
    seen = known_scene.views(24, width=320, height=240)
    points, normals = known_scene.surface_points(POINTS)
    inside = (np.abs(points[:, [0, 2]]) < 1.2).all(1) & (points[:, 1] < 1.2)
    rng = np.random.default_rng(0)
    for title, noise in (("true distances", 0.0), ("1 % noise", 0.01)):
        views = []
        for view in seen:
            depth = view.depth * (1 + noise * rng.standard_normal(view.depth.shape))
            colour = np.asarray(view.pixels / 255, np.float32)
            views.append(DepthView(view.camera, colour, depth.astype(np.float32), (depth > 0).astype(np.float32)))
        began = time.perf_counter()
        box = Box(np.array([-1.5, -0.1, -1.5]), np.array([1.5, 1.5, 1.5]))
        surface, _, cell_m = surface_of_views(views, box, 192, rounds=10)
        secs = time.perf_counter() - began
        low = decimated(surface, 10_000)
        visible = _seen(points, seen) & inside
        for name, made in ((title, surface), (f"{title}, 10 000 triangles", low)):
            own = known_scene.signed_distance(sampled(made)[0].astype(np.float64))
            chamfer, facing = compared(
                made,
                points[visible].astype(np.float32),
                normals[visible].astype(np.float32),
                np.asarray(own, np.float32),
            )
            yield Figure("meshes", f"Chamfer distance, room, {name}", chamfer * 1000, "mm", "one cell", cell_m * 1000)
            yield Figure("meshes", f"normal consistency, room, {name}", facing, "", "1 is the truth", 1.0)
            crowded = int(edges_of(made.faces).crowded.sum())
            yield Figure("meshes", f"edges of more than two, room, {name}", crowded, "", "must stay below 1", 1)
        yield Figure("meshes", f"fusing 24 views 320×240, room, {title}", secs, "s", "goal ≤ 5 s", 5.0)


def _seen(points: NDArray[np.float64], views: list[known_scene.View]) -> NDArray[np.bool_]:
    """Points that at least two views show."""
    count = np.zeros(len(points), int)
    for view in views:
        c = view.camera
        local = points @ c.camera_from_world[:3, :3].T + c.camera_from_world[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = c.fx * local[:, 0] / local[:, 2] + c.cx, c.fy * local[:, 1] / local[:, 2] + c.cy
        good = (local[:, 2] > 0) & (u >= 0) & (v >= 0) & (u < c.width) & (v < c.height)
        depth = view.depth[v[good].astype(int), u[good].astype(int)]
        good[good] = np.abs(depth - local[good, 2]) < 0.03 * depth
        count += good
    return np.asarray(count >= 2)


def parts() -> Iterator[Figure]:
    """Marching cubes, reduction and unfolding, beside a peer where there is one."""
    x = np.linspace(-1, 1, SIDE, dtype=np.float32)
    points = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = (ring(points) + 0.02 * np.sin(points * 30).prod(1)).astype(np.float32).reshape(SIDE, SIDE, SIDE)
    step = float(x[1] - x[0])
    ours = _best(lambda: isosurface(blocks_of(grid, np.full(3, -1.0), step)))
    surface = isosurface(blocks_of(grid, np.full(3, -1.0), step))
    note(f"{len(surface.faces):,} triangles from {SIDE}³ samples")
    yield Figure("meshes", f"marching cubes, {SIDE}³", ours, "s", *_peer_cubes(grid))
    ours = _best(lambda: decimated(surface, 10_000))
    yield Figure("meshes", f"reducing {len(surface.faces):,} to 10 000", ours, "s", *_peer_reduction(surface))
    low = decimated(surface, 10_000)
    yield Figure(
        "meshes",
        "unfolding 10 000 triangles",
        _best(lambda: unwrapped(low.positions, low.faces)),
        "s",
        "goal ≤ 2 s",
        2.0,
    )


def _best(work: Callable[[], object], rounds: int = 3) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _peer_cubes(grid: FloatArray) -> tuple[str, float]:
    if importlib.util.find_spec("skimage") is None:
        return "goal ≤ 0.5 s", 0.5
    from skimage.measure import marching_cubes

    return "scikit-image", _best(lambda: marching_cubes(grid, 0.0))


def _peer_reduction(surface: Surface) -> tuple[str, float]:
    if importlib.util.find_spec("fast_simplification") is None:
        return "goal ≤ 2 s", 2.0
    import fast_simplification

    def theirs() -> Surface:
        points, faces = fast_simplification.simplify(surface.positions, surface.faces, target_count=10_000)
        return Surface(points, faces)

    for name, low in (("theirs", theirs()), ("ours", decimated(surface, 10_000))):
        away = float(np.abs(ring(sampled(Surface(low.positions.astype(np.float32), low.faces))[0])).mean())
        uses = edges_of(low.faces).uses
        bad = int((uses != 2).sum())
        note(f"{name}: {len(low.faces):,} triangles, {bad} bad edges, mean {away * 1000:.2f} mm off the ring")
    return "fast-simplification", _best(theirs)

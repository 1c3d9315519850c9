"""Compiles the kernels of this room on a ball of a few hundred triangles, once a machine."""

from __future__ import annotations

import numpy as np

from generators.meshes.atlas import texels_of
from generators.meshes.decimation import decimated
from generators.meshes.depth_views import DepthView
from generators.meshes.evening import evened
from generators.meshes.fusion import Box, fused
from generators.meshes.hole_filling import filled
from generators.meshes.isosurface import Surface, isosurface
from generators.meshes.manifold import mended
from generators.meshes.reconstruction import surface_of_function
from generators.meshes.report import reported
from generators.meshes.smoothing import smoothed
from generators.meshes.surface_depth import surface_depth
from generators.meshes.tracing import cast, nearest, tree_of
from generators.meshes.view_colours import Picture, blended, depth_of
from generators.meshes.wrapping import wrapped
from generators.radiance.cameras import looking_at
from generators.radiance.parameters import Parameters
from generators.radiance.rasterizer import Rules


def compile_kernels() -> None:
    """Do a little of everything; afterwards numba's cache on disk holds the kernels."""
    box = Box(np.full(3, -1.0), np.full(3, 1.0))
    ball = surface_of_function(lambda points: np.linalg.norm(points, axis=1) - 0.7, box, 12)
    small = decimated(ball, 100)
    smoothed(small.positions, small.faces, 1)
    evened(ball, 0.5, 0.1)
    open_ball, _ = mended(small.positions, small.faces[3:])
    whole, _, _ = filled(open_ball)
    tree = tree_of(whole.positions, whole.faces)
    up = np.tile(np.array([[0, 1, 0]], np.float32), (len(whole.positions), 1))
    cast(tree, whole.positions, up, 1.0)
    nearest(tree, whole.positions)
    reported(whole)
    wrapped(whole, 12)
    _looked_at(whole)
    texels_of(np.array([[0, 0], [1, 0], [0, 1]], np.float32), np.array([[0, 1, 2]], np.int32), 8)
    one = Parameters(
        positions=np.zeros((1, 3), np.float32),
        log_scales=np.zeros((1, 3), np.float32),
        quaternions=np.array([[1, 0, 0, 0]], np.float32),
        logits=np.zeros(1, np.float32),
        sh=np.zeros((1, 1, 3), np.float32),
    )
    surface_depth(one, looking_at((0.0, 0.0, 9.0), (0.0, 0.0, 0.0), fov_y_deg=40, width=8, height=8), Rules(), 0.1)


def _looked_at(ball: Surface) -> None:
    camera = looking_at((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), fov_y_deg=40, width=24, height=24)
    depth = depth_of(ball.positions, ball.faces, camera)
    picture = Picture(camera, np.ones((24, 24, 3), np.float32), np.ones((24, 24), np.float32))
    one = np.zeros(len(ball.positions), np.int32)
    blended(ball.positions, ball.positions, [picture], [depth], tolerance_m=0.1, groups=one)
    view = DepthView(camera, picture.levelled(), depth, picture.trust)
    isosurface(fused([view], Box(np.full(3, -1.0), np.full(3, 1.0)), 24, seen_min=1))

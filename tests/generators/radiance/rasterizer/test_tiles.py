"""Tile lists against a plain scan of every pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import front_camera, random_cloud

from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.tiles import TILE, front_to_back

BACKEND = NumbaBackend()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(-5.0, 0.0))
def test_a_splat_is_listed_exactly_where_it_shows(seed: int, size: float) -> None:
    camera = front_camera(70, 50)
    projection = BACKEND.project(random_cloud(40, seed=seed, size=size), camera, Rules())
    raster = BACKEND.rasterize(projection, projection.colour, np.zeros(3, np.float32), 70, 50)
    starts, members = raster.state.starts, raster.state.members
    tiles_x = -(-70 // TILE)
    listed = np.zeros((40, len(starts) - 1), bool)
    for tile in range(len(starts) - 1):
        listed[members[starts[tile] : starts[tile + 1]], tile] = True
    v, u = np.mgrid[0 : TILE * 4, 0 : TILE * tiles_x] + 0.5
    for i in range(40):
        a, b, c = projection.conic[i].astype(np.float64)
        dx, dy = u - projection.xy[i, 0], v - projection.xy[i, 1]
        alpha = projection.opacity[i] * np.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
        shown = alpha.reshape(4, TILE, tiles_x, TILE).max((1, 3)).ravel() >= 1 / 255 + 1e-5
        assert not (shown & ~listed[i]).any(), "a visible splat is missing from a tile"


def test_exact_culling_lists_far_fewer_tiles_than_boxes_for_needles() -> None:
    camera = front_camera(160, 160)
    cloud = random_cloud(60, seed=1)
    cloud.log_scales[:] = (0.0, -5.0, -5.0)
    projection = BACKEND.project(cloud, camera, Rules())
    raster = BACKEND.rasterize(projection, projection.colour, np.zeros(3, np.float32), 160, 160)
    low = np.clip(np.floor((projection.xy - projection.extent) / TILE), 0, 10)
    high = np.clip(np.floor((projection.xy + projection.extent) / TILE) + 1, 0, 10)
    boxes = np.prod(np.maximum(high - low, 0), axis=1)[projection.extent[:, 0] > 0].sum()
    assert len(raster.state.members) < 0.6 * boxes


def test_depth_order_is_a_stable_sort() -> None:
    rng = np.random.default_rng(0)
    depth = rng.choice(rng.random(50).astype(np.float32) * 100, 1000)
    counts = rng.integers(0, 2, 1000).astype(np.int32)
    expected = np.nonzero(counts)[0][np.argsort(depth[counts > 0], kind="stable")]
    assert np.array_equal(front_to_back(depth, counts), expected)


def test_members_of_every_tile_come_front_to_back() -> None:
    camera = front_camera(70, 50)
    projection = BACKEND.project(random_cloud(300), camera, Rules())
    state = BACKEND.rasterize(projection, projection.colour, np.zeros(3, np.float32), 70, 50).state
    for tile in range(len(state.starts) - 1):
        depth = projection.depth[state.members[state.starts[tile] : state.starts[tile + 1]]]
        assert (np.diff(depth) >= 0).all()
    assert np.array_equal(np.sort(state.slots), np.arange(len(state.members)))

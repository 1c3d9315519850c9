"""Tile lists against a plain scan of every pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.radiance.rasterizer import Rules
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.tiles import PACKED, TILE, front_to_back, pack, tile_lists
from tests.generators.radiance.scenes import front_camera, random_cloud

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


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_lists_of_needles_are_whole(seed: int) -> None:
    # Needles in all directions graze very many tile edges, where rounding decides.
    rng = np.random.default_rng(seed)
    count, tiles_x, tiles_y = 10_000, 12, 9
    angle, long, thin = rng.uniform(0, np.pi, count), rng.uniform(20, 60, count), rng.uniform(0.5, 2, count)
    axes = np.stack([np.cos(angle), np.sin(angle)], -1)
    across = np.stack([-axes[:, 1], axes[:, 0]], -1)
    form = [np.einsum("ni,nj->nij", v, v) / s[:, None, None] ** 2 for v, s in ((axes, long), (across, thin))]
    inverse = form[0] + form[1]
    covariance = np.linalg.inv(inverse)
    opacity = rng.uniform(0.01, 1.0, count)
    reach = np.sqrt(2 * np.log(opacity * 255))
    extent = reach[:, None] * np.sqrt(np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], -1))
    conic = np.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], -1)
    packed = np.empty((count, PACKED), np.float32)
    xy = np.round(rng.uniform(-20, 210, (count, 2)) * 2) / 2  # often exactly on pixel centres and tile edges
    pack(*(values.astype(np.float32) for values in (xy, conic, opacity, extent)), packed)
    starts, members, slots, firsts = tile_lists(packed, rng.random(count).astype(np.float32), tiles_x, tiles_y)
    assert starts[-1] == firsts[-1] == len(members) and (np.diff(starts) >= 0).all()
    assert np.array_equal(np.sort(slots), np.arange(len(slots)))
    owner = np.searchsorted(firsts, slots, side="right") - 1
    assert np.array_equal(owner, members), "a slot lies outside its own splat's row"
    tile = np.repeat(np.arange(tiles_x * tiles_y), np.diff(starts))
    pairs = members.astype(np.int64) * 1000 + tile
    assert len(np.unique(pairs)) == len(pairs)

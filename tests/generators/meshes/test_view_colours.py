"""Who sees what: visibility, edges, blending, and the texture square, on scenes small enough to know by heart."""

from __future__ import annotations

import numpy as np

from engines.assets import FloatArray
from generators.meshes.atlas import fill_gaps, texels_of
from generators.meshes.baking import occlusion
from generators.meshes.isosurface import Surface
from generators.meshes.tracing import cast, tree_of
from generators.meshes.view_colours import Picture, blended, calm, depth_of
from generators.radiance.cameras import Camera, looking_at
from tests.generators.meshes.shapes import cube, ring_surface, sheet


def camera(eye: tuple[float, float, float], size: int = 64) -> Camera:
    return looking_at(eye, (0.0, 0.0, 0.0), fov_y_deg=50, width=size, height=size)


def plain(view: Camera, colour: tuple[float, float, float]) -> Picture:
    pixels = np.tile(np.array(colour, np.float32), (view.height, view.width, 1))
    return Picture(view, pixels, np.ones((view.height, view.width), np.float32))


def pixel_rays(view: Camera) -> FloatArray:
    """Directions [H·W, 3] whose length along the camera's axis is 1, in the world."""
    v, u = np.mgrid[: view.height, : view.width] + 0.5
    local = np.stack([(u - view.cx) / view.fx, (v - view.cy) / view.fy, np.ones_like(u)], axis=-1).reshape(-1, 3)
    return np.ascontiguousarray(local @ view.camera_from_world[:3, :3], np.float32)


def test_depth_agrees_with_rays() -> None:
    surface, view = ring_surface(), camera((0.6, 1.5, 2.0))
    depth = depth_of(surface.positions, surface.faces, view)
    rays = pixel_rays(view)
    origins = np.tile(view.position.astype(np.float32), (len(rays), 1))
    hits = cast(tree_of(surface.positions, surface.faces), origins, rays, 100.0)
    want = np.where(hits.face >= 0, hits.distance, 0).reshape(depth.shape)
    assert ((depth > 0) == (want > 0)).mean() > 0.995
    both = (depth > 0) & (want > 0)
    np.testing.assert_allclose(depth[both], want[both], rtol=2e-3)


def test_what_is_hidden_takes_no_colour() -> None:
    near, far = cube(), sheet(8)
    wall = (far.positions[:, [0, 2, 1]] * [8, 8, 1] - [4, 4, 2]).astype(np.float32)
    scene = Surface(
        np.concatenate([near.positions * np.float32(0.5), wall]),
        np.concatenate([near.faces, far.faces[:, ::-1] + 8]).astype(np.int32),
    )
    front = camera((0.0, 0.0, 4.0), 128)
    points = np.array([[0, 0, 0.5], [0, 0, -2], [2.5, 0, -2], [0, 0.5, 0.0]], np.float32)
    normals = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0]], np.float32)
    depth = depth_of(scene.positions, scene.faces, front)
    blend = blended(points, normals, [plain(front, (1, 0, 0))], [depth], tolerance_m=0.02)
    assert blend.seen.tolist() == [True, False, True, False]
    np.testing.assert_allclose(blend.colours[blend.seen], [[1, 0, 0]] * 2, atol=1e-6)


def test_the_straight_and_near_view_wins_and_transitions_are_smooth() -> None:
    floor = sheet(20)
    points = ((floor.positions - [0.5, 0, 0.5]) * 2).astype(np.float32)
    left, right = camera((-1.2, 1.6, 0.0)), camera((1.2, 1.6, 0.0))
    depths = [depth_of(points, floor.faces, view) for view in (left, right)]
    pictures = [plain(left, (1, 0, 0)), plain(right, (0, 0, 1))]
    up = np.tile(np.array([[0, 1, 0]], np.float32), (len(points), 1))
    line = np.linspace(-0.8, 0.8, 200, dtype=np.float32)
    row = np.stack([line, np.zeros_like(line), np.zeros_like(line)], axis=1)
    blend = blended(row, up[:200], pictures, depths, tolerance_m=0.05)
    assert blend.seen.all()
    assert blend.colours[0, 0] > 0.95 and blend.colours[-1, 2] > 0.95
    assert np.abs(np.diff(blend.colours[:, 0])).max() < 0.06
    np.testing.assert_allclose(blend.colours.sum(1), 1, atol=1e-5)


def test_one_picture_that_disagrees_is_outvoted() -> None:
    floor = sheet(4)
    points = ((floor.positions - [0.5, 0, 0.5]) * 2).astype(np.float32)
    views = [camera((0.3 * np.sin(a), 2.0, 0.3 * np.cos(a))) for a in np.linspace(0, 6, 7)]
    pictures = [plain(view, (0.2, 0.6, 0.2)) for view in views[:-1]] + [plain(views[-1], (1, 1, 1))]
    depths = [depth_of(points, floor.faces, view) for view in views]
    middle = np.zeros((1, 3), np.float32)
    blend = blended(middle, np.array([[0, 1, 0]], np.float32), pictures, depths, tolerance_m=0.05)
    np.testing.assert_allclose(blend.colours[0], [0.2, 0.6, 0.2], atol=0.03)


def test_trying_only_the_best_views_of_each_triangle_changes_little() -> None:
    surface = ring_surface(40)
    corners = surface.positions[surface.faces]
    middles = np.ascontiguousarray(corners.mean(1))
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.ascontiguousarray(normals / np.linalg.norm(normals, axis=1, keepdims=True), np.float32)
    rng = np.random.default_rng(0)
    eyes = rng.normal(size=(14, 3))
    views = [camera(tuple(map(float, 2.5 * eye / np.linalg.norm(eye)))) for eye in eyes]  # type: ignore[arg-type]
    pictures = [plain(view, tuple(rng.uniform(0.3, 0.7, 3))) for view in views]
    depths = [depth_of(surface.positions, surface.faces, view) for view in views]
    slow = blended(middles, normals, pictures, depths, tolerance_m=0.05)
    # Triangles of the sampled surface stand for texels, three that follow one another for triangles.
    patch = (np.arange(len(middles)) // 3).astype(np.int32)
    quick = blended(middles, normals, pictures, depths, tolerance_m=0.05, groups=patch)
    assert (slow.seen == quick.seen).mean() > 0.97
    both = slow.seen & quick.seen
    assert np.abs(slow.colours[both] - quick.colours[both]).mean() < 0.02
    own = blended(middles, normals, pictures, depths, tolerance_m=0.05, groups=np.arange(len(middles), dtype=np.int32))
    assert np.array_equal(own.seen, slow.seen)
    # The common colour, against which pictures are doubted, comes from fewer of them.
    assert np.abs(own.colours - slow.colours).max() < 0.1 and np.abs(own.colours - slow.colours).mean() < 0.005


def test_trust_fades_towards_edges() -> None:
    depth = np.full((40, 40), 2.0, np.float32)
    depth[:, 20:] = 3.0
    trust = calm(depth, 4)
    assert (trust[:, 19:21] == 0).all() and trust[20, 10] == 1 and 0 < trust[20, 17] < 1
    assert (trust[0] == 0).all() and (calm(np.zeros((9, 9), np.float32)) == 0).all()


def test_every_triangle_has_texels_and_gaps_are_filled() -> None:
    uvs = np.array([[0.1, 0.1], [0.4, 0.1], [0.1, 0.4], [0.7, 0.7], [0.703, 0.7], [0.7, 0.703]], np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    texels = texels_of(uvs, faces, 64)
    assert set(texels.face.tolist()) == {0, 1}
    np.testing.assert_allclose(texels.shares.sum(1), 1, atol=1e-6)
    row, column = texels.at // 64, texels.at % 64
    first = texels.face == 0
    place = texels.over(np.concatenate([uvs, np.zeros((6, 1), np.float32)], axis=1), faces)[first]
    assert (
        np.abs(place[:, 0] * 64 - column[first] - 0.5).max() < 1
        and np.abs((1 - place[:, 1]) * 64 - row[first] - 0.5).max() < 1
    )
    picture = texels.picture(np.where(first[:, None], [[1.0, 0.5]], [[0.2, 0.5]]).astype(np.float32))
    assert picture.shape == (64, 64, 2) and (picture[..., 1] == 0.5).all()
    assert picture[56, 8, 0] == 1 and picture[5, 60, 0] < 0.3


def test_filling_touches_nothing_known() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((13, 21, 3)).astype(np.float32)
    known = rng.random((13, 21)) > 0.8
    filled = fill_gaps(picture, known)
    assert np.array_equal(filled[known], picture[known]) and filled.shape == picture.shape
    low, high = picture[known].min(0), picture[known].max(0)
    assert (filled >= low - 1e-6).all() and (filled <= high + 1e-6).all()
    nothing = fill_gaps(picture, np.zeros_like(known))
    assert np.array_equal(nothing, picture)


def test_occlusion_of_a_corner_and_of_open_sky() -> None:
    floor, wall = sheet(1), sheet(1)
    wide = (floor.positions - [0.5, 0, 0.5]) * 20
    upright = np.stack([wall.positions[:, 0] * 20 - 10, wall.positions[:, 2] * 20 - 10, np.zeros(4)], axis=1)
    scene = Surface(
        np.concatenate([wide, upright]).astype(np.float32),
        np.concatenate([floor.faces, floor.faces + 4]).astype(np.int32),
    )
    tree = tree_of(scene.positions, scene.faces)
    points = np.array([[0, 0, 0.05], [0, 0, 5.0]], np.float32)
    up = np.tile(np.array([[0, 1, 0]], np.float32), (2, 1))
    sky = occlusion(tree, points, up, 1.0, 256)
    # Right beside an endless wall half the sky is hidden; far from it none, for nothing beyond the reach counts.
    assert 0.45 < sky[0] < 0.62 and sky[1] == 1

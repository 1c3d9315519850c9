"""What an artist does to a mesh: each generator on shapes whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engines.assets import Mesh
from engines.geometry import check_mesh, smooth_normals
from engines.kinds import MapName
from generators.events import Cancelled, Event, GeneratorError, Note, Preview, Produced, Request
from generators.meshes import bake, decimate, levels, repair, smooth, subdivide, unwrap, voxels
from generators.meshes.isosurface import Surface
from generators.meshes.report import print_words, reported
from generators.meshes.specs import (
    BakeParams,
    DecimateParams,
    LevelsParams,
    RepairParams,
    SmoothParams,
    SubdivideParams,
    UnwrapParams,
    VoxelsParams,
)
from generators.meshes.topology import volume_m3
from tests.generators.meshes.shapes import (
    Bench,
    as_mesh,
    ball,
    ball_surface,
    checkered,
    closed,
    cube,
    edge_uses,
    ring_surface,
    sheet,
)

Run = Callable[[Request, Any], Iterator[Event]]


def did(run: Run, params: Any, **inputs: Mesh) -> tuple[list[Mesh], str]:
    """The meshes and the notes of a run."""
    events = list(run(Request(params, 0, inputs), Bench()))
    assert any(isinstance(event, Preview) for event in events) or len(events) < 4
    meshes = [event.asset for event in events if isinstance(event, Produced) and isinstance(event.asset, Mesh)]
    for mesh in meshes:
        check_mesh(mesh)
    return meshes, " | ".join(event.text for event in events if isinstance(event, Note))


def by_place(mesh: Mesh) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Faces by place instead of by vertex."""
    _, place = np.unique(mesh.positions, axis=0, return_inverse=True)
    return np.asarray(place.ravel()[mesh.faces.astype(np.int64)])


def painted_ball(cells: int = 32) -> Mesh:
    """A ball with uvs around its axis and a checkerboard, split along the seam."""
    surface = ball_surface(cells)
    unwrapped = as_mesh(surface)
    turn = np.arctan2(surface.positions[:, 0], surface.positions[:, 2]) / (2 * np.pi) + 0.5
    uvs = np.stack([turn, surface.positions[:, 1] / 1.4 + 0.5], axis=1).astype(np.float32)
    return checkered(replace(unwrapped, uvs=uvs, normals=smooth_normals(surface.positions, surface.faces)))


def test_decimating_keeps_the_shape_and_bakes_the_look() -> None:
    source = painted_ball()
    (mesh,), notes = did(decimate.run, DecimateParams(triangles=300, texture_px=256), mesh=source)
    assert len(mesh.faces) <= 300 and closed(by_place(mesh)) and "became" in notes
    assert np.abs(ball(mesh.positions)).max() < 0.03
    assert mesh.material is not None and MapName.NORMAL in mesh.material.maps
    pixels = mesh.material.maps[MapName.BASE_COLOR].pixels.reshape(-1, 3).astype(int)
    pure = (np.abs(pixels - [200, 30, 30]).max(1) < 12) | (np.abs(pixels - [30, 180, 40]).max(1) < 12)
    assert pure.mean() > 0.5  # the rest is blended along the edges of the squares
    (bare,), _ = did(decimate.run, DecimateParams(triangles=300, texture="drop"), mesh=source)
    assert bare.material is None and bare.normals is not None


def test_decimating_keeps_vertex_colours() -> None:
    surface = ball_surface(32)
    colours = (surface.positions * 0.5 + 0.5).astype(np.float32)
    (mesh,), _ = did(decimate.run, DecimateParams(triangles=400), mesh=replace(as_mesh(surface), colours=colours))
    assert mesh.colours is not None
    assert np.abs(mesh.colours - (mesh.positions * 0.5 + 0.5)).max() < 0.05


def test_a_light_mesh_is_left_alone() -> None:
    source = as_mesh(cube())
    meshes, notes = did(decimate.run, DecimateParams(triangles=100), mesh=source)
    assert meshes[0] is source and "left as it is" in notes


def test_levels_grow_lighter() -> None:
    meshes, notes = did(levels.run, LevelsParams(count=3, ratio=0.3, texture_px=128), mesh=as_mesh(ring_surface()))
    counts = [len(mesh.faces) for mesh in meshes]
    assert len(counts) == 4 and all(after <= 0.31 * before for before, after in pairwise(counts))
    assert meshes[2].name.endswith("LOD2") and f"{counts[3]:,}" in notes
    assert all(closed(by_place(mesh)) for mesh in meshes)


def test_smoothing_takes_noise_out_and_keeps_the_volume() -> None:
    surface = ball_surface(40)
    noise = np.random.default_rng(0).normal(0, 0.006, surface.positions.shape)
    rough = Surface((surface.positions + noise).astype(np.float32), surface.faces)
    (mesh,), _ = did(smooth.run, SmoothParams(rounds=20), mesh=as_mesh(rough))
    before, after = np.abs(ball(rough.positions)).mean(), np.abs(ball(mesh.positions)).mean()
    assert after < 0.45 * before
    assert volume_m3(mesh.positions, mesh.faces) == pytest.approx(volume_m3(surface.positions, surface.faces), rel=0.01)


def test_smoothing_moves_the_two_sides_of_a_seam_together_and_holds_outlines() -> None:
    source = painted_ball(16)
    double = np.arange(0, len(source.faces), 2)
    faces = source.faces.copy()
    faces[double] += len(source.positions)
    assert source.uvs is not None and source.normals is not None
    twice = replace(
        source,
        positions=np.tile(source.positions, (2, 1)),
        normals=np.tile(source.normals, (2, 1)),
        uvs=np.tile(source.uvs, (2, 1)),
        faces=faces,
    )
    (mesh,), _ = did(smooth.run, SmoothParams(rounds=5), mesh=twice)
    assert closed(by_place(mesh)) and mesh.uvs is not None
    assert twice.uvs is not None and np.array_equal(mesh.uvs, twice.uvs)
    bumpy = sheet(12)
    bumpy.positions[:, 1] = np.random.default_rng(0).normal(0, 0.02, len(bumpy.positions))
    (held,), _ = did(smooth.run, SmoothParams(rounds=30), mesh=as_mesh(bumpy))
    rim = (np.abs(bumpy.positions[:, [0, 2]] - 0.5) > 0.499).any(1)
    assert np.array_equal(held.positions[rim], bumpy.positions[rim])
    assert np.abs(held.positions[~rim, 1]).mean() < 0.6 * np.abs(bumpy.positions[~rim, 1]).mean()


def test_loop_rounds_a_cube_as_its_masks_say() -> None:
    (mesh,), _ = did(subdivide.run, SubdivideParams(scheme="loop", levels=1), mesh=as_mesh(cube()))
    assert len(mesh.faces) == 48 and closed(by_place(mesh))
    faces, points = cube().faces, cube().positions.astype(np.float64)
    around = {v: sorted({int(o) for f in faces if v in f for o in f} - {v}) for v in range(8)}
    for vertex, others in around.items():
        n = len(others)
        beta = 3 / 16 if n == 3 else 3 / (8 * n)
        want = (1 - n * beta) * points[vertex] + beta * points[others].sum(0)
        assert np.linalg.norm(mesh.positions - want, axis=1).min() < 1e-6
    three, _ = did(subdivide.run, SubdivideParams(scheme="loop", levels=3), mesh=as_mesh(cube()))
    spread = np.linalg.norm(three[0].positions, axis=1)
    assert spread.max() < 1.2 * spread.min() * 1.3


def test_catmull_clark_finds_the_cubes_quads() -> None:
    (mesh,), _ = did(subdivide.run, SubdivideParams(scheme="catmull-clark", levels=1), mesh=as_mesh(cube()))
    assert len(mesh.faces) == 6 * 4 * 2 and closed(by_place(mesh))
    # Known places: face points at 1, edge points at 3/4, corners at 5/9 of the cube's half side.
    for want in ((1, 0, 0), (0.75, 0.75, 0), (5 / 9, 5 / 9, 5 / 9), (-5 / 9, 5 / 9, 5 / 9), (0, -0.75, 0.75)):
        assert np.linalg.norm(mesh.positions - np.array(want), axis=1).min() < 1e-6
    (fine,), _ = did(subdivide.run, SubdivideParams(scheme="catmull-clark", levels=3), mesh=as_mesh(cube()))
    assert closed(by_place(fine)) and len(fine.faces) == 6 * 64 * 2


@pytest.mark.parametrize("scheme", ["loop", "catmull-clark", "flat"])
def test_subdividing_keeps_outlines_uvs_and_area(scheme: Any) -> None:
    surface = sheet(3)
    uvs = np.ascontiguousarray(surface.positions[:, [0, 2]])
    source = checkered(replace(as_mesh(surface), uvs=uvs))
    (mesh,), _ = did(subdivide.run, SubdivideParams(scheme=scheme, levels=2), mesh=source)
    assert mesh.uvs is not None and mesh.material is source.material
    assert set(edge_uses(mesh.faces)) == {1, 2}
    assert np.abs(mesh.positions[:, 1]).max() < 1e-7
    assert mesh.positions[:, 0].max() == pytest.approx(1, abs=1e-6)
    if scheme == "flat":
        np.testing.assert_allclose(mesh.uvs, mesh.positions[:, [0, 2]], atol=1e-6)


def test_subdividing_respects_the_budget() -> None:
    (mesh,), notes = did(subdivide.run, SubdivideParams(levels=5, triangles=1000), mesh=as_mesh(cube()))
    assert len(mesh.faces) == 12 * 64 and "3 of 5 levels" in notes
    with pytest.raises(GeneratorError, match="one level would make"):
        did(subdivide.run, SubdivideParams(triangles=100), mesh=as_mesh(ball_surface()))


def test_unwrapping_gives_uvs_without_overlap() -> None:
    (mesh,), notes = did(unwrap.run, UnwrapParams(texture_px=256), mesh=painted_ball(20))
    assert mesh.uvs is not None and mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1 and "charts" in notes
    corners = mesh.uvs[mesh.faces.astype(np.int64)].astype(np.float64)
    grid, empty = np.zeros((512, 512), int), 0
    for a, b, c in corners * 512:
        low, high = (
            np.floor(np.minimum(np.minimum(a, b), c)).astype(int),
            np.ceil(np.maximum(np.maximum(a, b), c)).astype(int),
        )
        y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        assert area > -1e-6, "mirrored"
        if area < 1e-6:
            empty += 1
            continue
        u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
        v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
        inside = (u > 1e-9) & (v > 1e-9) & (1 - u - v > 1e-9)
        grid[low[1] : high[1], low[0] : high[0]] += inside
    assert grid.max() == 1 and (grid > 0).mean() > 0.35 and empty < 0.05 * len(corners)
    assert mesh.material is not None


def test_repairing_a_soup_makes_it_printable_and_says_so() -> None:
    surface = ball_surface(20)
    faces = surface.faces.copy()
    faces[::3] = faces[::3][:, ::-1]
    faces = np.delete(faces, [5, 6, 40, 41, 42], axis=0)
    soup = surface.positions[faces].reshape(-1, 3) * np.float32(0.02)
    broken = Mesh(np.ascontiguousarray(soup), np.arange(len(soup), dtype=np.uint32).reshape(-1, 3))
    (mesh,), notes = did(repair.run, RepairParams(), mesh=broken)
    assert closed(by_place(mesh)) and volume_m3(mesh.positions, mesh.faces) > 0
    assert "before: " in notes and "open: " in notes and "faced the wrong way" in notes and "holes were closed" in notes
    after = notes.split("after: ")[1]
    assert "watertight" in after and "cm³" in after and "thinnest wall" in after
    diameter = float(after.split("thinnest wall ")[1].split(" mm")[0])
    assert diameter == pytest.approx(26, rel=0.2)


def test_repairing_keeps_the_texture_of_what_was_right() -> None:
    source = painted_ball(16)
    holed = replace(source, faces=source.faces[4:])
    (mesh,), _ = did(repair.run, RepairParams(), mesh=holed)
    assert (
        closed(by_place(mesh)) and mesh.material is source.material and mesh.uvs is not None and source.uvs is not None
    )
    known = {tuple(row) for row in np.concatenate([source.positions, source.uvs], axis=1).tolist()}
    rows = np.concatenate([mesh.positions, mesh.uvs], axis=1)[mesh.faces[: len(holed.faces)].astype(int)].reshape(-1, 5)
    assert np.mean([tuple(row) in known for row in rows.tolist()]) == 1.0


def test_walls_thinner_than_the_printer_can_are_reported() -> None:
    slab = cube()
    thin = Surface((slab.positions * [0.02, 0.0002, 0.02]).astype(np.float32), slab.faces)
    _, notes = did(repair.run, RepairParams(wall_mm=0.8), mesh=as_mesh(thin))
    assert "thinnest wall 0.4 mm" in notes and "thinner than asked for" in notes
    crossed = Mesh(
        np.concatenate([slab.positions, slab.positions * [0.5, 0.45, 0.4] + [0.8, 0.7, 0.75]]).astype(np.float32),
        np.concatenate([slab.faces, slab.faces + 8]).astype(np.uint32),
    )
    _, notes = did(repair.run, RepairParams(), mesh=crossed)
    assert "pass through others" in notes and "2 pieces" in notes


def test_what_cannot_be_printed_is_said_with_what_to_do() -> None:
    slab = cube()
    words = print_words(reported(slab))
    assert words == "watertight: no triangle passes through another, the thinnest wall is 2e+03 mm"
    thin = Surface((slab.positions * [0.02, 0.0002, 0.02]).astype(np.float32), slab.faces)
    words = print_words(reported(thin))
    assert words.startswith("not ready to print: the thinnest wall is 0.4 mm;") and "mesh.repair" in words
    crossed = Surface(
        np.concatenate([slab.positions, slab.positions * [0.5, 0.45, 0.4] + [0.8, 0.7, 0.75]]).astype(np.float32),
        np.concatenate([slab.faces, slab.faces + 8]).astype(np.int32),
    )
    words = print_words(reported(crossed))
    assert words.startswith("not ready to print: ") and " of 24 triangles pass through others" in words
    assert "3 edges are open" in print_words(reported(Surface(slab.positions, slab.faces[1:])))


def test_rebuilding_wraps_the_hopeless() -> None:
    rng = np.random.default_rng(2)
    surface = ball_surface(24)
    keep = surface.faces[rng.random(len(surface.faces)) > 0.1]
    soup = surface.positions[keep] + rng.normal(0, 0.004, (len(keep), 1, 3))
    broken = Mesh(soup.reshape(-1, 3).astype(np.float32), np.arange(3 * len(keep), dtype=np.uint32).reshape(-1, 3))
    (mesh,), notes = did(repair.run, RepairParams(method="rebuild", resolution=40), mesh=broken)
    assert closed(mesh.faces) and "watertight" in notes.split("after: ")[1] and "1 piece," in notes.split("after: ")[1]
    assert volume_m3(mesh.positions, mesh.faces) == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=0.06)


def test_a_sheet_becomes_a_slab() -> None:
    flat = sheet()
    small = Surface(flat.positions * np.float32(0.1), flat.faces)
    (mesh,), notes = did(repair.run, RepairParams(thickness_mm=2.0), mesh=as_mesh(small))
    assert closed(by_place(mesh)) and "thickness of 2 mm" in notes
    assert volume_m3(mesh.positions, mesh.faces) == pytest.approx(0.1 * 0.1 * 0.002, rel=1e-3)


def test_baking_carries_a_bump_to_a_flat_sheet() -> None:
    fine = sheet(96)
    x, z = fine.positions[:, 0] - 0.5, fine.positions[:, 2] - 0.5
    bump = np.clip(1 - (x * x + z * z) / 0.09, 0, None) ** 2 * 0.05
    fine.positions[:, 1] = bump
    colours = np.stack([fine.positions[:, 0], np.full(len(x), 0.2), fine.positions[:, 2]], axis=1).astype(np.float32)
    high = replace(as_mesh(fine), colours=colours, normals=smooth_normals(fine.positions, fine.faces))
    flat = sheet(2)
    # u runs with x, v against z: seen from above, +Y is up in the normal map where -z is.
    low = replace(
        as_mesh(flat), uvs=np.ascontiguousarray(np.stack([flat.positions[:, 0], 1 - flat.positions[:, 2]], 1))
    )
    (mesh,), _ = did(bake.run, BakeParams(texture_px=128, reach=0.1, occlusion=False), low=low, high=high)
    assert mesh.material is not None
    normal = mesh.material.maps[MapName.NORMAL].pixels / 127.5 - 1
    rows, columns = np.mgrid[:128, :128]
    u, v = (columns + 0.5) / 128, 1 - (rows + 0.5) / 128
    dx, dz = u - 0.5, (1 - v) - 0.5
    slope = -4 / 0.09 * np.clip(1 - (dx * dx + dz * dz) / 0.09, 0, None) * 0.05
    want = np.stack([-slope * dx, slope * dz, np.ones_like(u)], axis=-1)
    want /= np.linalg.norm(want, axis=-1, keepdims=True)
    assert np.abs(normal - want).mean() < 0.02 and np.abs(normal[..., :2]).max() > 0.2
    from engines.colour import linear_from_srgb

    colour = linear_from_srgb(mesh.material.maps[MapName.BASE_COLOR].pixels / 255)
    assert np.abs(colour[..., 0] - u).mean() < 0.02 and np.abs(colour[..., 2] - (1 - v)).mean() < 0.02


def test_blocks_fill_the_shape_and_take_its_colours() -> None:
    surface = ball_surface(32)
    colours = np.where(surface.positions[:, :1] > 0, [[0.8, 0.1, 0.1]], [[0.1, 0.1, 0.8]]).astype(np.float32)
    source = replace(as_mesh(surface), colours=colours)
    (mesh,), notes = did(voxels.run, VoxelsParams(blocks=16), mesh=source)
    assert closed(by_place(mesh)) or set(edge_uses(by_place(mesh))) <= {2, 4}
    assert volume_m3(mesh.positions, mesh.faces) == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=0.2)
    assert mesh.colours is not None and "blocks of" in notes
    right = mesh.positions[:, 0] > 0.15
    assert (mesh.colours[right, 0] > 0.5).all() and (mesh.colours[mesh.positions[:, 0] < -0.15, 2] > 0.5).all()
    (two,), _ = did(voxels.run, VoxelsParams(blocks=16, colours=2), mesh=source)
    assert two.colours is not None and len(np.unique(two.colours.round(4), axis=0)) == 2
    _, notes = did(voxels.run, VoxelsParams(blocks=8), mesh=as_mesh(sheet()))
    assert "the mesh is open" in notes


CASES: list[tuple[Run, Any]] = [
    (decimate.run, DecimateParams(triangles=200, texture_px=128)),
    (levels.run, LevelsParams(count=2, texture_px=128)),
    (smooth.run, SmoothParams(rounds=30)),
    (subdivide.run, SubdivideParams(levels=2)),
    (unwrap.run, UnwrapParams(texture_px=128)),
    (repair.run, RepairParams()),
    (voxels.run, VoxelsParams()),
]


@pytest.mark.parametrize(("run", "params"), CASES, ids=[run.__module__.rpartition(".")[2] for run, _ in CASES])
def test_every_one_can_be_cancelled_and_is_repeatable(run: Run, params: Any) -> None:
    source = painted_ball(16)
    with pytest.raises(Cancelled):
        list(run(Request(params, 0, {"mesh": source}), Bench(checks_left=1)))
    one, other = (did(run, params, mesh=source)[0][-1] for _ in range(2))
    assert np.array_equal(one.positions, other.positions) and np.array_equal(one.faces, other.faces)
    with pytest.raises(GeneratorError, match="expected a mesh"):
        list(run(Request(params, 0, {}), Bench()))

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Array, Asset, Image, Material, Mesh, Splats
from engines.kinds import ColourSpace, MapName
from generators.events import GeneratorError, Note, Preview, Produced, Request
from generators.procedural import polyhedra
from generators.procedural.small_specs import SplatsFromMeshParams
from generators.procedural.splats_from_mesh import SH_DC, material_sphere, run
from generators.procedural.surface_sampling import (
    linear_from_srgb,
    looked_up,
    occlusion_of,
    sampled_surface,
    srgb_from_linear,
)


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False

    def check(self) -> None:
        pass


def made(asset: Asset, seed: int = 1, **params: Any) -> tuple[Splats, list[str]]:
    events = list(run(Request(SplatsFromMeshParams(**params), seed, {"mesh": asset}), Quiet()))
    splats = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(splats, Splats)
    return splats, [event.text for event in events if isinstance(event, Note)]


def sphere(frequency: int = 12, **more: Any) -> Mesh:
    points, faces = polyhedra.geodesic(frequency)
    return Mesh(
        positions=points.astype(np.float32), faces=faces.astype(np.uint32), normals=points.astype(np.float32), **more
    )


def square(pixels: Array, space: ColourSpace = ColourSpace.SRGB) -> Mesh:
    positions = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    return Mesh(
        positions=positions,
        faces=np.array([[0, 1, 2], [0, 2, 3]], np.uint32),
        uvs=positions[:, :2].copy(),
        material=Material({MapName.BASE_COLOR: Image(pixels, space)}),
    )


def rotated_z(rotations: Array) -> Array:
    """Third column of the rotation matrices of quaternions wxyz."""
    w, x, y, z = rotations.astype(np.float64).T
    return np.stack((2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)), -1)


def test_splats_are_valid_exact_in_number_and_lie_flat_on_the_surface() -> None:
    splats, notes = made(sphere(), count=5000, thickness=0.1)
    assert splats.positions.shape == (5000, 3)
    assert splats.sh.shape == (5000, 1, 3)
    assert all(
        array.dtype == np.float32 and np.isfinite(array).all()
        for array in (splats.positions, splats.rotations, splats.scales, splats.opacities, splats.sh)
    )
    np.testing.assert_allclose(np.linalg.norm(splats.rotations, axis=1), 1, atol=1e-5)
    radial = splats.positions / np.linalg.norm(splats.positions, axis=1, keepdims=True)
    assert (rotated_z(splats.rotations) * radial).sum(1).min() > 0.99
    assert (splats.scales > 0).all()
    np.testing.assert_allclose(splats.scales[:, 2], 0.1 * splats.scales[:, 0], rtol=1e-5)
    assert any("neutral grey" in note for note in notes)


def test_quaternions_are_right_in_every_direction() -> None:
    from generators.procedural.surface_sampling import frames_along

    normals = np.random.default_rng(0).standard_normal((500, 3))
    normals[:6] = np.concatenate((np.eye(3), -np.eye(3)))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    np.testing.assert_allclose(rotated_z(frames_along(normals.astype(np.float32))), normals, atol=1e-5)


def test_samples_follow_area_and_are_more_even_than_chance() -> None:
    mesh = sphere(4)
    samples = sampled_surface(mesh, 3000, 0.0, np.random.default_rng(0))
    area = np.linalg.norm(polyhedra.face_normals(mesh.positions, mesh.faces.astype(np.intp)), axis=1)
    counts = np.bincount(samples.faces, minlength=len(area))
    assert np.abs(counts - 3000 * area / area.sum()).max() < 2
    rng = np.random.default_rng(1)
    chance = rng.standard_normal((3000, 3))
    chance /= np.linalg.norm(chance, axis=1, keepdims=True)

    def nearest(points: Array) -> Array:
        distance = ((points[:, None] - points[None]) ** 2).sum(-1)
        np.fill_diagonal(distance, np.inf)
        return np.asarray(np.sqrt(distance.min(1)))

    ours, random = nearest(samples.positions.astype(np.float64)), nearest(chance)
    assert np.quantile(ours, 0.05) > 2 * np.quantile(random, 0.05)
    assert ours.std() / ours.mean() < 0.7 * random.std() / random.mean()
    # The spacing is the side of each sample's share of the surface.
    assert (samples.spacings.astype(np.float64) ** 2).sum() == pytest.approx(area.sum() / 2, rel=1e-3)


def test_detail_makes_bent_places_denser_and_their_splats_smaller() -> None:
    angle = np.linspace(0, np.pi / 2, 9)
    arc = np.stack((1 - np.cos(angle), np.sin(angle)), -1) * 0.2
    flat = np.stack((np.linspace(0.3, 3, 9), np.full(9, 0.2)), -1)
    profile = np.concatenate((arc, flat))
    positions = np.stack([np.array([x, y, z]) for x, y in profile for z in (0.0, 1.0)]).astype(np.float32)
    rows = np.arange(len(profile) - 1) * 2
    faces = np.concatenate((np.stack((rows, rows + 1, rows + 2), -1), np.stack((rows + 2, rows + 1, rows + 3), -1)))
    mesh = Mesh(positions=positions, faces=faces.astype(np.uint32))
    normals = polyhedra.vertex_normals(positions.astype(np.float64), faces)
    mesh = Mesh(positions=positions, faces=faces.astype(np.uint32), normals=normals)
    plain, fine = (sampled_surface(mesh, 4000, d, np.random.default_rng(0)) for d in (0.0, 1.0))
    bent = [(s.positions[:, 0] < 0.25).mean() for s in (plain, fine)]
    assert bent[1] > 1.3 * bent[0]
    assert fine.spacings[fine.positions[:, 0] < 0.2].mean() < fine.spacings[fine.positions[:, 0] > 1].mean()


def test_texture_is_read_the_right_way_up_and_display_referred() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, :2] = (255, 0, 0)
    pixels[:2, 2:] = (0, 255, 0)
    pixels[2:, :2] = (0, 0, 255)
    pixels[2:, 2:] = (90, 90, 90)
    splats, notes = made(square(pixels), count=4000, occlusion=0.0, shading=0.0)
    shown = 0.5 + SH_DC * splats.sh[:, 0]
    for low, want in (((0.25, 0.75), (1, 0, 0)), ((0.75, 0.75), (0, 1, 0)), ((0.25, 0.25), (0, 0, 1))):
        near = (np.abs(splats.positions[:, :2] - low) < 0.1).all(1)
        np.testing.assert_allclose(shown[near], np.broadcast_to(want, shown[near].shape), atol=1e-3)
    near = (np.abs(splats.positions[:, :2] - (0.75, 0.25)) < 0.1).all(1)
    np.testing.assert_allclose(shown[near], 90 / 255, atol=2e-3)
    assert notes == []


def test_vertex_colours_multiply_the_material() -> None:
    mesh = square(np.full((4, 4, 3), 255, np.uint8))
    tinted = Mesh(
        positions=mesh.positions,
        faces=mesh.faces,
        uvs=mesh.uvs,
        material=mesh.material,
        colours=np.full((4, 3), 0.25, np.float32),
    )
    splats, _ = made(tinted, count=1000, occlusion=0.0, shading=0.0)
    want = srgb_from_linear(np.array(0.25))
    np.testing.assert_allclose(0.5 + SH_DC * splats.sh, np.broadcast_to(want, splats.sh.shape), atol=1e-4)


def test_occlusion_darkens_the_inside_of_a_box_and_not_a_plane() -> None:
    floor = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.uint32)
    open_plane = sampled_surface(Mesh(positions=floor, faces=faces), 4000, 0.0, np.random.default_rng(0))
    assert occlusion_of(open_plane).min() > 0.95
    wall = floor[:, [1, 0, 2]] + np.array([0, 1, 0], np.float32)
    corner = Mesh(
        positions=np.concatenate((floor + np.array([1, 0, 0], np.float32), wall)).astype(np.float32),
        faces=np.concatenate((faces, faces[:, ::-1] + 4)).astype(np.uint32),
    )
    samples = sampled_surface(corner, 8000, 0.0, np.random.default_rng(0))
    found = occlusion_of(samples)
    flat = samples.normals[:, 1] > 0.9
    assert flat.any()
    near, far = (found[flat & (samples.positions[:, 0] < 0.12)], found[flat & (samples.positions[:, 0] > 1.2)])
    assert near.mean() < far.mean() - 0.1


def test_a_material_comes_as_a_sphere_and_height_moves_it() -> None:
    height = np.full((8, 8, 1), 255, np.uint8)
    material = Material(
        {MapName.BASE_COLOR: Image(np.full((8, 8, 3), 128, np.uint8)), MapName.HEIGHT: Image(height, ColourSpace.DATA)},
        tile_m=1.0,
        height_m=0.1,
    )
    splats, notes = made(material, count=2000, sphere_radius_m=1.0)
    radius = np.linalg.norm(splats.positions, axis=1)
    assert radius.max() == pytest.approx(1 + 0.5 * 0.1 * np.pi, rel=1e-3)
    assert any("sphere" in note for note in notes)
    mesh = material_sphere(Material({}), 2.0)
    area = np.linalg.norm(polyhedra.face_normals(mesh.positions, mesh.faces.astype(np.intp)), axis=1).sum() / 2
    assert area == pytest.approx(4 * np.pi * 4, rel=2e-3)
    outward = (
        polyhedra.face_normals(mesh.positions, mesh.faces.astype(np.intp)) * mesh.positions[mesh.faces[:, 0]]
    ).sum(1)
    assert (outward > -1e-9).all()


def test_seed_decides_everything() -> None:
    first, again, other = (made(sphere(), seed, count=1000)[0] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.positions, again.positions)
    np.testing.assert_array_equal(first.sh, again.sh)
    assert not np.array_equal(first.positions, other.positions)


def test_colour_curves_are_inverse_and_look_up_repeats() -> None:
    values = np.linspace(0, 1, 300, dtype=np.float32)
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-5)
    image = Image(np.random.default_rng(0).random((6, 5, 2)).astype(np.float32), ColourSpace.DATA)
    uvs = np.random.default_rng(1).random((50, 2)).astype(np.float32)
    np.testing.assert_allclose(looked_up(image, uvs), looked_up(image, uvs + np.array([3, -2], np.float32)), atol=1e-5)
    centre = np.array([[2.5 / 5, 1 - 1.5 / 6]], np.float32)
    np.testing.assert_allclose(looked_up(image, centre)[0], image.pixels[1, 2], atol=1e-6)


def test_a_mesh_without_area_is_refused_in_words_and_previews_show_the_points() -> None:
    empty = Mesh(positions=np.zeros((3, 3), np.float32), faces=np.array([[0, 1, 2]], np.uint32))
    with pytest.raises(GeneratorError, match="no surface"):
        made(empty, count=1000)
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(SplatsFromMeshParams(count=5000), 1, {"mesh": sphere()}), context))
    picture = next(event.pixels for event in events if isinstance(event, Preview))
    assert picture.shape == (256, 256, 3)
    assert picture.std() > 0.02

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Array, Mesh
from engines.kinds import MapName
from generators.events import Cancelled, Preview, Produced, Request
from generators.procedural import polyhedra
from generators.procedural.rock import fractured_radii, run
from generators.procedural.small_specs import RockParams
from generators.procedural.solid_noise import SolidNoise


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False
    allowed = 10**9

    def check(self) -> None:
        self.allowed -= 1
        if self.allowed < 0:
            raise Cancelled


def made(seed: int = 1, **params: Any) -> Mesh:
    events = list(run(Request(RockParams(texture_px=256, **params), seed), Quiet()))
    mesh = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(mesh, Mesh)
    return mesh


def welded(mesh: Mesh) -> Array:
    """Faces with vertices of one place made one."""
    _, number = np.unique(mesh.positions, axis=0, return_inverse=True)
    return number.reshape(-1)[mesh.faces.astype(np.intp)]


def edges_are_paired(faces: Array) -> bool:
    """Every directed edge occurs once and its reverse once: a closed, consistently oriented manifold."""
    directed = np.concatenate((faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]))
    forward = {(int(a), int(b)) for a, b in directed}
    return len(forward) == len(directed) and all((b, a) in forward for a, b in forward)


def volume(positions: Array, faces: Array) -> float:
    a, b, c = (positions[faces[:, k]].astype(np.float64) for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("frequency", [1, 2, 5, 12])
def test_geodesic_is_a_closed_sphere(frequency: int) -> None:
    points, faces = polyhedra.geodesic(frequency)
    assert points.shape == (10 * frequency**2 + 2, 3)
    assert faces.shape == (20 * frequency**2, 3)
    assert edges_are_paired(faces)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    assert 2.5 < volume(points, faces) <= 4 * np.pi / 3


@pytest.mark.parametrize(
    "params",
    [
        {"triangles": 500},
        {"triangles": 4000, "fractures": 0, "roughness": 0.0, "moss": 0.0},
        {"triangles": 4000, "fractures": 40, "sharpness": 1.0, "roughness": 1.0, "strata": 1.0, "flatness": 1.0},
        {"triangles": 4000, "size_m": 30.0, "stone": "basalt", "moss": 1.0},
    ],
)
def test_every_rock_is_closed_stands_on_the_ground_and_has_its_size(params: dict[str, Any]) -> None:
    mesh = made(**params)
    faces = welded(mesh)
    assert edges_are_paired(faces)
    assert volume(mesh.positions, mesh.faces.astype(np.intp)) > 0
    assert abs(len(mesh.faces) / params["triangles"] - 1) < 0.15
    extent = mesh.positions.max(0) - mesh.positions.min(0)
    assert max(extent[0], extent[2]) == pytest.approx(params.get("size_m", 1.2), rel=1e-5)
    assert mesh.positions[:, 1].min() == pytest.approx(0, abs=1e-6)
    assert mesh.normals is not None
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    assert mesh.colours is not None
    assert 0 <= mesh.colours.min() <= mesh.colours.max() <= 1


@pytest.mark.parametrize("seed", [1, 3, 7])
def test_uvs_have_few_charts_none_mirrored_and_none_drawn_out(seed: int) -> None:
    mesh = made(seed, triangles=8000)
    assert mesh.uvs is not None
    faces = mesh.faces.astype(np.intp)
    a, b, c = (mesh.uvs[faces[:, k]] for k in range(3))
    flat = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert (flat > 0).mean() > 0.999
    solid = np.linalg.norm(polyhedra.face_normals(mesh.positions, faces), axis=1)
    stretch = solid / np.maximum(flat, 1e-12)
    assert np.quantile(stretch / np.quantile(stretch, 0.05), 0.99) < 2.2, "the texture is drawn out"
    # Vertices copied at seams are few: charts are large.
    unique = len(np.unique(mesh.positions, axis=0))
    assert len(mesh.positions) - unique < 0.15 * unique
    label = np.arange(len(mesh.positions))
    while True:
        lowest = label[faces].min(1)
        nxt = label.copy()
        np.minimum.at(nxt, faces.ravel(), np.repeat(lowest, 3))
        if np.array_equal(nxt, label):
            break
        label = nxt
    assert 6 <= len(np.unique(label)) <= 24


def test_crumbs_join_the_chart_around_them() -> None:
    _, faces = polyhedra.geodesic(6)
    chart = np.zeros(len(faces), np.intp)
    chart[100] = 3
    assert not polyhedra.without_crumbs(chart, faces).any()
    half = (polyhedra.geodesic(6)[0][faces].sum(1)[:, 1] > 0).astype(np.intp)
    kept = polyhedra.without_crumbs(half, faces)
    assert (kept != half).mean() < 0.05


def test_neighbours_share_an_edge() -> None:
    _, faces = polyhedra.geodesic(3)
    beside = polyhedra.neighbours(faces)
    for face, others in enumerate(beside):
        for edge, other in enumerate(others):
            pair = {faces[face, edge], faces[face, (edge + 1) % 3]}
            assert other != face and pair <= set(faces[other])


def test_material_is_the_shared_one_and_complete() -> None:
    material = made(triangles=500, stone="sandstone").material
    assert material is not None
    assert material.tileable
    assert {MapName.BASE_COLOR, MapName.NORMAL, MapName.ROUGHNESS} <= set(material.maps)
    assert material.maps[MapName.BASE_COLOR].pixels.shape[:2] == (256, 256)


def test_seed_decides_everything() -> None:
    first, again, other = made(3, triangles=500), made(3, triangles=500), made(4, triangles=500)
    np.testing.assert_array_equal(first.positions, again.positions)
    np.testing.assert_array_equal(first.uvs, again.uvs)
    assert not np.array_equal(first.positions, other.positions)


def test_fractures_are_planar_when_sharp() -> None:
    directions, _ = polyhedra.geodesic(40)
    rng = np.random.default_rng(0)
    params = RockParams(fractures=8, sharpness=1.0)
    radii = fractured_radii(directions, params, SolidNoise(rng), rng)
    points = directions * radii[:, None]
    # The bed is the plane y = -0.7: many points lie on it, none far below.
    assert points[:, 1].min() > -0.78
    assert (np.abs(points[:, 1] + 0.69) < 0.04).mean() > 0.05


def test_solid_noise_is_smooth_and_bounded_and_repeats_with_its_period() -> None:
    noise = SolidNoise(np.random.default_rng(1))
    points = np.random.default_rng(2).uniform(-50, 50, (4000, 3))
    values = noise(points)
    assert np.abs(values).max() < 1.5
    assert values.std() > 0.2
    np.testing.assert_allclose(noise(points + 256), values, atol=1e-9)
    assert np.abs(noise(points + 1e-4) - values).max() < 1e-2
    np.testing.assert_allclose(noise(np.floor(points)), 0, atol=1e-12)


def test_previews_and_cancelling() -> None:
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(RockParams(triangles=2000, texture_px=256), 1), context))
    pictures = [event.pixels for event in events if isinstance(event, Preview)]
    assert pictures
    assert pictures[0].std() > 0.01
    context.allowed = 3
    with pytest.raises(Cancelled):
        list(run(Request(RockParams(triangles=2000, texture_px=256), 1), context))

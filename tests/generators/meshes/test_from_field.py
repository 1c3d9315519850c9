"""A field of known shape becomes a mesh of that shape."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from engines.assets import Field, Mesh
from engines.field_lattice import expanded, field_from_grid
from engines.geometry import check_mesh
from engines.kinds import MapName
from generators.events import Cancelled, GeneratorError, Produced, Request
from generators.fields.rendering import density_at, opened
from generators.meshes import from_field
from generators.meshes.fusion import Box
from generators.meshes.reconstruction import surface_of_function
from generators.meshes.specs import FromFieldParams
from generators.meshes.viewpoints import on_one_side
from tests.generators.fields.lattices import ball
from tests.generators.meshes.shapes import Bench, closed

PARAMS = FromFieldParams(views=20, view_px=120, detail=48, triangles=1200, texture_px=128, keep=1.0, smoothing=8)
CENTRE = np.array([1.0, 2.0, 3.0])
TIP, TIP_RADIUS, WALL = np.array([0.0, 0.4, 0.7]), 0.3, -0.6
SEEN_FROM = np.array([0.1, 0.0, 1.2])


def trophy(seen_from: tuple[float, float, float] | None = (0.1, 0.0, 1.2)) -> Field:
    """A wall with an arm on it whose end lies beyond the radius, as photographs from before it would leave it."""
    cells = 96
    axis = -2 + 4 / cells * np.arange(cells - 1)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    points = expanded(grid.reshape(-1, 3)).reshape(grid.shape)
    foot = np.array([0.0, 0.0, WALL])
    along = np.clip((points - foot) @ (TIP - foot) / ((TIP - foot) @ (TIP - foot)), 0, 1)
    arm = np.linalg.norm(points - foot - along[..., None] * (TIP - foot), axis=-1) < TIP_RADIUS
    wall = (points[..., 2] < WALL) & (points[..., 2] > WALL - 0.4) & (np.abs(points[..., :2]).max(-1) < 2)
    flat = field_from_grid(
        80.0 * (arm | wall), np.zeros((*arm.shape, 1, 3)), low_m=(-2.0, -2.0, -2.0), pitch_m=4 / cells
    )
    return replace(flat, contracted=True, centre_m=(0.0, 0.0, 0.0), radius_m=1.0, near_m=0.1, seen_from_m=seen_from)


def test_a_field_becomes_its_shape_and_colours() -> None:
    *_, last = from_field.run(Request(PARAMS, 0, {"field": ball()}), Bench())
    assert isinstance(last, Produced) and isinstance(last.asset, Mesh)
    mesh = last.asset
    check_mesh(mesh)
    away = np.linalg.norm(mesh.positions - CENTRE, axis=1)
    assert 200 < len(mesh.faces) <= 1200 and np.abs(away - np.median(away)).mean() < 0.03
    assert 0.9 < np.median(away) < 1.12
    assert mesh.material is not None and mesh.uvs is not None
    pixels = mesh.material.maps[MapName.BASE_COLOR].pixels
    at = np.minimum((np.stack([1 - mesh.uvs[:, 1], mesh.uvs[:, 0]], 1) * 128).astype(int), 127)
    red = pixels[at[:, 0], at[:, 1], 0].astype(float)
    assert np.corrcoef(red, mesh.positions[:, 0])[0, 1] > 0.8


def test_its_density_can_be_asked_for_a_closed_surface() -> None:
    ready = opened(ball())
    box = Box(CENTRE - 1.4, CENTRE + 1.4)
    surface = surface_of_function(lambda points: density_at(ready, points), box, 40, level=20.0, inside_above=True)
    assert closed(surface.faces)
    np.testing.assert_allclose(np.linalg.norm(surface.positions - CENTRE, axis=1), 1, atol=0.12)


def test_a_field_of_photographs_is_looked_at_from_their_side() -> None:
    """From behind, the wall is as clear as from the front, and the arm reaches beyond what is kept in full."""
    params = msgspec.structs.replace(PARAMS, views=40, detail=112, smoothing=0, normal_map=False, occlusion=False)
    *_, last = from_field.run(Request(params, 0, {"field": trophy()}), Bench(wants_previews=False))
    assert isinstance(last, Produced) and isinstance(last.asset, Mesh)
    points = last.asset.positions.astype(np.float64)
    end = points[np.linalg.norm(points - TIP, axis=1) < TIP_RADIUS + 0.1]
    assert np.linalg.norm(end, axis=1).max() > 1.0 and end[:, 2].max() > TIP[2] + 0.5 * TIP_RADIUS
    corners = points[last.asset.faces.astype(np.int64)]
    vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    wall = corners[..., 2].max(1) < WALL + 0.1
    assert vectors[wall, 2].clip(None, 0).sum() > -0.02 * vectors[wall, 2].clip(0).sum(), "the wall has a back"


def test_viewpoints_stand_where_photographs_did() -> None:
    cameras = on_one_side(np.zeros(3), SEEN_FROM, 1.43)
    eyes = np.array([camera.position for camera in cameras])
    away = np.linalg.norm(eyes, axis=1)
    assert away.min() > 1.0 and away.max() < 1.44
    # The mean place of cameras spread so evenly is the one that was given.
    np.testing.assert_allclose((eyes / away[:, None]).mean(0) * 1.43, SEEN_FROM, atol=0.03)
    assert on_one_side(np.zeros(3), np.array([0.0, 0.2, 0.0]), 1.43) == []


def test_what_is_no_field_or_only_fog_is_refused_in_words() -> None:
    with pytest.raises(GeneratorError, match="no radiance field"):
        list(from_field.run(Request(PARAMS, 0, {}), Bench()))
    thin = ball(lambda distance: np.full(distance.shape, 0.05))
    with pytest.raises(GeneratorError, match="viewpoints see a clear surface"):
        list(from_field.run(Request(PARAMS, 0, {"field": thin}), Bench()))
    with pytest.raises(Cancelled):
        list(from_field.run(Request(PARAMS, 0, {"field": ball()}), Bench(checks_left=30)))

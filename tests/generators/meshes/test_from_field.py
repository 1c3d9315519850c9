"""A field of known shape becomes a mesh of that shape."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Mesh
from engines.geometry import check_mesh
from engines.kinds import MapName
from generators.events import Cancelled, GeneratorError, Produced, Request
from generators.fields.rendering import density_at, opened
from generators.meshes import from_field
from generators.meshes.fusion import Box
from generators.meshes.reconstruction import surface_of_function
from generators.meshes.specs import FromFieldParams
from tests.generators.fields.lattices import ball
from tests.generators.meshes.shapes import Bench, closed

PARAMS = FromFieldParams(views=20, view_px=120, detail=48, triangles=1200, texture_px=128, keep=1.0, smoothing=8)
CENTRE = np.array([1.0, 2.0, 3.0])


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


def test_what_is_no_field_or_only_fog_is_refused_in_words() -> None:
    with pytest.raises(GeneratorError, match="no radiance field"):
        list(from_field.run(Request(PARAMS, 0, {}), Bench()))
    thin = ball(lambda distance: np.full(distance.shape, 0.05))
    with pytest.raises(GeneratorError, match="viewpoints see a clear surface"):
        list(from_field.run(Request(PARAMS, 0, {"field": thin}), Bench()))
    with pytest.raises(Cancelled):
        list(from_field.run(Request(PARAMS, 0, {"field": ball()}), Bench(checks_left=30)))

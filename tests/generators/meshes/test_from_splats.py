"""A cloud of known shape and colour becomes a mesh of that shape and colour, seen from nowhere in particular."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
import pytest

from engines.assets import Mesh, Splats
from engines.geometry import check_mesh
from engines.kinds import MapName
from generators.events import Cancelled, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.meshes import from_splats
from generators.meshes.depth_views import cloud_render
from generators.meshes.manifold import welded
from generators.meshes.report import print_words, reported
from generators.meshes.specs import SPECS, FromSplatsParams
from generators.meshes.viewpoints import chosen
from generators.radiance.parameters import from_splats as parameters_of
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.spec import params_schema
from tests.generators.meshes.clouds import ring_cloud, ring_colour
from tests.generators.meshes.shapes import Bench, edge_uses, ring

PARAMS = FromSplatsParams(views=24, view_px=160, detail=72, triangles=1500, texture_px=256, keep=1.0, smoothing=6)


def run(params: FromSplatsParams, context: Bench | None = None, splats: Splats | None = None) -> list[Event]:
    request = Request(params, 0, {"splats": splats or ring_cloud()})
    return list(from_splats.run(request, context or Bench()))


@lru_cache(maxsize=1)
def whole_run() -> tuple[Event, ...]:
    return tuple(run(PARAMS))


def result() -> Mesh:
    last = whole_run()[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Mesh)
    return last.asset


def test_the_shape_is_the_clouds() -> None:
    mesh = result()
    check_mesh(mesh)
    assert 1000 < len(mesh.faces) <= 1500
    away = ring(mesh.positions)
    # What is seen of round splats lies one to two deviations (0.014 m each) outside their centres.
    assert 0 < away.mean() < 0.03 and np.abs(away).max() < 0.08
    assert mesh.normals is not None
    middle = mesh.positions * [1, 0, 1]
    core = 0.6 * middle / np.linalg.norm(middle, axis=1, keepdims=True)
    outward = (mesh.positions - core) / np.linalg.norm(mesh.positions - core, axis=1, keepdims=True)
    assert np.einsum("vc,vc->v", mesh.normals, outward).mean() > 0.95


def test_the_texture_has_the_clouds_colours_where_they_belong() -> None:
    mesh = result()
    assert mesh.material is not None and mesh.uvs is not None
    assert mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1
    pixels = mesh.material.maps[MapName.BASE_COLOR].pixels
    assert pixels.shape == (256, 256, 3)
    corners = mesh.faces.astype(np.int64)
    uv = mesh.uvs[corners].mean(1)
    seen = pixels[((1 - uv[:, 1]) * 256).astype(int), (uv[:, 0] * 256).astype(int)] / 255
    want = ring_colour(mesh.positions[corners].mean(1))
    assert np.abs(seen - want).mean() < 0.05
    assert (pixels.max(2) > 40).all(), "black texels would show as seams"
    assert set(mesh.material.maps) == {MapName.BASE_COLOR, MapName.NORMAL, MapName.OCCLUSION, MapName.ROUGHNESS}
    normal = mesh.material.maps[MapName.NORMAL].pixels / 127.5 - 1
    assert normal[..., 2].mean() > 0.9


def test_it_says_how_it_goes() -> None:
    events = whole_run()
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and len(fractions) >= 7 and fractions[-1] < 1
    assert sum(isinstance(event, Preview) for event in events) >= 3
    notes = " ".join(event.text for event in events if isinstance(event, Note))
    assert (
        "24 viewpoints" in notes and "triangles before reduction" in notes and "comes straight from the views" in notes
    )


def test_watertight_is_watertight_and_repeatable() -> None:
    params = msgspec.structs.replace(PARAMS, watertight=True, occlusion=False, normal_map=False)
    meshes = []
    for _ in range(2):
        events = run(params, Bench(wants_previews=False))
        last = events[-1]
        assert isinstance(last, Produced) and isinstance(last.asset, Mesh)
        meshes.append(last.asset)
    one, other = meshes
    notes = [event.text for event in events if isinstance(event, Note)]
    assert print_words(reported(welded(one.positions, one.faces)[0])) in notes
    # Vertices are split along seams; by place the surface is closed.
    _, place = np.unique(one.positions, axis=0, return_inverse=True)
    assert set(edge_uses(place.ravel()[one.faces.astype(np.int64)])) == {2}
    assert one.uvs is not None and other.uvs is not None and one.material is not None and other.material is not None
    assert np.array_equal(one.positions, other.positions) and np.array_equal(one.uvs, other.uvs)
    pixels = [material.maps[MapName.BASE_COLOR].pixels for material in (one.material, other.material)]
    assert np.array_equal(pixels[0], pixels[1])


def test_viewpoints_leave_out_what_is_seen_from_behind() -> None:
    """A ring on a thin wall: it is seen clearly from both sides, but a surface has one."""
    cloud = ring_cloud(20_000)
    rng = np.random.default_rng(1)
    wall = np.stack([rng.uniform(-2, 2, 20_000), rng.uniform(-2, 2, 20_000), np.full(20_000, -0.4)], axis=1)
    positions = np.where((np.arange(20_000) % 2 == 0)[:, None], wall, cloud.positions).astype(np.float32)
    scales = np.where((np.arange(20_000) % 2 == 0)[:, None], [0.04, 0.04, 0.002], cloud.scales).astype(np.float32)
    both = Splats(positions, cloud.rotations, scales, cloud.opacities, cloud.sh)
    cameras = chosen(parameters_of(both), cloud_render(parameters_of(both), NumbaBackend()), 40)
    assert len(cameras) >= 6
    sides = np.sign([camera.position[2] + 0.4 for camera in cameras])
    # Some that see little of the wall and much of the ring may stand on the other side.
    assert abs(sides.sum()) > 0.7 * len(sides)


def test_a_closed_shell_is_looked_at_from_outside() -> None:
    """From within it is even clearer: it fills every picture."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(8000, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    cloud = ring_cloud(8000)
    shell = Splats(
        places.astype(np.float32), cloud.rotations, np.full((8000, 3), 0.03, np.float32), cloud.opacities, cloud.sh
    )
    render = cloud_render(parameters_of(shell), NumbaBackend())
    cameras = chosen(parameters_of(shell), render, 24)
    assert len(cameras) == 24
    assert min(np.linalg.norm(camera.position) for camera in cameras) > 1.2


def test_fog_is_refused_in_words() -> None:
    rng = np.random.default_rng(0)
    count = 3000
    fog = Splats(
        rng.normal(size=(count, 3)).astype(np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        np.full((count, 3), 0.5, np.float32),
        np.full(count, 0.02, np.float32),
        np.zeros((count, 1, 3), np.float32),
    )
    with pytest.raises(GeneratorError, match="viewpoints see a clear surface"):
        run(PARAMS, splats=fog)


@pytest.mark.parametrize("checks", [5, 250, 330, 420])
def test_it_can_be_cancelled_anywhere(checks: int) -> None:
    with pytest.raises(Cancelled):
        run(PARAMS, Bench(checks_left=checks, wants_previews=False))


def test_the_declarations_hold() -> None:
    assert len({spec.id for spec in SPECS}) == len(SPECS)
    for spec in SPECS:
        properties = params_schema(spec)["properties"]
        assert all("title" in entry for entry in properties.values()), spec.id

"""A room of known truth photographed: the mesh is that room and wears the photographs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pytest

from engines.assets import Asset, Capture, Mesh, Splats
from engines.geometry import check_mesh
from engines.kinds import MapName
from generators.events import Cancelled, Event, GeneratorError, Grown, Note, Produced, Progress, Request
from generators.meshes import from_photos
from generators.meshes.depth_views import DepthView
from generators.meshes.exposure import even_gains
from generators.meshes.fusion import Box
from generators.meshes.reconstruction import surface_of_views
from generators.meshes.specs import SPECS, FromPhotosParams
from generators.meshes.view_colours import Picture
from generators.radiance.specs import SPLATS_FROM_PHOTOS
from tests.generators.meshes.clouds import ring_cloud
from tests.generators.meshes.shapes import Bench
from tests.generators.radiance.known_scene import View, signed_distance, views, write_capture

PARAMS = FromPhotosParams(
    iterations=250,
    splats_max=6000,
    view_px=128,
    photo_px=160,
    detail=72,
    triangles=3000,
    texture_px=256,
    occlusion=False,
)


@lru_cache(maxsize=1)
def seen() -> list[View]:
    return views(12, width=160, height=120)


def true_views() -> list[DepthView]:
    return [
        DepthView(v.camera, np.asarray(v.pixels / 255, np.float32), v.depth, (v.depth > 0).astype(np.float32))
        for v in seen()
    ]


def test_true_distances_give_the_true_surface() -> None:
    box = Box(np.array([-1.5, -0.1, -1.5]), np.array([1.5, 1.5, 1.5]))
    surface, _, cell_m = surface_of_views(true_views(), box, 128, rounds=5)
    away = np.abs(signed_distance(surface.positions.astype(np.float64)))
    assert len(surface.faces) > 10_000
    assert np.median(away) < 0.2 * cell_m and np.percentile(away, 95) < 1.2 * cell_m


@pytest.mark.slow
def test_photographs_become_a_mesh_that_wears_them(tmp_path: Path) -> None:
    write_capture(tmp_path, seen())
    events: list[Event] = list(from_photos.run(Request(PARAMS, 1, {"photos": Capture(tmp_path)}), Bench(tmp_path)))
    mesh = events[-1].asset if isinstance(events[-1], Produced) else None
    assert isinstance(mesh, Mesh)
    check_mesh(mesh)
    assert len(mesh.faces) <= 3000
    away = np.abs(signed_distance(mesh.positions.astype(np.float64)))
    assert np.median(away) < 0.08
    assert mesh.material is not None and mesh.material.maps[MapName.BASE_COLOR].pixels.shape == (256, 256, 3)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert any(isinstance(event, Note) and "exposures differ" in event.text for event in events)


SMALL = msgspec.structs.replace(
    PARAMS,
    iterations=400,
    splats_max=3000,
    view_px=96,
    photo_px=96,
    detail=40,
    triangles=600,
    texture_px=128,
    normal_map=False,
)


def small_run(folder: Path, bench: Bench) -> list[Event]:
    if not (folder / "room").exists():
        write_capture(folder / "room", views(9, width=96, height=72))
    (folder / "scratch").mkdir(exist_ok=True)
    bench.scratch = folder / "scratch"
    return list(from_photos.run(Request(SMALL, 1, {"photos": Capture(folder / "room")}), bench))


def mesh_in(events: list[Event]) -> Mesh:
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Mesh)
    return last.asset


def notes_in(events: list[Event]) -> str:
    return " ".join(event.text for event in events if isinstance(event, Note))


def test_a_run_that_is_called_good_enough_goes_on_to_the_mesh_and_is_taken_up_where_it_was(tmp_path: Path) -> None:
    first = small_run(tmp_path, Bench(wants_growth=True, finishing=True))
    assert "finished early, at iteration 0 of 400" in notes_in(first)
    assert not any(isinstance(event, Grown) for event in first), "what is produced is no cloud"
    fractions = [event.fraction for event in first if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    # The worker died over the mesh: what had been trained is there.
    second = small_run(tmp_path, Bench())
    assert "finished early" not in notes_in(second) and "splats from" not in notes_in(second)
    assert np.array_equal(mesh_in(first).positions, mesh_in(second).positions)


def test_a_damaged_cloud_of_an_earlier_attempt_is_trained_anew(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / from_photos.KEPT_NAME).write_bytes(b"PK\x03\x04 and no more")
    assert from_photos.kept_cloud(tmp_path / "scratch") is None
    (tmp_path / "scratch" / from_photos.KEPT_NAME).write_bytes(b"")
    assert from_photos.kept_cloud(tmp_path / "scratch") is None


def test_a_cloud_is_kept_to_the_bit(tmp_path: Path) -> None:
    cloud = ring_cloud(50)
    from_photos.keep_cloud(cloud, tmp_path)
    held = from_photos.kept_cloud(tmp_path)
    assert held is not None
    for name in from_photos.KEPT_ARRAYS:
        assert np.array_equal(getattr(cloud, name), getattr(held, name))
    assert [path.name for path in tmp_path.iterdir()] == [from_photos.KEPT_NAME]


def test_the_declaration_offers_what_the_training_can() -> None:
    spec = next(spec for spec in SPECS if spec.id == "mesh.from_photos")
    assert spec.resumable and spec.steers == SPLATS_FROM_PHOTOS.steers and not spec.grows


def test_exposures_are_evened_out() -> None:
    given = true_views()
    rng = np.random.default_rng(0)
    gains = np.exp(rng.uniform(-0.35, 0.35, (len(given), 3)))
    pictures = [
        Picture(v.camera, np.asarray(v.colour * g, np.float32), np.ones(v.depth.shape, np.float32))
        for v, g in zip(given, gains, strict=True)
    ]
    found = even_gains(given, pictures)
    left = np.log(found * gains)
    left -= left.mean(0)
    assert np.abs(left).max() < 0.08 and np.abs(left).mean() < 0.03


def test_what_cannot_be_used_is_refused_in_words() -> None:
    with pytest.raises(GeneratorError, match="no photographs were given"):
        list(from_photos.run(Request(PARAMS, 0, {}), Bench()))
    with TemporaryDirectory() as folder:
        write_capture(Path(folder), seen()[:4])
        short = msgspec.structs.replace(PARAMS, iterations=50)
        with pytest.raises(Cancelled):
            request = Request(short, 0, {"photos": Capture(Path(folder))})
            list(from_photos.run(request, Bench(Path(folder), checks_left=20, wants_previews=False)))


def test_splats_need_photographs_whose_poses_are_their_own(tmp_path: Path) -> None:
    write_capture(tmp_path / "room", seen(), posed=False)
    cloud = Splats(
        positions=np.zeros((1, 3), np.float32),
        rotations=np.array([[1, 0, 0, 0]], np.float32),
        scales=np.ones((1, 3), np.float32),
        opacities=np.ones(1, np.float32),
        sh=np.zeros((1, 1, 3), np.float32),
    )
    inputs: dict[str, Asset] = {"photos": Capture(tmp_path / "room"), "splats": cloud}
    with pytest.raises(GeneratorError, match=r"run capture\.poses once"):
        list(from_photos.run(Request(PARAMS, 1, inputs), Bench(tmp_path)))

"""Pictures, depths and films of fields, through the generators' own functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Clip, Field, Image
from engines.kinds import ColourSpace
from generators.events import Cancelled, Event, GeneratorError, Note, Produced, Request
from generators.fields.looking import render_orbit, render_view
from generators.fields.specs import FieldOrbitParams, FieldRenderParams
from generators.radiance.cameras import looking_at
from tests.generators.fields.lattices import ball
from tests.generators.fields.test_from_photos import Bench


def looked(tmp_path: Path, field: Field, **params: object) -> list[Event]:
    asked = FieldRenderParams(width_px=48, height_px=36, **params)  # type: ignore[arg-type]
    return list(render_view(Request(asked, 0, {"field": field}), Bench(tmp_path)))


def images(events: list[Event]) -> tuple[Image, Image]:
    found = {event.name: event.asset for event in events if isinstance(event, Produced)}
    picture, depth = found["result"], found["depth"]
    assert isinstance(picture, Image) and isinstance(depth, Image)
    return picture, depth


def test_a_view_has_alpha_and_depth_in_metres(tmp_path: Path) -> None:
    picture, depth = images(looked(tmp_path, ball(), distance=4.0 / ball().radius_m, elevation_deg=0))
    assert picture.pixels.shape == (36, 48, 4) and depth.pixels.shape == (36, 48, 1)
    assert depth.colour_space is ColourSpace.DATA and depth.pixels.dtype == np.float32
    assert picture.pixels[18, 24, 3] == 255 and picture.pixels[0, 0, 3] == 0
    assert depth.pixels[18, 24, 0] == pytest.approx(3.0, abs=0.3) and depth.pixels[0, 0, 0] == 0


def test_depth_that_a_png_cannot_show_is_told(tmp_path: Path) -> None:
    near, far = (replace(ball(), radius_m=radius, centre_m=(0.0, 0.0, 0.0)) for radius in (0.1, 2.0))
    told = [[event.text for event in looked(tmp_path, field) if isinstance(event, Note)] for field in (near, far)]
    assert told[0] == [] and len(told[1]) == 1 and "EXR" in told[1][0]


def test_a_given_camera_sees_the_same_as_the_orbit_at_its_place(tmp_path: Path) -> None:
    field = ball()
    around, _ = images(looked(tmp_path, field, azimuth_deg=40, elevation_deg=25, distance=2.0))
    a, e, r = np.radians(40), np.radians(25), 2.0 * field.radius_m
    x, y, z = field.centre_m
    eye = (x + r * np.cos(e) * np.sin(a), y + r * np.sin(e), z + r * np.cos(e) * np.cos(a))
    camera = looking_at(tuple(float(v) for v in eye), field.centre_m, fov_y_deg=45, width=48, height=36)  # type: ignore[arg-type]
    matrix = np.linalg.inv(camera.camera_from_world) @ np.diag([1, -1, -1, 1])
    given, _ = images(looked(tmp_path, field, world_from_camera=matrix.reshape(-1).tolist()))
    np.testing.assert_allclose(given.pixels.astype(int), around.pixels.astype(int), atol=1)


def test_an_orbit_begins_where_the_field_was_seen_from(tmp_path: Path) -> None:
    field = ball()
    x, y, z = field.centre_m
    seen = replace(field, seen_from_m=(x + 5.0, y + 1.0, z))
    turned, _ = images(looked(tmp_path, seen, distance=2.0))
    plain, _ = images(looked(tmp_path, field, azimuth_deg=90, distance=2.0))
    np.testing.assert_allclose(turned.pixels.astype(int), plain.pixels.astype(int), atol=1)


@pytest.mark.parametrize(("numbers", "why"), [([1.0] * 3, "3 numbers"), ([2.0] * 16, "no rigid motion")])
def test_a_wrong_camera_is_refused(tmp_path: Path, numbers: list[float], why: str) -> None:
    with pytest.raises(GeneratorError, match=why):
        looked(tmp_path, ball(), world_from_camera=numbers)


def test_a_camera_that_sees_nothing_says_so(tmp_path: Path) -> None:
    away = np.eye(4)
    away[:3, 3] = (0, 0, -40)
    events = looked(tmp_path, ball(), world_from_camera=away.reshape(-1).tolist())
    assert any(isinstance(event, Note) and "sees nothing" in event.text for event in events)


@pytest.mark.parametrize("sweep", [360.0, 90.0])
def test_an_orbit_is_a_clip_that_moves_and_closes(tmp_path: Path, sweep: float) -> None:
    params = FieldOrbitParams(width_px=40, height_px=32, frames=8, sweep_deg=sweep, distance=2.0)
    *_, last = render_orbit(Request(params, 0, {"field": ball()}), Bench(tmp_path))
    assert isinstance(last, Produced) and isinstance(last.asset, Clip)
    frames = last.asset.frames
    assert frames.shape == (8, 32, 40, 3) and last.asset.loops and last.asset.fps == 24
    assert (frames[0] != frames[2]).any()
    red = frames[..., 0].astype(float)
    if sweep == 360:  # half-way around the red side has changed places
        assert (red[0, :, 20:].sum() > red[0, :, :20].sum()) != (red[4, :, 20:].sum() > red[4, :, :20].sum())


def test_an_orbit_can_be_cancelled_and_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        list(render_orbit(Request(FieldOrbitParams(), 0, {"field": ball()}), Bench(tmp_path, checks_left=3)))
    with pytest.raises(GeneratorError, match="no field was given"):
        list(render_orbit(Request(FieldOrbitParams(), 0), Bench(tmp_path)))
    with pytest.raises(GeneratorError, match="empty"):
        looked(tmp_path, ball(lambda distance: distance * 0))

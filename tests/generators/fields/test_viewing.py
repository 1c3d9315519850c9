"""A field for the artist's camera: it falls where a live camera says, roughly first where the full picture is slow."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Mesh
from generators.events import GeneratorError, Request
from generators.fields import viewing
from generators.fields.specs import ViewFieldParams
from generators.fields.viewing import Viewer, start
from generators.live.frames import Camera, Frame
from tests.generators.fields.lattices import ball


class Context:
    device, width_px, height_px = "cpu", 96, 72

    def __init__(self) -> None:
        self.waits = False

    def newer(self) -> bool:
        return self.waits


def camera(x: float = 1.0, *, ortho: bool = False) -> Camera:
    """4.5 m in front of the ball's middle at (1, 2, 3)."""
    eye = np.eye(4)
    eye[:3, 3] = (x, 2.0, 7.5)
    return Camera(eye, 96, 72, 20.0 if ortho else 90.0, 20.0 if ortho else 90.0, 48.0, 36.0, 0.1, 100.0, ortho)


def frame(view: Camera | None) -> Frame:
    return Frame(1, 96, 72, ViewFieldParams(), view, None, None, None)


def viewer(context: Context | None = None) -> Viewer:
    return Viewer(ball(), context or Context())  # type: ignore[arg-type]


@pytest.mark.parametrize("ortho", [False, True])
def test_the_ball_falls_where_the_camera_says(ortho: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "QUICK_MS", 1e9)
    (one,) = viewer()(frame(camera(ortho=ortho)))
    assert one.pixels.shape == (72, 96, 4) and not one.rough
    y, x = np.nonzero(one.pixels[..., 3] > 128)
    assert (y.mean(), x.mean()) == (pytest.approx(35.5, abs=1), pytest.approx(47.5, abs=1))
    assert np.sqrt(len(x) / np.pi) == pytest.approx(20.0, rel=0.1)
    (moved,) = viewer()(frame(camera(1.5, ortho=ortho)))
    _, left = np.nonzero(moved.pixels[..., 3] > 128)
    assert left.mean() == pytest.approx(x.mean() - 10, abs=1.5)


def test_strips_are_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "QUICK_MS", 1e9)
    (whole,) = viewer()(frame(camera()))
    monkeypatch.setattr(viewing, "STRIP_PX", 96 * 7)
    (strips,) = viewer()(frame(camera()))
    assert np.abs(whole.pixels.astype(int) - strips.pixels).max() <= 1


def test_a_slow_picture_is_rough_first_and_gives_way_to_a_newer_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "QUICK_MS", 1e-3)
    context = Context()
    one = viewer(context)
    rough, full = list(one(frame(camera())))
    assert rough.rough and not full.rough and rough.pixels.shape[0] < full.pixels.shape[0] == 72
    (still,) = list(one(frame(camera())))
    assert not still.rough
    context.waits = True
    (only,) = list(one(frame(camera(1.2))))
    assert only.rough


def test_what_it_cannot_show_is_refused() -> None:
    with pytest.raises(GeneratorError, match="needs the camera"):
        list(viewer()(frame(None)))
    mesh = Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.uint32))
    with pytest.raises(GeneratorError, match="radiance field"):
        start(Request(ViewFieldParams(), 0, {"field": mesh}), Context())  # type: ignore[arg-type]

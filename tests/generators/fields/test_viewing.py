"""A field for the artist's camera: it falls where a live camera says, roughly first where the full picture is slow."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Mesh
from generators.events import GeneratorError, Request
from generators.fields import viewing
from generators.fields.specs import ViewFieldParams
from generators.fields.viewing import WAYS, Viewer, start
from generators.live.frames import Camera, Frame
from tests.generators.fields.lattices import ball
from tests.generators.live.unmoved import Unmoved


class Context:
    device, width_px, height_px = "cpu", 96, 72

    def __init__(self) -> None:
        self.waits = False
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

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


def quick(context: Context | None = None) -> Viewer:
    one = viewer(context)
    one.answer.pace = Unmoved([1e-6] * len(WAYS))
    return one


def slow(context: Context | None = None) -> Viewer:
    one = viewer(context)
    one.answer.pace = Unmoved([1e3] * (len(WAYS) - 2) + [1e-6] * 2)
    return one


@pytest.mark.parametrize("ortho", [False, True])
def test_the_ball_falls_where_the_camera_says(ortho: bool) -> None:
    (one,) = quick()(frame(camera(ortho=ortho)))
    assert one.pixels.shape == (72, 96, 4) and not one.rough
    y, x = np.nonzero(one.pixels[..., 3] > 128)
    assert (y.mean(), x.mean()) == (pytest.approx(35.5, abs=1), pytest.approx(47.5, abs=1))
    assert np.sqrt(len(x) / np.pi) == pytest.approx(20.0, rel=0.1)
    (moved,) = quick()(frame(camera(1.5, ortho=ortho)))
    _, left = np.nonzero(moved.pixels[..., 3] > 128)
    assert left.mean() == pytest.approx(x.mean() - 10, abs=1.5)


def test_strips_are_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = quick()(frame(camera()))
    monkeypatch.setattr(viewing, "STRIP_PX", 96 * 7)
    (strips,) = quick()(frame(camera()))
    assert np.abs(whole.pixels.astype(int) - strips.pixels).max() <= 1


def test_a_slow_picture_is_rough_first_and_gives_way_to_a_newer_frame() -> None:
    context = Context()
    one = slow(context)
    rough, full = list(one(frame(camera())))
    assert rough.rough and not full.rough and rough.pixels.shape[0] < full.pixels.shape[0] == 72
    (still,) = list(one(frame(camera())))
    assert not still.rough
    context.waits = True
    (only,) = list(one(frame(camera(1.2))))
    assert only.rough


def test_a_whole_picture_is_given_up_between_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "STRIP_PX", 96 * 7)
    one, asked = quick(), 0

    def given_up() -> bool:
        nonlocal asked
        asked += 1
        return asked == 3

    assert one.draw(camera(), ViewFieldParams(), 0, given_up) is None and asked == 3


@pytest.mark.parametrize("way", range(1, len(WAYS) - 1))
def test_a_rough_picture_is_like_the_whole_one(way: int) -> None:
    one = quick()
    whole, rough = one.draw(camera(), ViewFieldParams(), 0), one.draw(camera(), ViewFieldParams(), way)
    assert whole is not None and rough is not None
    height, width = rough.shape[:2]
    middle_y, middle_x = (np.arange(height) + 0.5) * 72 / height, (np.arange(width) + 0.5) * 96 / width
    alike = whole[middle_y.astype(int)][:, middle_x.astype(int), 3].astype(int)
    assert np.abs(alike - rough[..., 3]).mean() < 12


def test_what_it_cannot_show_is_refused() -> None:
    with pytest.raises(GeneratorError, match="needs the camera"):
        list(viewer()(frame(None)))
    mesh = Mesh(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.uint32))
    with pytest.raises(GeneratorError, match="radiance field"):
        start(Request(ViewFieldParams(), 0, {"field": mesh}), Context())  # type: ignore[arg-type]


def test_a_graphics_card_that_does_not_draw_it_is_told_of() -> None:
    told = Context()
    told.device = "cuda:0"
    start(Request(ViewFieldParams(), 0, {"field": ball()}), told)  # type: ignore[arg-type]
    assert told.notes == ["fields are drawn on the processor, not on cuda:0, which only trains them"]

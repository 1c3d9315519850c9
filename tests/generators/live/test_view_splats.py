"""Splats for the artist's camera: they fall where a live camera says, roughly first where the full picture is slow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engines.assets import Splats
from generators.events import GeneratorError, Request
from generators.live.drawing_splats import ByBackend, OnProcessor, Way
from generators.live.frames import Camera, Frame
from generators.live.specs import ViewSplatsParams
from generators.live.view_splats import Viewer, pinhole_of, start
from generators.radiance.parameters import from_splats
from generators.radiance.rasterizer import gsplat_backend
from generators.radiance.rasterizer.cpu import NumbaBackend
from generators.radiance.rasterizer.forward.renderer import Look
from tests.generators.live.scenes import camera
from tests.generators.live.unmoved import Unmoved

POINTS = np.array([[0.0, 0.6, 0.0], [1.0, 0.2, -0.5], [-0.8, 1.2, 0.4]], np.float32)
COLOURS = np.array([[1.0, 0.2, 0.2], [0.2, 1.0, 0.2], [0.2, 0.2, 1.0]], np.float32)


class Context:
    device, width_px, height_px = "cpu", 96, 72

    def __init__(self) -> None:
        self.waits = False
        self.notes: list[str] = []

    def newer(self) -> bool:
        return self.waits

    def tell(self, text: str) -> None:
        assert "compiling" in text

    def note(self, text: str) -> None:
        self.notes.append(text)


def cloud() -> Splats:
    return Splats(
        positions=POINTS,
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (3, 1)),
        scales=np.full((3, 3), 0.05, np.float32),
        opacities=np.full(3, 0.95, np.float32),
        sh=((COLOURS - 0.5) / 0.28209479177387814)[:, None],
    )


def frame(view: Camera, **params: object) -> Frame:
    values = ViewSplatsParams(**{"background": "black", **params})  # type: ignore[arg-type]
    return Frame(1, view.width_px, view.height_px, values, view, None, None, None)


def viewer(context: Context | None = None, ms: tuple[float, ...] = (3.0, 2.0, 1.0)) -> Viewer:
    """One with three ways that take as long as said, however quick they are."""
    one = Viewer(cloud(), context or Context())  # type: ignore[arg-type]
    one.ways, one.answer.pace = (Way(), Way(0.5), Way(0.18)), Unmoved(ms)
    return one


SLOW, SLOWER = (100.0, 10.0, 5.0), (1000.0, 400.0, 5.0)


@pytest.mark.parametrize("ortho", [False, True])
def test_splats_fall_where_the_camera_says(ortho: bool) -> None:
    view = camera(192, 144, ortho=ortho)
    (picture,) = viewer()(frame(view))
    inside = (POINTS - view.world_from_camera[:3, 3]) @ view.world_from_camera[:3, :3]
    depth = np.ones(3) if ortho else -inside[:, 2]
    x = view.centre_x_px + inside[:, 0] / depth * view.focal_x_px
    y = view.centre_y_px - inside[:, 1] / depth * view.focal_y_px
    for colour, px, py in zip(COLOURS, x, y, strict=True):
        found = picture.pixels[int(py), int(px)].astype(int)
        assert found.argmax() == colour.argmax() and found.max() > 200
    assert picture.pixels[0, 0].tolist() == [0, 0, 0]


def test_the_background_may_be_seen_through() -> None:
    view = camera()
    (clear,) = viewer()(frame(view, background="transparent"))
    assert clear.pixels.shape == (72, 96, 4) and clear.pixels[0, 0, 3] == 0
    (black,) = viewer()(frame(view))
    over = (clear.pixels[..., :3] * (clear.pixels[..., 3:] / 255.0)).astype(int)
    assert np.abs(over - black.pixels).max() <= 3
    (white,) = viewer()(frame(view, background="white"))
    assert white.pixels[0, 0].tolist() == [255, 255, 255]


def test_smaller_splats_cover_less_and_the_size_goes_back() -> None:
    view, one = camera(), viewer()
    (large,) = one(frame(view))
    (small,) = one(frame(view, splat_scale=0.3))
    (again,) = one(frame(view))
    assert small.pixels.sum() < 0.6 * large.pixels.sum() and np.array_equal(again.pixels, large.pixels)


def test_a_slow_cloud_is_rough_while_the_camera_moves_and_full_when_it_rests() -> None:
    context = Context()
    one, view = viewer(context, SLOW), camera()
    rough, full = one(frame(view))
    assert rough.rough and rough.pixels.shape == (36, 48, 3)
    assert not full.rough and full.pixels.shape == (72, 96, 3)
    assert [picture.pixels.shape[0] for picture in one(frame(view))] == [72]  # it rests
    answers = viewer(context, SLOWER)(frame(camera(eye=(3.0, 2.0, 4.0))))
    assert next(answers).pixels.shape == (13, 17, 3)
    context.waits = True
    assert list(answers) == []  # given up for the newer one


def test_a_changed_parameter_is_shown_as_soon_as_a_moved_camera() -> None:
    one, view = viewer(ms=SLOW), camera()
    assert [picture.rough for picture in one(frame(view))] == [True, False]
    assert [picture.rough for picture in one(frame(view, splat_scale=0.5))] == [True, False]


def test_what_is_asked_again_and_again_is_sharp_in_the_end() -> None:
    context = Context()
    one, view = viewer(context, SLOW), camera()
    context.waits = True
    assert [picture.rough for picture in one(frame(view))] == [True]
    assert [picture.rough for picture in one(frame(view))] == [False]


def test_a_quick_cloud_is_never_rough() -> None:
    one = viewer(ms=(20.0, 10.0, 5.0))
    assert [picture.rough for picture in one(frame(camera()))] == [False]


def test_each_way_is_a_smaller_or_thinner_picture_than_the_one_before() -> None:
    one = Viewer(cloud(), Context())  # type: ignore[arg-type]
    assert one.ways[0] == Way() and len(one.answer.pace.costs_ms()) == len(one.ways)
    for better, worse in pairwise(one.ways):
        assert worse.size <= better.size and worse.share <= better.share and worse != better


def test_both_ways_to_draw_give_the_same_picture() -> None:
    parameters, view = from_splats(cloud()), pinhole_of(camera())
    look = Look(size=1.3)
    one = OnProcessor(parameters).draw(view, look, Way())
    other = ByBackend(parameters, NumbaBackend()).draw(view, look, Way())
    assert one is not None and other is not None and one.shape == other.shape == (72, 96, 4)
    over = [picture[..., :3] * (picture[..., 3:] / 255.0) for picture in (one, other)]
    assert np.abs(over[0] - over[1]).max() < 3


def test_what_it_needs_is_said() -> None:
    context = Context()
    with pytest.raises(GeneratorError, match="cloud of splats"):
        start(Request(ViewSplatsParams(), 0), context)  # type: ignore[arg-type]
    answer = start(Request(ViewSplatsParams(), 0, {"splats": cloud()}), context)  # type: ignore[arg-type]
    with pytest.raises(GeneratorError, match="needs the camera"):
        list(answer(Frame(1, 8, 8, ViewSplatsParams(), None, None, None, None)))


def test_a_graphics_card_that_does_not_draw_it_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat_backend, "missing", lambda device: f"no gsplat on {device}")
    request = Request(ViewSplatsParams(), 0, {"splats": cloud()})
    here, card = Context(), Context()
    card.device = "cuda:0"
    for context in (here, card):
        (picture,) = [one for one in start(request, context)(frame(camera())) if not one.rough]  # type: ignore[arg-type]
        assert picture.pixels.shape == (72, 96, 3)
    assert here.notes == []
    assert card.notes == ["splats are drawn on the processor, not on cuda:0: no gsplat on cuda:0"]

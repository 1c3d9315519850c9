"""Splats for the artist's camera: they fall where a live camera says, roughly first where the full picture is slow."""

from __future__ import annotations

import numpy as np
import pytest

from engines.assets import Splats
from generators.events import GeneratorError, Request
from generators.live import view_splats
from generators.live.frames import Camera, Frame
from generators.live.specs import ViewSplatsParams
from generators.live.view_splats import Viewer, start
from tests.generators.live.scenes import camera

POINTS = np.array([[0.0, 0.6, 0.0], [1.0, 0.2, -0.5], [-0.8, 1.2, 0.4]], np.float32)
COLOURS = np.array([[1.0, 0.2, 0.2], [0.2, 1.0, 0.2], [0.2, 0.2, 1.0]], np.float32)


class Context:
    device, width_px, height_px = "cpu", 96, 72

    def __init__(self) -> None:
        self.waits = False

    def newer(self) -> bool:
        return self.waits

    def tell(self, text: str) -> None:
        raise AssertionError(text)


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


def viewer(context: Context | None = None) -> Viewer:
    return Viewer(cloud(), context or Context())  # type: ignore[arg-type]


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
    one, view = viewer(context), camera()
    one._px_ms = view_splats.QUICK_MS * 1.5 / (96 * 72)
    rough, full = one(frame(view))
    assert rough.rough and rough.pixels.shape == (36, 48, 3)
    assert not full.rough and full.pixels.shape == (72, 96, 3)
    one._px_ms = view_splats.QUICK_MS * 20 / (96 * 72)
    assert [picture.pixels.shape[0] for picture in one(frame(view))] == [72]  # it rests
    one._px_ms = view_splats.QUICK_MS * 20 / (96 * 72)
    moved = camera(eye=(3.0, 2.0, 4.0))
    answers = one(frame(moved))
    assert next(answers).pixels.shape == (18, 24, 3)
    context.waits = True
    assert list(answers) == []  # given up for the newer one


def test_a_quick_cloud_is_never_rough() -> None:
    one = viewer()
    one._px_ms = 1e-6
    assert [picture.rough for picture in one(frame(camera()))] == [False]


def test_what_it_needs_is_said() -> None:
    context = Context()
    with pytest.raises(GeneratorError, match="cloud of splats"):
        start(Request(ViewSplatsParams(), 0), context)  # type: ignore[arg-type]
    answer = start(Request(ViewSplatsParams(), 0, {"splats": cloud()}), context)  # type: ignore[arg-type]
    with pytest.raises(GeneratorError, match="needs the camera"):
        list(answer(Frame(1, 8, 8, ViewSplatsParams(), None, None, None, None)))

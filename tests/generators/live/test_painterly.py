"""The painter: the same picture gives the same painting, and what the strokes do is what a slow twin does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from generators.events import GeneratorError, Request
from generators.live import painting
from generators.live.frames import Frame
from generators.live.painterly import Painter, brush_stamps, canvas_weave, layers, start
from generators.live.specs import PainterlyParams
from generators.live.warm import painterly


def picture(height: int = 60, width: int = 84) -> NDArray[np.uint8]:
    """A dark disc before a bright slope of colours."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 120 + 100 * x / width, 200 - 80 * y / height
    codes = np.stack([red, green, np.full_like(red, 150)], -1)
    codes[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (30, 20, 60)
    return codes.astype(np.uint8)


def test_equal_pictures_give_equal_paintings() -> None:
    params = PainterlyParams()
    painter = Painter(3)
    first = painter.paint(picture(), params)
    painter.paint(255 - picture(), params)
    assert np.array_equal(painter.paint(picture(), params), first)
    assert np.array_equal(Painter(3).paint(picture(), params), first)
    assert not np.array_equal(Painter(4).paint(picture(), params), first)


def test_a_change_here_leaves_what_is_far_from_it_alone() -> None:
    painter, params = Painter(1), PainterlyParams(stroke_px=6.0)
    before = picture(96, 192)
    after = before.copy()
    after[:20, :20] = 255
    changed = (painter.paint(before, params) != painter.paint(after, params)).any(-1)
    assert changed[:20, :20].mean() > 0.5
    assert not changed[:, 120:].any()


@pytest.mark.parametrize("grey", [40, 128, 220])
def test_a_flat_picture_keeps_its_tone(grey: int) -> None:
    painted = Painter(0).paint(np.full((64, 64, 3), grey, np.uint8), PainterlyParams())
    assert abs(float(painted.mean()) - grey) < 12
    assert painted.std() > 1  # the brush and the canvas are seen


def test_without_paint_and_canvas_a_plain_picture_is_hardly_changed() -> None:
    params = PainterlyParams(relief=0.0, canvas=0.0, palette=0.0, variety=0.0, detail=1.0, stroke_px=3.0)
    codes = picture()
    difference = np.abs(Painter(0).paint(codes, params).astype(int) - codes)
    assert difference.mean() < 6
    assert np.isfinite(difference).all()


def test_edges_stay_where_they_are() -> None:
    codes = np.full((80, 80, 3), 230, np.uint8)
    codes[:, 40:] = 25
    painted = Painter(0).paint(codes, PainterlyParams()).mean(-1)
    assert painted[:, :34].mean() > 180 and painted[:, 46:].mean() < 70
    crossing = (painted[:, :-1] > 128) & (painted[:, 1:] <= 128)
    columns = np.nonzero(crossing)[1]
    assert abs(np.median(columns) - 39) <= 2


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (61, 7), (16, 16)])
def test_any_size_can_be_painted(height: int, width: int) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert Painter(0).paint(codes, PainterlyParams()).shape == codes.shape


def test_extremes_of_the_parameters_are_sound() -> None:
    low = PainterlyParams(stroke_px=3.0, detail=0.0, length=1.0, palette=0.0, variety=0.0, relief=0.0, canvas=0.0)
    high = PainterlyParams(stroke_px=48.0, detail=1.0, length=8.0, palette=1.0, variety=1.0, relief=1.0, canvas=1.0)
    for params in (low, high):
        painted = Painter(0).paint(picture(), params)
        assert painted.min() >= 0 and painted.std() > 10


def test_strokes_are_laid_as_by_a_slow_twin() -> None:
    random = np.random.default_rng(5)
    count, height, width = 24, 40, 56
    strokes = np.zeros((count, painting.STROKE), np.float32)
    turn = random.random(count) * 2 * np.pi
    strokes[:, 0], strokes[:, 1] = random.random(count) * width, random.random(count) * height
    strokes[:, 2], strokes[:, 3] = np.cos(turn), np.sin(turn)
    strokes[:, 4], strokes[:, 5] = 4 + 12 * random.random(count), 2 + 4 * random.random(count)
    strokes[:, 6:9] = random.random((count, 3))
    strokes[:, 9], strokes[:, 10], strokes[:, 11] = random.random(count), random.integers(0, 8, count), 0.8
    strokes[0, 2:4] = (1.0, 0.0)
    strokes[1, 2:4] = (0.0, 1.0)
    stamps = brush_stamps(1)
    fast = np.full((height, width, 4), 0.25, np.float32)
    slow = fast.astype(np.float64)
    painting.lay(strokes, count, stamps, np.float32(1.5), fast)
    for x, y, cos, sin, length, half, red, green, blue, opacity, stamp, load in strokes.astype(np.float64):
        py, px = np.mgrid[0:height, 0:width] + 0.5
        u = ((px - x) * cos + (py - y) * sin) / length * stamps.shape[2] / 2 + stamps.shape[2] / 2
        v = ((py - y) * cos - (px - x) * sin) / half * stamps.shape[1] / 2 + stamps.shape[1] / 2
        inside = (u >= 0) & (v >= 0) & (u < stamps.shape[2]) & (v < stamps.shape[1])
        marks = stamps[int(stamp), np.where(inside, v, 0).astype(int), np.where(inside, u, 0).astype(int)]
        cover = np.where(inside, marks[..., 0] * opacity, 0)
        cover[cover <= 0.003] = 0
        slow[..., :3] += (np.array([red, green, blue]) - slow[..., :3]) * cover[..., None]
        slow[..., 3] += (marks[..., 1] * load * 1.5 - slow[..., 3] * 0.35) * cover
    off = np.abs(fast - slow).max(-1) > 1e-3
    assert off.mean() < 0.01  # a pixel on a mark's border may fall to its other side by rounding
    assert np.abs(fast - 0.25).max() > 0.3


def test_flow_follows_edges() -> None:
    codes = np.zeros((64, 64, 3), np.uint8)
    y, x = np.mgrid[0:64, 0:64]
    codes[(x + y) % 16 < 8] = 255  # edges run from the lower left to the upper right
    flow = Painter(0)._flow(codes.astype(np.float32) / np.float32(255), 8.0)
    angle = np.arctan2(flow[16:48, 16:48, 1], flow[16:48, 16:48, 0]) / 2
    assert np.median(np.abs(np.cos(angle + np.pi / 4))) > 0.97 and np.isfinite(flow).all()


def test_layers_go_from_coarse_to_fine() -> None:
    found = layers(16.0, 0.7, 7)
    assert [layer.need > 0 for layer in found] == [False, True, True]
    assert all(a.radius_px > b.radius_px and a.coarse >= b.coarse for a, b in pairwise(found))
    assert len(layers(3.0, 0.7, 7)) < 3
    assert layers(16.0, 0.9, 7)[1].need < layers(16.0, 0.1, 7)[1].need


def test_the_canvas_repeats_without_a_seam() -> None:
    weave = canvas_weave(2)
    seam = np.abs(weave[0] - weave[-1]).mean()
    within = np.abs(np.diff(weave, axis=0)).mean()
    assert seam < 2 * within


def test_a_session_answers_frames() -> None:
    class Context:
        device, width_px, height_px = "cpu", 48, 32

        def newer(self) -> bool:
            return False

        def tell(self, text: str) -> None:
            assert "compiling" in text

    answer = start(Request(PainterlyParams(), 1), Context())  # type: ignore[arg-type]
    frame = Frame(1, 84, 60, PainterlyParams(), None, picture(), None, None)
    (painted,) = answer(frame)
    assert painted.pixels.shape == (60, 84, 3) and not painted.rough
    with pytest.raises(GeneratorError, match="picture to paint"):
        list(answer(Frame(2, 84, 60, PainterlyParams(), None, None, None, None)))
    painterly()


def test_vertical_edges_have_vertical_strokes_everywhere() -> None:
    """Upright directions lie where angles begin anew; what is between two of them is upright too."""
    codes = np.full((64, 64, 3), 60, np.float32) / np.float32(255)
    codes[:, 32:] = 0.9
    flow = Painter(0)._flow(codes, 8.0)
    near = flow[8:56, 30:34]
    mixed = (near[:, :-1] + near[:, 1:]) / 2
    angle = np.arctan2(mixed[..., 1], mixed[..., 0]) / 2
    assert (np.abs(np.sin(angle)) > 0.95).all()

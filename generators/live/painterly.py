"""What the artist sees, painted: strokes along the edges, large ones first, with the paint's relief and the canvas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.events import GeneratorError, Request
from generators.live import painting
from generators.live.frames import Answer, Frame, LiveContext, Picture
from generators.live.specs import COMPILING, PainterlyParams
from generators.radiance.rasterizer.kernels import compiled_before

STAMPS, STAMP_V, STAMP_U = 8, 20, 64
"""Brush marks, and their pixels across and along."""
CANVAS_PX = 128
FINEST_PX = 1.1
"""Half width of the smallest strokes."""


@dataclass(frozen=True)
class Layer:
    """One pass over the picture: strokes of one size."""

    radius_px: float
    step_px: float
    coarse: int
    """Level of the pyramid that is about as blurred as the strokes are wide."""
    need: float
    """How much finer detail has to be there before a stroke is made."""


def layers(stroke_px: float, detail: float, levels: int) -> list[Layer]:
    """The passes for strokes of that width, the largest first; more `detail` makes more small strokes."""
    found = []
    radius = stroke_px / 2
    for number in range(3):
        if number and radius < FINEST_PX:
            break
        coarse = min(levels - 1, max(1, round(math.log2(max(2.0, 2 * radius)))))
        need = 0.0 if number == 0 else (0.6 - 0.52 * detail) * (0.6 + 0.2 * number)
        found.append(Layer(radius, max(2.0, radius * 1.45), coarse, need))
        radius /= 2.2
    return found


def start(request: Request, context: LiveContext) -> Answer:
    """Paint one blank picture, so that everything is compiled before the first frame comes."""
    if not compiled_before(painting.varnish):
        context.tell(COMPILING)
    painter = Painter(request.seed)
    blank = np.full((context.height_px, context.width_px, 3), 128, np.uint8)
    painter.paint(blank, PainterlyParams())

    def answer(frame: Frame) -> Iterator[Picture]:
        if frame.colour is None:
            raise GeneratorError("the painter needs a picture to paint from")
        yield Picture(painter.paint(frame.colour, frame.params))

    return answer


class Painter:
    """Keeps what depends on the picture's size alone; equal pictures and parameters give equal paintings."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._stamps = brush_stamps(seed)
        self._canvas = canvas_weave(seed)
        self._wander: dict[tuple[int, int], FloatArray] = {}
        self._cells: dict[tuple[int, int, int], NDArray[np.int32]] = {}

    def paint(self, codes: NDArray[np.uint8], params: PainterlyParams) -> NDArray[np.uint8]:
        """uint8 sRGB [H, W, 3] of the painted picture."""
        height, width, _ = codes.shape
        pyramid = _pyramid(codes)
        flow = self._flow(pyramid[min(1, len(pyramid) - 1)], params.stroke_px)
        paint = np.empty((height, width, 4), np.float32)
        plan = layers(params.stroke_px, params.detail, len(pyramid))
        painting.undercoat(pyramid[plan[0].coarse], paint)
        for number, layer in enumerate(plan):
            cells = self._order(math.ceil(width / layer.step_px), math.ceil(height / layer.step_px), number)
            strokes = np.empty((len(cells), painting.STROKE), np.float32)
            count = painting.plan_strokes(
                cells, np.float32(layer.step_px), np.float32(layer.radius_px), np.float32(params.length), number,
                np.float32(layer.need), np.float32(params.palette), np.float32(params.variety), pyramid[layer.coarse],
                pyramid[layer.coarse - 1], flow, width, height, strokes,
            )  # fmt: skip
            thickness = np.float32(min(2.5, 0.5 + layer.radius_px / 5))
            painting.lay(strokes, count, self._stamps, thickness, paint)
        out = np.empty((height, width, 3), np.uint8)
        painting.varnish(paint, self._canvas, np.float32(params.relief * 0.9), np.float32(params.canvas * 0.5), out)
        return out

    def _flow(self, source: FloatArray, stroke_px: float) -> FloatArray:
        height, width, _ = source.shape
        first, turned = np.empty_like(source), np.empty((width, height, 3), np.float32)
        painting.tensor(source, first)
        radius = max(1, round(stroke_px / 4))
        for _ in range(2):
            painting.smooth_rows(first, radius, turned)
            painting.smooth_rows(turned, radius, first)
        flow = np.empty_like(source)
        painting.flow_of(first, self._wander_of(width, height), flow)
        return flow

    def _wander_of(self, width: int, height: int) -> FloatArray:
        """Directions of strokes where the picture has none: slow waves."""
        known = self._wander.get((width, height))
        if known is None:
            y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(256)
            phase = np.random.default_rng(self._seed).random(3).astype(np.float32) * np.float32(2 * math.pi)
            waves = np.sin(5.1 * x + 2.3 * y + phase[0]) + np.sin(3.7 * y - 4.2 * x + phase[1])
            known = np.ascontiguousarray(0.5 * waves + 0.35 * np.sin(11 * x + 9 * y + phase[2]) + 0.6, np.float32)
            self._wander = {(width, height): known}
        return known

    def _order(self, columns: int, rows: int, layer: int) -> NDArray[np.int32]:
        """All cells of a layer's grid in the order in which they are painted, the same in every frame."""
        key = (columns, rows, layer)
        if key not in self._cells:
            if len(self._cells) > 16:
                self._cells.clear()
            shuffled = np.random.default_rng([self._seed, layer]).permutation(columns * rows)
            self._cells[key] = np.stack([shuffled % columns, shuffled // columns], axis=1).astype(np.int32)
        return self._cells[key]


def _pyramid(codes: NDArray[np.uint8]) -> list[FloatArray]:
    """The picture and its halvings down to 8 pixels, float32 [H, W, 3]."""
    level: FloatArray = np.empty(codes.shape, np.float32)
    painting.unpack(codes, level)
    found = [level]
    while min(level.shape[:2]) > 8 and len(found) < 7:
        smaller = np.empty((-(-level.shape[0] // 2), -(-level.shape[1] // 2), 3), np.float32)
        painting.halve(level, smaller)
        found.append(smaller)
        level = smaller
    if len(found) == 1:
        found.append(level)
    return found


def brush_stamps(seed: int) -> FloatArray:
    """Opacity and height of what bristles leave, float32 [STAMPS, V, U, 2]: streaks along, ridges at the sides."""
    random = np.random.default_rng(seed)
    v = (np.arange(STAMP_V, dtype=np.float32) + 0.5) / STAMP_V * 2 - 1
    u = (np.arange(STAMP_U, dtype=np.float32) + 0.5) / STAMP_U * 2 - 1
    stamps = np.empty((STAMPS, STAMP_V, STAMP_U, 2), np.float32)
    for stamp in range(STAMPS):
        fine = random.random(STAMP_V).astype(np.float32)
        wide = np.interp(np.arange(STAMP_V), np.linspace(0, STAMP_V - 1, 7), random.random(7)).astype(np.float32)
        bristle = 0.55 * fine + 0.45 * wide
        ends = 0.62 + 0.36 * np.interp(np.arange(STAMP_V), np.linspace(0, STAMP_V - 1, 12), random.random(12))
        begins = 0.72 + 0.26 * np.interp(np.arange(STAMP_V), np.linspace(0, STAMP_V - 1, 12), random.random(12))
        tail = np.clip((ends[:, None] - u[None, :]) * 7, 0, 1) * np.clip((begins[:, None] + u[None, :]) * 9, 0, 1)
        sides = np.clip((1 - np.abs(v)) * 5, 0, 1)[:, None]
        dry = np.clip(1.25 - 0.75 * (u[None, :] * 0.5 + 0.5) * (1 - bristle[:, None]) * 1.6, 0, 1)
        stamps[stamp, :, :, 0] = tail * sides * dry * 0.96
        ridge = np.exp(-(((np.abs(v) - 0.82) / 0.16) ** 2))[:, None]
        front = np.exp(-(((u - 0.55) / 0.22) ** 2))[None, :]
        stamps[stamp, :, :, 1] = 0.35 + 0.75 * bristle[:, None] + 0.55 * ridge + 0.35 * front
    return stamps


def canvas_weave(seed: int) -> FloatArray:
    """Height of a plain weave, float32 [CANVAS_PX, CANVAS_PX], about -1..1; repeats without a seam."""
    random = np.random.default_rng([seed, 7])
    y, x = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX].astype(np.float32)
    thread = 2 * math.pi / 4
    over = ((x // 4 + y // 4) % 2) * 2 - 1
    weave = np.where(over > 0, np.cos((x % 4 - 1.5) * thread / 2), np.cos((y % 4 - 1.5) * thread / 2))
    uneven = np.repeat(random.random((CANVAS_PX // 4, 1)), 4, axis=0) + np.repeat(
        random.random((1, CANVAS_PX // 4)), 4, axis=1
    )
    grain = random.normal(0, 0.12, (CANVAS_PX, CANVAS_PX))
    return np.ascontiguousarray(weave * (0.5 + 0.35 * uneven) + grain, np.float32)

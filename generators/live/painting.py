"""The inner loops of the painter: picture to pyramid, pyramid to flow, flow to strokes, strokes to paint.

Layers of strokes from coarse to fine after Hertzmann, "Painterly Rendering with Curved Brush Strokes of Multiple
Sizes" (SIGGRAPH 1998); direction from the smoothed structure tensor as in Kyprianidis and Kang, "Image and Video
Abstraction by Coherence-Enhancing Filtering" (2011). Everything is float32 in sRGB values 0..1; the same picture
gives the same strokes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import inlined, kernel, parallel_kernel, prange

Real = Any
"""A number of a kernel, a float32 unless it is an integer."""
STROKE = 12
"""Numbers that describe a stroke: x, y, cos, sin, half length, half width, red, green, blue, opacity, stamp, load."""
BANDS = 16
"""Bands of rows that are painted side by side; a stroke is painted in each it touches, in the same order."""


@kernel
def unpack(codes: np.ndarray, out: FloatArray) -> None:
    """uint8 [H, W, 3] to float32 0..1."""
    height, width, _ = codes.shape
    for y in range(height):
        for x in range(width):
            for c in range(3):
                out[y, x, c] = np.float32(codes[y, x, c]) * np.float32(1 / 255)


@kernel
def halve(source: FloatArray, out: FloatArray) -> None:
    """Mean of each 2 × 2 pixels; [H, W, 3] to [ceil(H/2), ceil(W/2), 3]."""
    height, width, _ = out.shape
    last_y, last_x = source.shape[0] - 1, source.shape[1] - 1
    for y in range(height):
        y0, y1 = 2 * y, min(2 * y + 1, last_y)
        for x in range(width):
            x0, x1 = 2 * x, min(2 * x + 1, last_x)
            for c in range(3):
                total = source[y0, x0, c] + source[y0, x1, c] + source[y1, x0, c] + source[y1, x1, c]
                out[y, x, c] = np.float32(0.25) * total


@kernel
def tensor(source: FloatArray, out: FloatArray) -> None:
    """The structure tensor (xx, yy, xy), summed over the colours, by Sobel's differences; [H, W, 3] to [H, W, 3]."""
    height, width, _ = source.shape
    for y in range(height):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            xx = yy = xy = np.float32(0)
            for c in range(3):
                a, b, d = source[up, left, c], source[up, x, c], source[up, right, c]
                e, f = source[y, left, c], source[y, right, c]
                g, h, i = source[down, left, c], source[down, x, c], source[down, right, c]
                gx = (d + 2 * f + i) - (a + 2 * e + g)
                gy = (g + 2 * h + i) - (a + 2 * b + d)
                xx += gx * gx
                yy += gy * gy
                xy += gx * gy
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = xx, yy, xy


@kernel
def smooth_rows(source: FloatArray, radius: int, out: FloatArray) -> None:
    """Running mean of 2·radius+1 pixels along the rows, written transposed; [H, W, 3] to [W, H, 3]."""
    height, width, _ = source.shape
    scale = 1.0 / (2 * radius + 1)
    for y in range(height):
        for c in range(3):
            total = np.float64(0)  # what has left the mean leaves no trace: far away nothing may flicker
            for x in range(-radius, radius + 1):
                total += np.float64(source[y, min(max(x, 0), width - 1), c])
            for x in range(width):
                out[x, y, c] = np.float32(total * scale)
                total += np.float64(source[y, min(x + radius + 1, width - 1), c])
                total -= np.float64(source[y, max(x - radius, 0), c])


@kernel
def flow_of(smoothed: FloatArray, wander: FloatArray, out: FloatArray) -> None:
    """Direction along edges and strength 0..1 of the edge; where there is none, the direction of `wander`.

    [H, W, 3] of a smoothed tensor to [H, W, 3]; `wander` [H, W] in radians. A direction is given by the cosine and sine
    of twice its angle, times how sure it is: directions have no sign, and only so can they be mixed.
    """
    height, width, _ = smoothed.shape
    for y in range(height):
        for x in range(width):
            xx, yy, xy = smoothed[y, x, 0], smoothed[y, x, 1], smoothed[y, x, 2]
            spread = math.sqrt((xx - yy) * (xx - yy) + 4 * xy * xy)
            energy = max(xx + yy, np.float32(0))  # running means leave a little less than nothing behind
            sure = min(spread / (energy + np.float32(2e-3)), np.float32(1))
            along = np.float32(0.5) * math.atan2(-2 * xy, yy - xx)
            two_x = sure * math.cos(2 * along) + (1 - sure) * math.cos(2 * wander[y, x]) * np.float32(0.6)
            two_y = sure * math.sin(2 * along) + (1 - sure) * math.sin(2 * wander[y, x]) * np.float32(0.6)
            out[y, x, 0], out[y, x, 1] = two_x, two_y
            out[y, x, 2] = math.sqrt(energy / (energy + np.float32(0.05)))


@inlined
def _hash(a: int, b: int, c: int) -> Real:
    """A number 0..1 of three integers; the same for ever."""
    h = (a * 374761393 + b * 668265263 + c * 2147483647) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return np.float32((h ^ (h >> 15)) & 0xFFFFFF) * np.float32(1 / 16777216)


@inlined
def _at(source: FloatArray, x: Real, y: Real, c: int) -> Real:
    """Bilinear value at pixel coordinates where 0.5 is the first pixel's middle; edges are repeated."""
    height, width = source.shape[0], source.shape[1]
    fx = min(max(x - np.float32(0.5), np.float32(0)), np.float32(width - 1))
    fy = min(max(y - np.float32(0.5), np.float32(0)), np.float32(height - 1))
    x0, y0 = int(fx), int(fy)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    u, v = fx - np.float32(x0), fy - np.float32(y0)
    upper = source[y0, x0, c] * (1 - u) + source[y0, x1, c] * u
    lower = source[y1, x0, c] * (1 - u) + source[y1, x1, c] * u
    return upper * (1 - v) + lower * v


@inlined
def _reach(fine: FloatArray, scale: Real, x: Real, y: Real, dx: Real, dy: Real, longest: Real, limit: Real) -> Real:
    """How far the colour at a place stays alike in a direction, in pixels; `scale` from pixels to those of `fine`."""
    red, green, blue = (
        _at(fine, x * scale, y * scale, 0),
        _at(fine, x * scale, y * scale, 1),
        _at(fine, x * scale, y * scale, 2),
    )
    steps = 4
    for step in range(1, steps + 1):
        far = longest * np.float32(step / steps)
        px, py = (x + dx * far) * scale, (y + dy * far) * scale
        dr, dg, db = _at(fine, px, py, 0) - red, _at(fine, px, py, 1) - green, _at(fine, px, py, 2) - blue
        if dr * dr + dg * dg + db * db > limit:
            return longest * np.float32((step - 0.5) / steps)
    return longest


@kernel
def undercoat(level: FloatArray, paint: FloatArray) -> None:
    """Thin paint in the colours of a blurred picture, so that no gap between strokes shows the bare canvas."""
    height, width, _ = paint.shape
    scale_x, scale_y = np.float32(level.shape[1] / width), np.float32(level.shape[0] / height)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                paint[y, x, c] = _at(level, (x + np.float32(0.5)) * scale_x, (y + np.float32(0.5)) * scale_y, c)
            paint[y, x, 3] = np.float32(0.05)


@inlined
def _wish(red: Real, green: Real, blue: Real, edge: Real, need: Real) -> Real:
    """Opacity 0..1 of a stroke where the finer picture differs so much from the coarser one."""
    wants = math.sqrt(red * red + green * green + blue * blue) * 3 + edge * np.float32(0.16)
    t = min(max((wants - need) / (np.float32(0.6) * need + np.float32(1e-4)), np.float32(0)), np.float32(1))
    return t * t * (3 - 2 * t)


@inlined
def _mixed(red: Real, green: Real, blue: Real, palette: Real, light: Real, warm: Real) -> tuple[Real, Real, Real]:
    """The colour on the brush: drawn to few tones and made richer by `palette`, lighter and warmer as chance has it."""
    luma = np.float32(0.3) * red + np.float32(0.59) * green + np.float32(0.11) * blue
    levels = np.float32(6.0)
    stepped = (math.floor(luma * levels) + np.float32(0.5)) / levels
    within = luma * levels - math.floor(luma * levels) - np.float32(0.5)
    stepped += within * abs(within) * 2 / levels  # steps with soft shoulders, so that nothing pops
    rich = 1 + np.float32(0.3) * palette
    target = luma + (stepped - luma) * palette * np.float32(0.8) + light * (np.float32(0.35) + luma)
    return (
        target + (red - luma) * rich + warm,
        target + (green - luma) * rich + warm * np.float32(0.2),
        target + (blue - luma) * rich - warm,
    )


@kernel
def plan_strokes(
    places: np.ndarray,  # int32 [N, 2] cells (column, row) in the order in which they are painted
    step: Real,  # pixels between cells
    radius: Real,  # half width of a stroke, pixels
    aspect: Real,  # length by width
    layer: int,
    need: Real,  # 0: everywhere; above: only where the finer picture differs so much
    palette: Real,
    variety: Real,
    coarse: FloatArray,  # the pyramid's level of the stroke's width
    fine: FloatArray,  # the next finer level
    flow: FloatArray,
    width: int,
    height: int,
    out: FloatArray,  # [N, STROKE]
) -> int:
    """Put one stroke in every cell that needs one; returns how many there are."""
    count = 0
    to_coarse, to_fine = np.float32(coarse.shape[1] / width), np.float32(fine.shape[1] / width)
    to_flow = np.float32(flow.shape[1] / width)
    for index in range(len(places)):
        column, row = places[index, 0], places[index, 1]
        x = (np.float32(column) + _hash(column, row, 11 * layer + 1)) * step
        y = (np.float32(row) + _hash(column, row, 11 * layer + 2)) * step
        if x >= width or y >= height:
            continue
        red, green, blue = (
            _at(fine, x * to_fine, y * to_fine, 0),
            _at(fine, x * to_fine, y * to_fine, 1),
            _at(fine, x * to_fine, y * to_fine, 2),
        )
        opacity = np.float32(1)
        if need > 0:
            opacity = _wish(
                red - _at(coarse, x * to_coarse, y * to_coarse, 0),
                green - _at(coarse, x * to_coarse, y * to_coarse, 1),
                blue - _at(coarse, x * to_coarse, y * to_coarse, 2), _at(flow, x * to_flow, y * to_flow, 2), need,
            )  # fmt: skip
            if opacity < np.float32(0.04):
                continue
        angle = math.atan2(_at(flow, x * to_flow, y * to_flow, 1), _at(flow, x * to_flow, y * to_flow, 0))
        angle = np.float32(0.5) * (angle + _hash(column, row, 11 * layer + 3) - np.float32(0.5))
        cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        half_width = radius * (np.float32(0.75) + np.float32(0.5) * _hash(column, row, 11 * layer + 4))
        longest = half_width * aspect * (np.float32(0.7) + np.float32(0.6) * _hash(column, row, 11 * layer + 5))
        limit = np.float32(0.02)
        ahead = _reach(fine, to_fine, x, y, cos, sin, longest, limit)
        behind = _reach(fine, to_fine, x, y, -cos, -sin, longest, limit)
        shift = np.float32(0.5) * (ahead - behind)
        half_length = max(np.float32(0.5) * (ahead + behind), half_width)
        out[count, 0], out[count, 1] = x + cos * shift, y + sin * shift
        out[count, 2], out[count, 3], out[count, 4], out[count, 5] = cos, sin, half_length, half_width
        light = (_hash(column, row, 11 * layer + 6) - np.float32(0.5)) * variety * np.float32(0.22)
        warm = (_hash(column, row, 11 * layer + 7) - np.float32(0.5)) * variety * np.float32(0.14)
        out[count, 6], out[count, 7], out[count, 8] = _mixed(red, green, blue, palette, light, warm)
        out[count, 9] = opacity
        out[count, 10] = math.floor(_hash(column, row, 11 * layer + 8) * np.float32(7.999))
        out[count, 11] = np.float32(0.6) + np.float32(0.4) * _hash(column, row, 11 * layer + 9)
        count += 1
    return count


@parallel_kernel
def lay(strokes: FloatArray, count: int, stamps: FloatArray, thickness: Real, paint: FloatArray) -> None:
    """Paint the strokes one over the other: `paint` [H, W, 4] holds colour and height of the paint.

    `stamps` [8, V, U, 2]: opacity and height of the paint that a brush leaves, across and along.
    """
    height, width, _ = paint.shape
    rows_v, rows_u = stamps.shape[1], stamps.shape[2]
    for part in prange(BANDS):
        band: Any = np.int64(part)
        top, bottom = band * height // BANDS, (band + 1) * height // BANDS
        for index in range(count):
            x, y = strokes[index, 0], strokes[index, 1]
            cos, sin = strokes[index, 2], strokes[index, 3]
            half_length, half_width = strokes[index, 4], strokes[index, 5]
            reach_y = abs(sin) * half_length + abs(cos) * half_width
            y0, y1 = max(top, int(y - reach_y)), min(bottom, int(y + reach_y) + 2)
            if y0 >= y1:
                continue
            # a row's part of the rotated box: where |u| and |v| are both small enough
            slope_u, slope_v = max(abs(cos), np.float32(1e-4)), max(abs(sin), np.float32(1e-4))
            per_u, per_v = np.float32(0.5) * rows_u / half_length, np.float32(0.5) * rows_v / half_width
            red, green, blue = strokes[index, 6], strokes[index, 7], strokes[index, 8]
            opacity, stamp = strokes[index, 9], int(strokes[index, 10])
            load = strokes[index, 11] * thickness
            middle_u, middle_v = np.float32(0.5) * rows_u, np.float32(0.5) * rows_v
            for py in range(y0, y1):
                dy = np.float32(py) + np.float32(0.5) - y
                middle_x, spare_x = -dy * sin * cos / (slope_u * slope_u), half_length / slope_u
                other_x, other = dy * cos * sin / (slope_v * slope_v), half_width / slope_v
                x0 = max(0, int(x + max(middle_x - spare_x, other_x - other)))
                x1 = min(width, int(x + min(middle_x + spare_x, other_x + other)) + 1)
                for px in range(x0, x1):
                    dx = np.float32(px) + np.float32(0.5) - x
                    u = (dx * cos + dy * sin) * per_u + middle_u
                    v = (dy * cos - dx * sin) * per_v + middle_v
                    if u < 0 or v < 0 or u >= rows_u or v >= rows_v:
                        continue
                    cover = stamps[stamp, int(v), int(u), 0] * opacity
                    if cover <= np.float32(0.003):
                        continue
                    paint[py, px, 0] += (red - paint[py, px, 0]) * cover
                    paint[py, px, 1] += (green - paint[py, px, 1]) * cover
                    paint[py, px, 2] += (blue - paint[py, px, 2]) * cover
                    raised = stamps[stamp, int(v), int(u), 1] * load
                    paint[py, px, 3] += (raised - paint[py, px, 3] * np.float32(0.35)) * cover


@parallel_kernel
def varnish(paint: FloatArray, canvas: FloatArray, relief: Real, weave: Real, out: np.ndarray) -> None:
    """Light the paint from the upper left over the canvas' weave; [H, W, 4] and [C, C] to uint8 [H, W, 3]."""
    height, width, _ = paint.shape
    period = canvas.shape[0]
    for line in prange(height):
        y: Any = np.int64(line)
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            gx = (paint[y, right, 3] - paint[y, left, 3]) * relief
            gy = (paint[down, x, 3] - paint[up, x, 3]) * relief
            thin = 1 / (1 + 2 * paint[y, x, 3] * relief)
            ground = canvas[y % period, x % period]
            gx += (canvas[y % period, (x + 1) % period] - ground) * weave * thin
            gy += (canvas[(y + 1) % period, x % period] - ground) * weave * thin
            slope = np.float32(0.7) * (gx + gy)  # towards the light in the upper left
            slope = slope / math.sqrt(1 + slope * slope)
            shade = 1 + np.float32(0.34) * slope
            gloss = max(np.float32(0), slope - np.float32(0.25))
            gloss = gloss * gloss * np.float32(0.22)
            for c in range(3):
                value = paint[y, x, c] * shade + gloss
                out[y, x, c] = np.uint8(min(max(value, np.float32(0)), np.float32(1)) * 255 + np.float32(0.5))

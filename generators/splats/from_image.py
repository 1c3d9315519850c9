"""`splats.from_image`: one picture as layers of splats, deep enough to be looked at a little from the side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Splats
from engines.colour import as_float, srgb_codes
from engines.kinds import ColourSpace
from engines.splat_values import dc_from_colour
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.radiance.cameras import Camera, looking_at
from generators.splats.clouds import joined
from generators.splats.ellipsoids import decomposed
from generators.splats.params import FromImageParams
from generators.splats.peeling import Layer, peeled, snapped
from generators.splats.picture_depth import GUESSES, disparity_of
from generators.splats.pictures import BACKGROUND, codes, rendered

FILL = 0.55
"""Standard deviation of a splat in pixels; the picture stays sharp and its splats still close."""
HIDDEN_FILL = 0.75
THICKNESS = 0.12
OPACITY = 0.98
STEEPEST = 12.0
"""A splat is stretched along a slope by at most this."""
EDGE_PX = 2.0
"""Neighbours that come apart by more, seen from the side, are an edge."""
PREVIEW_PX = 224


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the layers as one cloud: from the origin along -Z it is the picture. Raises `GeneratorError`."""
    params = request.params
    if not isinstance(params, FromImageParams):
        raise TypeError(f"splats.from_image wants FromImageParams, got {type(params).__name__}")
    image, depth = request.inputs.get("image"), request.inputs.get("depth")
    if not isinstance(image, Image) or image.colour_space is ColourSpace.DATA:
        raise GeneratorError("input 'image': expected a picture with colours")
    if depth is not None and not isinstance(depth, Image):
        raise GeneratorError(f"input 'depth': expected a picture, got a {depth.kind}")
    yield Progress(0.05, "reading the picture")
    colours, there = shrunk(image, params.size_px)
    context.check()
    yield Progress(0.15, "finding depth")
    front = Layer(colours, disparity_of(colours, depth, params), there)
    yield Note(_depth_words(depth, params))
    context.check()
    focal = max(there.shape) / (2 * np.tan(np.radians(params.fov_deg) / 2))
    pivot = pivot_m(front)
    shift = float(focal * pivot * np.tan(np.radians(params.swing_deg)))
    front = snapped(front, shift_px_m=shift, edge_px=EDGE_PX)
    if params.border:
        front = with_border(front, focal, pivot, params.swing_deg)
    yield Progress(0.3, "looking behind edges")
    hidden: list[Layer] = []
    if params.layers and shift > 0:
        hidden = peeled(front, params.layers, shift_px_m=shift, edge_px=EDGE_PX)
    context.check()
    yield Progress(0.7, "laying splats")
    limit = EDGE_PX / shift if shift > 0 else np.inf
    clouds = [laid(front, focal, limit, FILL)]
    for layer in hidden:
        context.check()
        clouds.append(laid(layer, focal, limit, HIDDEN_FILL))
    cloud = joined(clouds, name=image.name or "picture")
    if hidden:
        counts = " and ".join(f"{int(layer.there.sum()):,}" for layer in hidden)
        yield Note(f"{counts} splats behind edges are made up from what is beside them")
    yield Note(
        f"seen from the origin along -Z with a field of view of {params.fov_deg:g}° on its longer side it is the "
        f"picture; turn around the point {pivot:.2f} m ahead, by at most {params.swing_deg:g}°"
    )
    if context.wants_previews:
        yield Preview(_three_views(cloud, pivot, there.shape, focal, params.swing_deg))
    yield Produced(cloud)


def _depth_words(depth: Image | None, params: FromImageParams) -> str:
    span = f"from {params.near_m:g} to {params.far_m:g} m"
    if depth is not None:
        return f"depth was read from the depth picture, {span}"
    return (
        f"no depth picture was given, so depth is a guess and no measurement: {GUESSES[params.guess]}, {span}; "
        f"a depth picture gives true shapes"
    )


def shrunk(image: Image, size_px: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The picture with its longer side at most `size_px`: display colours [H, W, 3], and where it is opaque."""
    from PIL import Image as Pictures

    pixels = srgb_codes(image, 8)
    channels = pixels.shape[2]
    colour = pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    alpha = pixels[..., -1] if channels in (2, 4) else np.full(pixels.shape[:2], 255, np.uint8)
    scale = min(1.0, size_px / max(pixels.shape[:2]))
    size = (max(2, round(pixels.shape[1] * scale)), max(2, round(pixels.shape[0] * scale)))
    how = Pictures.Resampling.BOX
    small = np.asarray(Pictures.fromarray(np.ascontiguousarray(colour)).resize(size, how))
    there = np.asarray(Pictures.fromarray(np.ascontiguousarray(alpha)).resize(size, how)) > 127
    if not there.any():
        raise GeneratorError("input 'image': the picture is fully transparent; expected one with something in it")
    return as_float(small), there


def pivot_m(front: Layer) -> float:
    """The distance around which near and far move apart by as much: the middle of the disparities."""
    low, high = np.percentile(front.disparity[front.there], (5, 95))
    return float(2 / (low + high))


def with_border(front: Layer, focal: float, pivot: float, swing_deg: float) -> Layer:
    """The picture with its rim mirrored outwards as far as it is seen from the sides; a cut-out gets none."""
    height, width = front.disparity.shape
    if not front.there.all() or swing_deg == 0:
        return front
    rim = np.concatenate([front.disparity[:, 0], front.disparity[:, -1]])
    depths = (1 / float(rim.max()), 1 / float(rim.min()))
    across = max(_reach(depth, width, focal, pivot, swing_deg) for depth in depths) - width / 2
    columns = int(np.clip(np.ceil(across) + 2, 0, width - 1))
    rows = int(np.clip(np.ceil(columns * height / width / 2), 0, height - 1))
    around = ((rows, rows), (columns, columns))
    return Layer(
        np.pad(front.colours, (*around, (0, 0)), mode="reflect"),
        np.pad(front.disparity, around, mode="edge"),
        np.pad(front.there, around, mode="edge"),
    )


def _reach(depth: float, width: int, focal: float, pivot: float, swing_deg: float) -> float:
    """How far from the middle, in the picture's own pixels, the turned camera sees at that depth; width at most."""
    sine, cosine = np.sin(np.radians(swing_deg)), np.cos(np.radians(swing_deg))
    farthest = 0.0
    for side in (-1.0, 1.0):
        slope = side * width / 2 / focal
        ahead, right = cosine + slope * sine, slope * cosine - sine
        if ahead <= 0.1:
            return float(width)
        along = (depth + pivot * (cosine - 1)) / ahead
        farthest = max(farthest, abs(pivot * sine + along * right) * focal / depth)
    return min(farthest, 1.5 * width)


def laid(layer: Layer, focal: float, limit: float, fill: float) -> Splats:
    """A splat for each pixel that is there, flat on its surface; slopes steeper than `limit` a pixel are edges."""
    height, width = layer.disparity.shape
    rows, columns = np.nonzero(layer.there)
    x = ((columns + 0.5 - width / 2) / focal).astype(np.float32)
    y = (-(rows + 0.5 - height / 2) / focal).astype(np.float32)
    disparity = layer.disparity[rows, columns]
    depth = 1 / disparity
    rays = np.stack([x, y, np.full_like(x, -1)], -1)
    slopes = (_slope(layer, 1, limit)[rows, columns], -_slope(layer, 0, limit)[rows, columns])
    sizes = np.zeros((len(rows), 6), np.float32)
    tangents = []
    for axis, slope in enumerate(slopes):
        # A step of one pixel moves the ray, and the point along the ray by -dz = slope·z².
        step = np.zeros((len(rows), 3), np.float32)
        step[:, axis] = depth / focal
        along = np.clip(slope * depth, -STEEPEST / focal, STEEPEST / focal)
        tangents.append(step - rays * (along * depth)[:, None])
    normal = np.cross(tangents[0], tangents[1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    directions = [*(np.float32(fill) * tangent for tangent in tangents)]
    directions.append(normal * (np.float32(THICKNESS) * depth / focal)[:, None])
    for d in directions:
        a, b, c = d[:, 0], d[:, 1], d[:, 2]
        sizes += np.stack([a * a, a * b, a * c, b * b, b * c, c * c], -1)
    scales, rotations = decomposed(sizes)
    return Splats(
        positions=np.ascontiguousarray(rays * depth[:, None], np.float32),
        rotations=rotations,
        scales=scales,
        opacities=np.full(len(rows), OPACITY, np.float32),
        sh=dc_from_colour(layer.colours[rows, columns])[:, None],
    )


def _slope(layer: Layer, axis: int, limit: float) -> FloatArray:
    """Change of disparity a pixel along an axis; across edges and holes that of the other side, or none."""
    step = np.diff(layer.disparity, axis=axis)
    solid = layer.there
    both = (solid[1:] & solid[:-1]) if axis == 0 else (solid[:, 1:] & solid[:, :-1])
    good = (np.abs(step) <= limit) & both
    total = np.zeros_like(layer.disparity)
    count = np.zeros_like(layer.disparity)
    for side in (slice(None, -1), slice(1, None)):
        place = (side, slice(None)) if axis == 0 else (slice(None), side)
        total[place] += np.where(good, step, 0)
        count[place] += good
    return np.asarray(total / np.maximum(count, 1), np.float32)


def view(pivot: float, shape: tuple[int, ...], focal: float, angle_deg: float, side_px: int) -> Camera:
    """The picture's camera, turned about the point ahead; its longer side has `side_px` pixels."""
    height, width = shape
    scale = side_px / max(shape)
    angle = np.radians(angle_deg)
    eye = (float(pivot * np.sin(angle)), 0.0, float(pivot * (np.cos(angle) - 1)))
    fov_y = float(np.degrees(2 * np.arctan(height / 2 / focal)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return looking_at(eye, (0.0, 0.0, -pivot), fov_y_deg=fov_y, width=size[0], height=size[1])


def _three_views(
    cloud: Splats, pivot: float, shape: tuple[int, ...], focal: float, swing_deg: float
) -> NDArray[np.uint8]:
    angles = (-swing_deg, 0.0, swing_deg)
    views = [rendered(cloud, view(pivot, shape, focal, angle, PREVIEW_PX), BACKGROUND) for angle in angles]
    return np.concatenate([codes(one) for one in views], axis=1)

"""`mesh.from_image`: a picture or a depth image as a relief, with a base plate if it is to be printed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Image, Material, Mesh
from engines.colour import as_float, as_u8, converted
from engines.geometry import smooth_normals
from engines.kinds import ColourSpace, MapName
from generators.events import Context, Event, GeneratorError, Note, Produced, Progress, Request
from generators.meshes.decimation import decimated
from generators.meshes.inputs import picture
from generators.meshes.isosurface import Surface
from generators.meshes.report import reported
from generators.meshes.specs import FromImageParams

SIDE_MAX = 700
"""Grid points along the longer side before reduction: about a million triangles."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def run(request: Request, context: Context) -> Iterator[Event]:
    """A relief that stands in the plane z = 0 and faces +Z, its middle at the origin; solid: its back lies flat behind.

    Raises `GeneratorError` when no picture is given.
    """
    params = request.params
    if not isinstance(params, FromImageParams):
        raise TypeError(f"mesh.from_image wants FromImageParams, got {type(params).__name__}")
    image = request.inputs.get("image")
    if not isinstance(image, Image):
        raise GeneratorError("no picture was given; pass one as image")
    depth = request.inputs.get("depth")
    yield Progress(0.05, "reading heights")
    if isinstance(depth, Image):
        height, told = heights_of_depth(depth, near_is_bright=params.near_is_bright)
        yield Note(told)
    else:
        height = heights_of_picture(image, params.source)
        yield Note("no depth image was given: brightness was taken for height, which is a relief and no true shape")
    context.check()
    high, wide = image.pixels.shape[:2]
    height = resampled(height, wide / high, SIDE_MAX)
    yield Progress(0.2, "raising")
    front = relief(height, params.width_m, params.height_m)
    budget = params.triangles
    surface = solid(front, height.shape, params.base_m) if params.solid else front
    context.check()
    surface = decimated(surface, budget, context.check)
    yield Progress(0.8, "examining")
    if params.solid:
        yield Note(f"for printing: {reported(surface, params.base_m, context.check).words()}")
    result = _finished(surface, image, params)
    if context.wants_previews:
        yield picture(result)
    yield Produced(result)


def heights_of_picture(image: Image, source: str) -> FloatArray:
    """Height 0..1 float32 [H, W] from brightness as the eye sees it; transparent places are low."""
    pixels = as_float(converted(image, ColourSpace.SRGB).pixels if image.pixels.shape[2] >= 3 else image.pixels)
    grey = pixels[..., :3] @ LUMINANCE if pixels.shape[2] >= 3 else pixels[..., 0]
    if source == "inverted":
        grey = 1 - grey
    if source == "smooth luminance":
        grey = softened(grey, max(1, round(max(grey.shape) / 300)))
    if pixels.shape[2] in (2, 4):
        grey = grey * pixels[..., -1]
    return stretched(grey)


def heights_of_depth(depth: Image, *, near_is_bright: bool) -> tuple[FloatArray, str]:
    """Height 0..1 from a depth image; values that are not finite or not positive (in float images) are the farthest."""
    values = as_float(depth.pixels)[..., 0].astype(np.float64)
    known = np.isfinite(values)
    if depth.pixels.dtype.kind == "f":
        known &= values > 0
    if not known.any():
        raise GeneratorError("the depth image holds no positive numbers; expected distances or heights")
    values = values if near_is_bright else -values
    values = np.where(known, values, values[known].min())
    low, high = np.percentile(values[known], (0.5, 99.5))
    return stretched(np.clip(values, low, high)), (
        f"heights come from the depth image, {'bright' if near_is_bright else 'dark'} is near; "
        "the outermost half per cent on both ends was cut off"
    )


def stretched(values: NDArray[np.floating]) -> FloatArray:
    """Values moved to span 0..1; all 0 where they do not differ."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low) if high > low else values * 0, np.float32)


def softened(values: NDArray[np.floating], rounds: int) -> FloatArray:
    """A 1-4-6-4-1 blur, `rounds` times: paper grain and noise make no good relief."""
    out = np.asarray(values, np.float32)
    for _ in range(rounds):
        for axis in (0, 1):
            padded = np.pad(out, [(2, 2) if a == axis else (0, 0) for a in range(2)], mode="edge")
            n = out.shape[axis]
            parts = [np.take(padded, range(k, k + n), axis=axis) for k in range(5)]
            out = np.asarray((parts[0] + 4 * parts[1] + 6 * parts[2] + 4 * parts[3] + parts[4]) / 16, np.float32)
    return out


def resampled(values: FloatArray, aspect: float, side: int) -> FloatArray:
    """Bilinear on a grid of that aspect with at most `side` points a side, never finer than the values themselves."""
    rows, columns = values.shape
    longest = min(side, max(rows, columns))
    wide = longest if aspect >= 1 else max(2, round(longest * aspect))
    high = longest if aspect <= 1 else max(2, round(longest / aspect))
    y, x = np.linspace(0, rows - 1, max(high, 2)), np.linspace(0, columns - 1, max(wide, 2))
    top, left = np.minimum(y.astype(int), max(rows - 2, 0)), np.minimum(x.astype(int), max(columns - 2, 0))
    low, right = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    b, a = (y - top)[:, None], (x - left)[None]
    upper = values[np.ix_(top, left)] * (1 - a) + values[np.ix_(top, right)] * a
    lower = values[np.ix_(low, left)] * (1 - a) + values[np.ix_(low, right)] * a
    return np.asarray(upper * (1 - b) + lower * b, np.float32)


def relief(height: FloatArray, width_m: float, height_m: float) -> Surface:
    """Two triangles for each cell of the grid; row 0 is at the top."""
    rows, columns = height.shape
    across, up = width_m, width_m * (rows - 1) / (columns - 1)
    y, x = np.meshgrid(np.linspace(up / 2, -up / 2, rows), np.linspace(-across / 2, across / 2, columns), indexing="ij")
    points = np.stack([x, y, height * height_m], axis=-1).reshape(-1, 3).astype(np.float32)
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    faces = np.stack([np.stack([a, b, c], axis=1), np.stack([c, b, d], axis=1)], axis=1).reshape(-1, 3)
    return Surface(points, np.ascontiguousarray(faces))


def solid(front: Surface, shape: tuple[int, ...], base_m: float) -> Surface:
    """The relief with sides and a flat back, `base_m` behind its lowest place."""
    rows, columns = shape
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    # Down the left, along the bottom, up the right, back along the top.
    rim = np.concatenate([index[:-1, 0], index[-1, :-1], index[:0:-1, -1], index[0, :0:-1]])
    back = front.positions[rim].copy()
    back[:, 2] = front.positions[:, 2].min() - base_m
    first = len(front.positions)
    n = np.arange(len(rim), dtype=np.int32)
    after = np.roll(n, -1)
    walls = [np.stack([rim[after], rim, first + n], axis=1), np.stack([rim[after], first + n, first + after], axis=1)]
    middle = np.array([[0.0, 0.0, back[0, 2]]], np.float32)
    fan = np.stack([first + after, first + n, np.full(len(n), first + len(n))], axis=1)
    faces = np.concatenate([front.faces, *walls, fan]).astype(np.int32)
    return Surface(np.concatenate([front.positions, back, middle]).astype(np.float32), faces)


def _finished(surface: Surface, image: Image, params: FromImageParams) -> Mesh:
    """Picture coordinates straight from x and y, so that the picture lies on the relief as it was."""
    points = surface.positions
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    uvs = np.ascontiguousarray((points[:, :2] - low) / np.maximum(high - low, 1e-12), np.float32)
    material = None
    if params.textured:
        shown = converted(image, ColourSpace.SRGB) if image.pixels.shape[2] >= 3 else image
        pixels = as_u8(shown.pixels)
        pixels = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
        base = Image(np.ascontiguousarray(pixels), ColourSpace.SRGB, "base colour")
        rough = Image(np.full((*pixels.shape[:2], 1), 217, np.uint8), ColourSpace.DATA)
        material = Material({MapName.BASE_COLOR: base, MapName.ROUGHNESS: rough}, tileable=False, name=image.name)
    name = f"{image.name} relief" if image.name else "relief"
    normals = smooth_normals(points, surface.faces)
    return Mesh(points, surface.faces.astype(np.uint32), normals=normals, uvs=uvs, material=material, name=name)

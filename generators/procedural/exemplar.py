"""`material.from_exemplar`: a photograph or material grown into a larger seamless material by torus quilting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engines.assets import Array, Asset, FloatArray, Image, Material
from engines.kinds import ColourSpace, MapName
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.procedural.lattice_noise import Check, sample_periodic
from generators.procedural.quilting import composed, planned
from generators.procedural.shading import flattened, reduced, triangle_filter
from generators.procedural.small_specs import ExemplarParams
from generators.procedural.surface_estimate import (
    height_from_colour,
    normals_from_height,
    occlusion_from_height,
    roughness_from_colour,
)
from generators.procedural.surface_sampling import linear_from_srgb, srgb_from_linear

COARSE_PX = 112
"""Longest side of the exemplar on which pieces are chosen."""
SMALLEST_PX = 32
ESTIMATED = (
    "Height, normal, roughness and occlusion are estimated from the picture's lightness, not measured: light is "
    "taken as high. Pale mortar between dark bricks comes out too high; “Light is low” turns that round. Roughness "
    "is a guess about its slider, and metallic is 0 everywhere."
)
WEIGHTS = {MapName.BASE_COLOR: 1.0, MapName.HEIGHT: 1.2, MapName.NORMAL: 0.5, MapName.ROUGHNESS: 0.5}
"""What counts when pieces are compared; other maps follow."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one tileable material of `size_px`; every map of the exemplar is cut along the same lines."""
    params = request.params
    if not isinstance(params, ExemplarParams):
        raise TypeError(f"material.from_exemplar wants ExemplarParams, got {type(params).__name__}")
    exemplar = request.inputs["exemplar"]
    planes, source = unpacked(exemplar)
    wanted = params.size_px / params.coverage
    high, wide = next(iter(planes.values())).shape[:2]
    if min(high, wide) < SMALLEST_PX:
        raise GeneratorError(
            f"material.from_exemplar: the exemplar is {wide}×{high} px; expected at least {SMALLEST_PX} px on each side"
        )
    if wanted > 1.05 * max(high, wide):
        yield Note(
            f"The exemplar of {wide}×{high} px was enlarged {wanted / max(high, wide):.1f} times for this size and "
            "coverage; a greater coverage or a smaller size keeps it sharp."
        )
    if isinstance(exemplar, Image):
        if exemplar.pixels.shape[2] in (2, 4):
            yield Note("The picture's transparency was ignored.")
        planes = {MapName.BASE_COLOR: _flat(planes[MapName.BASE_COLOR], params.flatten, wanted, context.check)}
    scale = max(1, round(wanted / COARSE_PX))
    planes = {name: _fitted(plane, wanted, scale, context.check) for name, plane in planes.items()}
    yield Progress(0.15, "choosing pieces")
    quilted = _quilted(planes, params, scale, np.random.default_rng(request.seed), context.check)
    yield Progress(0.75, "maps")
    if context.wants_previews:
        step = max(1, params.size_px // 256)
        yield Preview(_bytes(quilted[MapName.BASE_COLOR][::step, ::step]))
    if source is None:
        yield Note(ESTIMATED)
        yield Produced(estimated_material(quilted[MapName.BASE_COLOR], params, context.check))
    else:
        yield Produced(_repacked(quilted, source, params))


def unpacked(exemplar: Asset) -> tuple[dict[MapName, FloatArray], Material | None]:
    """Maps as float32 [H, W, C] 0..1 (colours stay display-referred), and the material if it was one."""
    if isinstance(exemplar, Image):
        return {MapName.BASE_COLOR: _display_colour(exemplar)}, None
    if not isinstance(exemplar, Material) or MapName.BASE_COLOR not in exemplar.maps:
        raise GeneratorError(
            "material.from_exemplar: expected an image or a material with a base colour, got "
            + type(exemplar).__name__.lower()
        )
    return {name: _unit(image.pixels) for name, image in exemplar.maps.items()}, exemplar


def _unit(pixels: Array) -> FloatArray:
    scale = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return np.asarray(pixels / np.float32(scale), np.float32)


def _display_colour(image: Image) -> FloatArray:
    """Three display-referred channels 0..1 of any picture."""
    values = np.clip(_unit(image.pixels), 0, 1)
    values = values[..., :3] if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)
    return srgb_from_linear(values) if image.colour_space is ColourSpace.LINEAR else np.ascontiguousarray(values)


def _flat(colour: FloatArray, amount: float, wanted: float, check: Check) -> FloatArray:
    """Colour with its broad shading and casts removed, first reduced to no more than twice the size that is needed."""
    factor = max(1, int(max(colour.shape[:2]) / (2 * wanted)))
    colour = reduced(colour, factor)
    check()
    return srgb_from_linear(np.clip(flattened(linear_from_srgb(colour), amount, check), 0, 1)) if amount else colour


def _fitted(plane: FloatArray, wanted: float, scale: int, check: Check) -> FloatArray:
    """A map whose longest side is about `wanted` and whose sides are multiples of `scale`."""
    plane = reduced(plane, max(1, int(max(plane.shape[:2]) / wanted / 1.5)))
    ratio = wanted / max(plane.shape[:2])
    for axis in (0, 1):
        check()
        size = max(scale, round(plane.shape[axis] * ratio / scale) * scale)
        plane = np.moveaxis(np.tensordot(triangle_filter(plane.shape[axis], size), plane, (1, axis)), 0, axis)
    return np.ascontiguousarray(plane, np.float32)


def _quilted(
    planes: Mapping[MapName, FloatArray], params: ExemplarParams, scale: int, rng: np.random.Generator, check: Check
) -> dict[MapName, FloatArray]:
    """All maps quilted along the same cuts, each float32 [size, size, C]."""
    coarse = []
    for name, plane in planes.items():
        if name in WEIGHTS:
            small = reduced(plane, scale)
            coarse.append(small * (WEIGHTS[name] / max(float(small.std()), 0.02)))
    judged = np.concatenate(coarse, -1)
    size = -(-params.size_px // scale)
    side = max(8, round(params.patch * max(judged.shape[:2])))
    plan = planned(judged, size, min(side, min(judged.shape[:2])), params.variety, rng, check)
    stacked = np.concatenate(list(planes.values()), -1)
    whole = composed(plan, stacked, scale, check)
    if len(whole) != params.size_px:
        whole = _resized(whole, params.size_px, check)
    out, first = {}, 0
    for name, plane in planes.items():
        out[name] = whole[..., first : first + plane.shape[2]]
        first += plane.shape[2]
    return out


def _resized(whole: FloatArray, size: int, check: Check) -> FloatArray:
    """A torus brought to another size, a strip at a time."""
    at = np.arange(size) * (len(whole) / size)
    out = np.empty((size, size, whole.shape[2]), np.float32)
    for top in range(0, size, 64):
        check()
        y, x = np.meshgrid(at[top : top + 64], at, indexing="ij")
        out[top : top + 64] = sample_periodic(whole, y, x)
    return out


def estimated_material(colour: FloatArray, params: ExemplarParams, check: Check) -> Material:
    """The full set of maps for seamless display-referred colour [N, N, 3]."""
    height_m = 0.012 * params.tile_m * params.height_strength
    height = height_from_colour(colour, params.invert_height, check)
    check()
    normal = normals_from_height(height, height_m, params.tile_m)
    check()
    occlusion = occlusion_from_height(height, height_m, params.tile_m, check)
    roughness = roughness_from_colour(colour, params.roughness)
    check()
    data = ColourSpace.DATA
    return Material(
        maps={
            MapName.BASE_COLOR: Image(_bytes(colour), ColourSpace.SRGB),
            MapName.NORMAL: Image(_bytes(normal), data),
            MapName.HEIGHT: Image((height[..., None] * 65535 + 0.5).astype(np.uint16), data),
            MapName.ROUGHNESS: Image(_bytes(roughness[..., None]), data),
            MapName.METALLIC: Image(np.zeros((*height.shape, 1), np.uint8), data),
            MapName.OCCLUSION: Image(_bytes(occlusion[..., None]), data),
        },
        tile_m=params.tile_m,
        height_m=max(height_m, 1e-6),
        name="from picture",
    )


def _repacked(quilted: Mapping[MapName, FloatArray], source: Material, params: ExemplarParams) -> Material:
    """The quilted maps in the sample types of the source, normals of unit length again."""
    maps = {}
    for name, values in quilted.items():
        image = source.maps[name]
        if name is MapName.NORMAL:
            vector = values * 2 - 1
            values = vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-6) * 0.5 + 0.5
        dtype = image.pixels.dtype
        if dtype.kind == "u":
            top = np.iinfo(dtype).max
            pixels = (np.clip(values, 0, 1) * top + 0.5).astype(dtype)
        else:
            pixels = values.astype(dtype)
        maps[name] = Image(pixels, image.colour_space)
    return Material(
        maps=maps,
        tile_m=source.tile_m * params.coverage,
        height_m=source.height_m,
        ior=source.ior,
        name=f"{source.name} grown".strip(),
    )


def _bytes(values: Array) -> Array:
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)

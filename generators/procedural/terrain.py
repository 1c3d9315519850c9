"""`mesh.terrain`: a heightfield grown by uplift, rivers and rockfall from coarse to fine, with a baked material."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import Array, Material, Mesh
from generators.events import Context, Event, Preview, Produced, Progress, Request
from generators.procedural.erosion import Rivers, drained, enlarged, flow_step, gathered, receivers, slide
from generators.procedural.ground_cover import hillshade, relief_m, terrain_material
from generators.procedural.lattice_noise import fbm, ridge
from generators.procedural.small_specs import TerrainParams

ASPECT = 0.28
"""Height over side at which the land evolves; the result is stretched to the wanted height."""
SEA_LEVEL = 0.09
"""Share of an island's height that lies under the sea, which is drawn flat."""
UPLIFT = {"mountains": 0.07, "hills": 0.04, "island": 0.06}
"""Rise per step on a grid of 64, in cell widths."""
EARLY_SHARE = {"mountains": 0.5, "hills": 0.5, "island": 0.5}
"""How much of the form is there before the rivers."""
SETTLING = {"island": 0.4, "hills": 0.22}
"""Share of the carried earth that is laid down again: more fills valleys flat, which hills are not."""
CREEP = {"hills": 0.06}
ROCK_CREEP = 0.03
"""Hillslope diffusion per step: rounds ridges a little, as soil creep does, and soft hills much."""
SAND_DEG = 33.0
"""Angle of repose of dry sand, at which the lee sides of dunes stand."""
STEPS = {64: 90, 128: 60, 256: 32, 512: 14, 1024: 6}
"""Steps of erosion by grid: coarse grids carve the valleys, fine ones only add gullies."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield one mesh of grid² vertices, centred on the y axis, lowest point at y = 0, with uvs over 0..1."""
    params = request.params
    if not isinstance(params, TerrainParams):
        raise TypeError(f"mesh.terrain wants TerrainParams, got {type(params).__name__}")
    rng = np.random.default_rng(request.seed)
    sizes = _levels(params.grid)
    height = raw_form(params, sizes[0], request.seed, context)
    uplift_form = height.copy()
    if params.erosion:
        # Low land rises while rivers cut it: a relief that starts high keeps its closed basins, which silt up flat.
        height = drained(height * EARLY_SHARE.get(params.form, 1.0), check=context.check)
    for number, size in enumerate(sizes):
        height = _refined(height, size, params, rng)
        height = _evolved(height, enlarged(uplift_form, size), params, rng, context)
        yield Progress(0.75 * (number + 1) / len(sizes), f"eroding at {size}")
        if context.wants_previews:
            yield Preview(hillshade(enlarged(height / (size - 1), 256) * 255, params))
    if params.form == "island":
        height = np.maximum(height - SEA_LEVEL * height.max(), 0)
    context.check()
    flow = np.log(gathered(receivers(height)[0], np.ones(height.size))[0]).reshape(height.shape)
    height = (height - height.min()) * (relief_m(params) / max(float(height.max() - height.min()), 1e-9))
    yield Progress(0.8, "baking")
    material = terrain_material(height, flow, params, request.seed, context)
    yield Produced(_mesh(height, params, material))


def _levels(grid: int) -> list[int]:
    """Grid sizes from coarse to the wanted one, each at most twice the one before."""
    sizes = [grid]
    while sizes[0] > 96:
        sizes.insert(0, (sizes[0] + 1) // 2)
    return sizes


def raw_form(params: TerrainParams, size: int, seed: int, context: Context) -> Array:
    """The land before it weathers, in cell widths [size, size], from 0 at the border upwards."""
    rng = np.random.default_rng((seed, 1))
    # Noise is made on a larger torus and cut out, or else opposite borders would match.
    torus = size + size // 3
    count = max(1, round(3 / params.feature_scale))

    def noise(frequency: int, octaves: int, fold: bool = False) -> Array:
        return fbm(torus, frequency, octaves, 0.5, rng, ridge if fold else None, context.check)[:size, :size]

    at = np.linspace(-1, 1, size)
    y, x = np.meshgrid(at, at, indexing="ij")
    border = np.clip((1 - np.maximum(np.abs(x), np.abs(y))) / 0.3, 0, 1)
    border = border * border * (3 - 2 * border)
    broad, folded = noise(count, 6), noise(count + 1, 6, True)
    match params.form:
        case "mountains":
            shape = (0.45 + 0.9 * broad + 0.35 * folded) * border
        case "hills":
            shape = (0.55 + 0.45 * np.tanh(2.5 * noise(count + 2, 3))) * (0.35 + 0.65 * border)
        case "canyons":
            mesa = np.tanh((0.35 + broad) * 5) * 0.5 + 0.5
            shape = (0.55 * mesa + 0.35 + 0.12 * folded) * border**0.35
        case "island":
            radius = np.hypot(x, y) * (1 + 0.5 * broad)
            shape = np.clip(1 - radius / 0.85, 0, 1) ** 0.9 * (0.75 + 0.45 * folded)
        case "dunes":
            # Wind from -x: long windward slopes, short slip faces; crests bend, fork and change in height.
            shape = 0.1 + 0.25 * noise(count, 2)
            for scale, share in ((4.0, 1.0), (9.0, 0.28)):
                wind = (x * scale + y * scale * 0.2) / params.feature_scale + 1.5 * noise(count, 3) + 10
                t = wind - np.floor(wind)
                rise = np.sin(np.pi / 2 * t / 0.72) ** 2 * (t < 0.72) + (t >= 0.72) * (1 - (t - 0.72) / 0.28)
                shape = shape + share * rise * np.clip(0.65 + 0.9 * noise(count + 2, 2), 0.15, 1.2)
    shape = np.maximum(shape, 0)
    scaled: Array = shape / max(float(shape.max()), 1e-9) * ASPECT * (size - 1)
    return scaled


def _refined(height: Array, size: int, params: TerrainParams, rng: np.random.Generator) -> Array:
    """The land on a finer grid, in its cell widths, with roughness where it is steep."""
    if len(height) == size:
        return height
    finer = enlarged(height, size) * ((size - 1) / (len(height) - 1))
    gy, gx = np.gradient(finer)
    rough = 0.02 if params.form in ("dunes", "hills") else 0.3
    finer += rough * np.hypot(gy, gx) * rng.standard_normal((size, size))
    return finer


def _evolved(height: Array, form: Array, params: TerrainParams, rng: np.random.Generator, context: Context) -> Array:
    """Rivers and slides at one grid size."""
    size = len(height)
    nearest = min(STEPS, key=lambda known: abs(known - size))
    talus_deg = SAND_DEG if params.form == "dunes" else params.talus_deg
    talus = float(np.tan(np.radians(talus_deg))) * ASPECT / (relief_m(params) / params.size_m)
    if params.erosion and params.form != "dunes":
        hardness = np.exp(0.5 * enlarged(rng.standard_normal((9, 9)), size))
        floor = 0.0 if params.form == "island" else 0.25
        uplift = floor + (1 - floor) * form / max(float(form.max()), 1e-9)
        strength = 0.15 * params.erosion**1.5
        rivers = Rivers(
            cutting=strength,
            settling=SETTLING.get(params.form, 1.1) * params.deposition,
            uplift=UPLIFT.get(params.form, 0.0) * size / 64,
        )
        if params.form == "canyons":
            # Hard caps over soft rock: layers resist, the cliffs between them give way.
            layer = np.sin(height / (ASPECT * (size - 1)) * 2 * np.pi * 7)
            hardness = hardness * np.exp(0.9 * layer)
        for _ in range(STEPS[nearest]):
            height = flow_step(height, rivers, hardness, uplift, rng, context.check)
            height = slide(height, talus, 1)
            height[1:-1, 1:-1] += CREEP.get(params.form, ROCK_CREEP) * curvature(height)
    height = slide(height, talus, 36 if params.form == "dunes" else 12, context.check)
    return terraced(height, size) if params.form == "canyons" and size == params.grid else height


def curvature(height: Array) -> Array:
    """Laplacian inside the border, [N - 2, N - 2]."""
    inner: Array = height[:-2, 1:-1] + height[2:, 1:-1] + height[1:-1, :-2] + height[1:-1, 2:] - 4 * height[1:-1, 1:-1]
    return inner


def terraced(height: Array, size: int) -> Array:
    """Layers of hard and soft rock as in mesas: seven treads with steep risers between."""
    layer = height / (ASPECT * (size - 1)) * 7
    floor = np.floor(layer)
    part = np.clip((layer - floor - 0.35) / 0.4, 0, 1)
    stepped: Array = (floor + 0.25 * (layer - floor) + 0.75 * part * part * (3 - 2 * part)) / 7 * ASPECT * (size - 1)
    return stepped


def _mesh(height: Array, params: TerrainParams, material: Material) -> Mesh:
    """Two triangles a cell, normals from central differences; row 0 is far (-z) and at v = 1."""
    size = len(height)
    step = params.size_m / (size - 1)
    at = np.linspace(-params.size_m / 2, params.size_m / 2, size)
    z, x = np.meshgrid(at, at, indexing="ij")
    gz, gx = np.gradient(height, step)
    normals = np.stack((-gx, np.ones_like(gx), -gz), -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    share = np.linspace(0, 1, size)
    v, u = np.meshgrid(1 - share, share, indexing="ij")
    index = np.arange(size * size, dtype=np.uint32).reshape(size, size)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    faces = np.stack((np.stack((a, b, c), -1), np.stack((c, b, d), -1)), 1).reshape(-1, 3)
    return Mesh(
        positions=np.stack((x, height, z), -1).reshape(-1, 3).astype(np.float32),
        faces=np.ascontiguousarray(faces),
        normals=normals.reshape(-1, 3).astype(np.float32),
        uvs=np.stack((u, v), -1).reshape(-1, 2).astype(np.float32),
        material=material,
        name=f"{params.form} terrain",
    )

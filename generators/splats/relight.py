"""`splats.relight`: shade a cloud anew by one far lamp, from the surfaces its splats lie on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.colour import linear_from_srgb, srgb_from_linear
from generators.events import Context, Event, Note, Preview, Produced, Progress, Request
from generators.splats.clouds import cloud_from, extent
from generators.splats.grading import recoloured
from generators.splats.params import RelightParams
from generators.splats.pictures import before_after
from generators.splats.surfaces import Surface, evened, lit_shares, surface_of
from generators.splats.visibility import around

HONEST = (
    "normals are estimated from the shapes and places of the splats, and the new light is laid over the colours as "
    "they are: shadows and highlights that were captured stay in them"
)

TURNED_AWAY = 0.15
"""By how much more of a cloud turns away from the lamp than faces it, before it is told; a closed thing is at 0."""


def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield the cloud in its new light."""
    params = request.params
    if not isinstance(params, RelightParams):
        raise TypeError(f"splats.relight wants RelightParams, got {type(params).__name__}")
    cloud = cloud_from(request)
    yield Progress(0.05, "finding surfaces")
    surface = surface_of(cloud, around(cloud), context.check)
    yield Progress(0.7, "casting shadows")
    towards = lamp_direction(params.azimuth_deg, params.elevation_deg)
    lit = np.ones(len(cloud.positions), np.float32)
    if params.shadows > 0 and params.light > 0:
        reached = lit_shares(cloud, extent(cloud), towards, params.wrap, context.check)
        lit = 1 - np.float32(params.shadows) * (1 - evened(reached, surface.near))
    yield Progress(0.85, "shading")
    light = shade(surface, lit, towards, params)

    def change(colours: FloatArray, rows: slice) -> FloatArray:
        return srgb_from_linear(linear_from_srgb(colours) * light[rows])

    result = recoloured(cloud, change, context.check)
    yield Note(HONEST)
    if params.light > 0 and (warning := behind(cloud, surface, towards)):
        yield Note(warning)
    if context.wants_previews:
        yield Preview(before_after(cloud, result))
    yield Produced(result)


def lamp_direction(azimuth_deg: float, elevation_deg: float) -> NDArray[np.float64]:
    """Unit direction towards the lamp: azimuth 0 in front (+Z), 90 right (+X); elevation 90 overhead."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def behind(cloud: Splats, surface: Surface, towards: NDArray[np.float64]) -> str:
    """What to do where the lamp lies behind what was captured; empty where it does not."""
    sizes = np.sort(cloud.scales, axis=1)[:, 1:].prod(axis=1)
    weight = np.minimum(sizes, np.quantile(sizes, 0.99)) * cloud.opacities * surface.sided
    facing = surface.normals.astype(np.float64).T @ weight
    there = float(weight @ np.abs(surface.normals @ towards))
    if float(facing @ towards) >= -TURNED_AWAY * there:
        return ""
    azimuth = round(float(np.degrees(np.arctan2(facing[0], facing[2]))))
    elevation = round(float(np.degrees(np.arctan2(facing[1], np.hypot(facing[0], facing[2])))))
    return (
        "the lamp lies behind what was captured: most surfaces turn away from it, and what it reaches is blotchy; "
        f"most face azimuth {azimuth}°, elevation {elevation}°: bring the lamp nearer to there, or raise ambient"
    )


def shade(surface: Surface, lit: FloatArray, towards: NDArray[np.float64], params: RelightParams) -> FloatArray:
    """Factors float32 [N, 3] on linear light: ambient and a Lambert term that creeps around edges by `wrap`.

    Where both sides of a thin surface are seen, light on either counts, as it would on a sheet of paper.
    """
    cosine = surface.normals @ towards.astype(np.float32)
    wrap = np.float32(params.wrap)
    one_side = np.maximum((cosine + wrap) / (1 + wrap), 0)
    either = np.maximum((np.abs(cosine) + wrap) / (1 + wrap), 0)
    lambert = surface.sided * one_side + (1 - surface.sided) * either
    colour = np.array([int(params.colour[at : at + 2], 16) for at in (1, 3, 5)], np.float32) / np.float32(255)
    lamp = linear_from_srgb(colour) * np.float32(params.light)
    return np.asarray(np.float32(params.ambient) + (lambert * lit)[:, None] * lamp, np.float32)

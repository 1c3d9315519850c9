"""Make a seamless PBR material from words and numbers: draft first, then the maps."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.assets import Image, Material
from engines.kinds import ColourSpace, MapName
from generators.events import Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.procedural import modifiers
from generators.procedural.canvas import Canvas
from generators.procedural.draft import lit
from generators.procedural.family_table import BY_NAME
from generators.procedural.lexicon import EFFECTS
from generators.procedural.material_spec import ProceduralMaterialParams
from generators.procedural.palette import NAMED, Rgb, linear_from_name
from generators.procedural.prompt import Reading, colour_named, read
from generators.procedural.surface import Look, Surface, clip_albedo, normals, occlusion, srgb_from_linear

DRAFT_PX = 256
ROUGHNESS_MIN = 0.02
TITLE_CHARACTERS = 80
"""Of a long prompt, so much is the material's name."""


@dataclass(frozen=True)
class Plan:
    """A request settled: family, look, effects by name; `scale` is of features, `tile_m` of the tile."""

    family: str
    look: Look
    effects: dict[str, float]
    scale: float
    tile_m: float
    relief: float
    notes: tuple[str, ...]


def plan(params: ProceduralMaterialParams) -> Plan:
    """Settle the words and the numbers; an explicit number wins over the prompt.

    Raises GeneratorError when a colour's name is not known.
    """
    reading = read(params.prompt) if params.prompt.strip() or params.family == "auto" else Reading()
    family = params.family if params.family != "auto" else reading.family
    row = BY_NAME[family]
    effects = dict(reading.effects)
    for name in EFFECTS:
        value = getattr(params, name, None)
        if name == "roughness":
            effects[name] = min(1.0, max(-1.0, effects.get(name, 0.0) + params.roughness))
        elif value is not None:
            effects[name] = value
    notes = [note for note in reading.notes if params.family == "auto" or "made" not in note]
    scale = params.feature_scale if params.feature_scale is not None else min(4.0, max(0.25, reading.scale))
    colour = _colour(params.colour or reading.colour, row.metal)
    metal = linear_from_name(reading.metal, metal=True) if reading.metal else None
    if effects.get("paint", 0.0) > 0.0 and family != "painted_metal":
        look = Look(metal_colour=metal)
        effects_colour = colour
    else:
        look, effects_colour = Look(colour=colour, metal_colour=metal), None
        if family == "painted_metal":
            effects.pop("paint", None)
    return Plan(
        family,
        Look(look.colour, look.metal_colour, effects_colour),
        effects,
        scale,
        params.tile_m if params.tile_m is not None else row.tile_m,
        params.relief,
        tuple(notes),
    )


def _colour(word: str | None, metal: bool) -> Rgb | None:
    if not word:
        return None
    colour = linear_from_name(colour_named(word), metal)
    if colour is None:
        near = difflib.get_close_matches(word.lower(), NAMED, n=1)
        meant = f"did you mean {near[0]}? Else " if near else ""
        raise GeneratorError(f"there is no colour {word!r} here; {meant}give a common name or a code such as #8a3b22")
    return colour


def build(settled: Plan, size_px: int, seed: int, device: str, check: Callable[[], None]) -> Surface:
    """Draw the family and apply what happened to it; one surface of `size_px`², heights in design metres."""
    row = BY_NAME[settled.family]
    density = settled.tile_m / (row.tile_m * settled.scale)
    canvas = Canvas(size_px, seed, row.tile_m * density, density, device, check)
    module, function = row.function.split(":")
    surface: Surface = getattr(importlib.import_module(module), function)(canvas, settled.look)
    for name, modifier in modifiers.APPLY:
        amount = settled.effects.get(name, 0.0)
        if amount == 0.0:
            continue
        check()
        if name == "paint":
            chipping = min(1.0, 0.22 + 0.6 * settled.effects.get("wear", 0.0))
            modifier = modifiers.paint_over(settled.look.coat, chipping)
        modifier(surface, amount)
    if settled.relief != 1.0:
        surface.height = surface.height * settled.relief
    clip_albedo(surface)
    surface.roughness = surface.roughness.clamp(ROUGHNESS_MIN, 1.0)
    if surface.metallic is not None:
        surface.metallic = surface.metallic.clamp(0.0, 1.0)
    return surface


@torch.inference_mode()
def run(request: Request, context: Context) -> Iterator[Event]:
    """Yield a lit draft within a tenth of a second, then progress, notes and the finished material."""
    params = request.params
    if not isinstance(params, ProceduralMaterialParams):
        raise GeneratorError(f"expected ProceduralMaterialParams, got {type(params).__name__}")
    settled = plan(params)
    for sentence in settled.notes:
        yield Note(sentence)
    if context.wants_previews:
        yield Progress(0.02, "draft")
        draft = build(settled, DRAFT_PX, request.seed, context.device, context.check)
        yield Preview(lit(draft))
        del draft
    yield Progress(0.1, "surface")
    surface = build(settled, params.size_px, request.seed, context.device, context.check)
    yield Progress(0.65, "maps")
    maps: dict[MapName, Image] = {}
    for name, image in _maps(surface):
        context.check()
        maps[name] = image
        yield Progress(0.65 + 0.04 * len(maps), name.value)
    low, high = (float(extreme) for extreme in torch.aminmax(surface.height))
    height_m = max(high - low, 1e-6) * settled.scale
    title = " ".join(params.prompt.split())[:TITLE_CHARACTERS].rstrip() or BY_NAME[settled.family].title
    yield Produced(
        Material(maps=maps, tile_m=settled.tile_m, height_m=height_m, tileable=True, ior=surface.ior, name=title)
    )


def _maps(surface: Surface) -> Iterator[tuple[MapName, Image]]:
    """Read the maps off one after the other, so that only one is in the making at a time."""
    yield MapName.BASE_COLOR, _colour_image(surface.colour, "base colour")
    yield MapName.NORMAL, Image(_bytes(normals(surface).mul_(0.5).add_(0.5)), ColourSpace.DATA, "normal")
    low, high = torch.aminmax(surface.height)
    level = (surface.height - low) / (high - low).clamp(min=1e-9)
    steps = (level * 65535.0 + 0.5).to(torch.int32).cpu().numpy().astype(np.uint16)
    yield MapName.HEIGHT, Image(steps[:, :, None], ColourSpace.DATA, "height")
    metallic = surface.metallic if surface.metallic is not None else torch.zeros_like(surface.height)
    yield MapName.ROUGHNESS, Image(_bytes(surface.roughness[None]), ColourSpace.DATA, "roughness")
    yield MapName.METALLIC, Image(_bytes(metallic[None]), ColourSpace.DATA, "metallic")
    yield MapName.OCCLUSION, Image(_bytes(occlusion(surface)[None]), ColourSpace.DATA, "occlusion")
    if surface.emission is not None:
        yield MapName.EMISSION, _colour_image(surface.emission.clamp(0.0, 1.0), "emission")
    if surface.opacity is not None:
        yield MapName.OPACITY, Image(_bytes(surface.opacity[None]), ColourSpace.DATA, "opacity")


def _colour_image(linear: Tensor, name: str) -> Image:
    return Image(_bytes(torch.stack([srgb_from_linear(channel) for channel in linear])), ColourSpace.SRGB, name)


def _bytes(planes: Tensor) -> np.ndarray:
    """Round float [C, n, n] in 0..1 to uint8 [n, n, C]."""
    whole = (planes * 255.0 + 0.5).clamp_(0.0, 255.0).to(torch.uint8)
    return whole.permute(1, 2, 0).contiguous().cpu().numpy()

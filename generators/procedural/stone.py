"""Stone for meshes: the words that ask the procedural material generator for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engines.assets import Material
from generators.events import Context, GeneratorError, Produced, Request


@dataclass(frozen=True)
class Stone:
    """One stone: the prompt that makes it, the side of its tile, and its mean colour (linear) for quick pictures."""

    prompt: str
    tile_m: float
    preview: tuple[float, float, float]


STONES = {
    "granite": Stone("very rough weathered grey granite", 0.42, (0.36, 0.34, 0.32)),
    "sandstone": Stone("warm sandstone", 1.0, (0.52, 0.36, 0.22)),
    "basalt": Stone("dark rough basalt stone", 0.9, (0.09, 0.09, 0.10)),
    "limestone": Stone("very rough beige sandstone, muted", 1.2, (0.58, 0.54, 0.45)),
    "mossy": Stone("very rough weathered mossy grey granite", 0.42, (0.28, 0.32, 0.20)),
}


def stone_material(stone: str, size_px: int, seed: int, context: Context) -> Material:
    """Seamless material of a stone, made by `material.procedural` itself."""
    from generators.procedural import material, material_spec

    params = material_spec.ProceduralMaterialParams(prompt=STONES[stone].prompt, size_px=size_px)
    for event in material.run(Request(params, seed), context):
        if isinstance(event, Produced) and isinstance(event.asset, Material):
            return replace(event.asset, tile_m=STONES[stone].tile_m)
    raise GeneratorError(f"material.procedural gave no material for {STONES[stone].prompt!r}")

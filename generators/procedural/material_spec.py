"""The declaration of `material.procedural`: its parameters with their bounds, and nothing that computes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.procedural.family_table import FAMILIES
from generators.spec import GeneratorSpec, Needs, Params

FamilyName = Literal[
    "auto",
    "bricks", "cobblestone", "flagstone", "stone_wall", "paving", "hexagons", "ceramic_tiles", "subway_tiles",
    "terracotta_tiles", "mosaic", "roof_shingles", "terrazzo", "marble", "granite", "sandstone", "limestone", "slate",
    "rock", "concrete", "plaster", "asphalt", "planks", "oak", "parquet", "bark", "wicker", "cork", "gravel",
    "pebbles", "sand", "soil", "mud", "grass", "moss", "forest_floor", "snow", "ice", "lava", "water",
    "brushed_metal", "diamond_plate", "rust", "copper_patina", "gold", "painted_metal", "hammered_metal",
    "corrugated_metal", "leather", "linen", "denim", "carpet", "knit", "fur", "scales", "paper", "cardboard",
    "scifi_panels", "rubber", "plastic",
]  # fmt: skip


def _amount(title: str, description: str) -> Meta:
    return Meta(
        ge=0.0,
        le=1.0,
        title=title,
        description=f"{description} Empty: as the prompt says.",
        extra_json_schema={"unit": "", "ui": "slider", "step": 0.05, "advanced": True},
    )


class ProceduralMaterialParams(Params):
    """What a procedural material is made from; every number left empty is taken from the prompt."""

    prompt: Annotated[
        str,
        Meta(
            max_length=2000,
            title="Prompt",
            description="What you want to see: a material, adjectives, a colour, as in “wet mossy red bricks”.",
            extra_json_schema={
                "ui": "text",
                "suggestions": [
                    "wet mossy red bricks",
                    "rusty blue painted metal, scratched",
                    "old cracked white plaster",
                    "snowy cobblestone",
                    "dark polished oak planks",
                    "golden hammered metal",
                    "muddy forest floor",
                ],
            },
        ),
    ] = ""
    family: Annotated[
        FamilyName,
        Meta(
            title="Family",
            description="The kind of material; “auto” takes it from the prompt.",
            extra_json_schema={"titles": {family.name: family.title for family in FAMILIES}},
        ),
    ] = "auto"
    size_px: Annotated[
        int,
        Meta(
            ge=256,
            le=8192,
            multiple_of=256,
            title="Size",
            description="Side of every map in pixels.",
            extra_json_schema={"unit": "px", "suggestions": [512, 1024, 2048, 4096, 8192]},
        ),
    ] = 1024
    tile_m: (
        Annotated[
            float,
            Meta(
                ge=0.05,
                le=20.0,
                title="Tile size",
                description="Side of one tile in the scene; a larger tile holds more bricks. Empty: the family's own.",
                extra_json_schema={"unit": "m", "step": 0.05},
            ),
        ]
        | None
    ) = None
    feature_scale: (
        Annotated[
            float,
            Meta(
                ge=0.25,
                le=4.0,
                title="Feature size",
                description="How large the features are beside their natural size. Empty: as the prompt says, else 1.",
                extra_json_schema={"unit": "", "ui": "slider", "step": 0.05},
            ),
        ]
        | None
    ) = None
    colour: Annotated[
        str,
        Meta(
            pattern=r"^(#[0-9a-fA-F]{6}|#[0-9a-fA-F]{3}|[a-zA-Z ]{0,24})$",
            title="Colour",
            description="A colour's name or a code such as #8a3b22. Empty: as the prompt says, else the family's own.",
            extra_json_schema={"ui": "colour"},
        ),
    ] = ""
    roughness: Annotated[
        float,
        Meta(
            ge=-1.0,
            le=1.0,
            title="Roughness",
            description="Makes everything rougher (above 0) or glossier (below 0).",
            extra_json_schema={"unit": "", "ui": "slider", "step": 0.05},
        ),
    ] = 0.0
    relief: Annotated[
        float,
        Meta(
            ge=0.0,
            le=4.0,
            title="Relief",
            description="How deep the surface is beside its natural depth.",
            extra_json_schema={"unit": "", "ui": "slider", "step": 0.05},
        ),
    ] = 1.0
    wetness: Annotated[float, _amount("Wetness", "Water that darkens, smooths and stands in hollows.")] | None = None
    moss: Annotated[float, _amount("Moss", "Moss growing from joints and hollows.")] | None = None
    dust: Annotated[float, _amount("Dust", "Dry dust on everything, thickest in hollows.")] | None = None
    dirt: Annotated[float, _amount("Dirt", "Grime in hollows and dark stains.")] | None = None
    wear: Annotated[float, _amount("Wear", "Edges rubbed, colour faded, corners chipped.")] | None = None
    cracks: Annotated[float, _amount("Cracks", "Cracks running over everything.")] | None = None
    rust: Annotated[float, _amount("Rust", "Rust breaking through and running down.")] | None = None
    scratches: Annotated[float, _amount("Scratches", "Fine scratches.")] | None = None
    snow: Annotated[float, _amount("Snow", "Snow lying on high and level places.")] | None = None
    burn: Annotated[float, _amount("Burn", "Charring and soot.")] | None = None
    polish: Annotated[float, _amount("Polish", "Ground smooth and shining.")] | None = None
    paint: Annotated[float, _amount("Paint", "A coat of paint in the chosen colour; wear chips it.")] | None = None
    sand: Annotated[float, _amount("Sand", "Blown sand in hollows.")] | None = None
    leaves: Annotated[float, _amount("Leaves", "Fallen leaves.")] | None = None


SPECS = (
    GeneratorSpec(
        id="material.procedural",
        title="Procedural material",
        promise="Makes a seamless PBR material from a few words, with no download, in about a second.",
        gives=(Kind.MATERIAL,),
        params=ProceduralMaterialParams,
        needs=Needs(memory_gb=1.0),
        version=2,
        run="generators.procedural.material:run",
    ),
)

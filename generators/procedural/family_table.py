"""The material families as data: names, synonyms, natural size. Importing this loads no numpy and no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One row: how a family is called and where it is drawn.

    `function` lies in `generators.procedural.families.<group>`. `tile_m` is the side of its natural tile in metres.
    `words` are further names, singular, each one or two words. `metal` and `fabric` steer how words are read.
    """

    name: str
    title: str
    group: str
    tile_m: float
    words: tuple[str, ...] = ()
    metal: bool = False

    @property
    def function(self) -> str:
        """Where the family is drawn, as "module:function"."""
        return f"generators.procedural.families.{self.group}:{self.name}"


FAMILIES: tuple[Family, ...] = (
    Family("bricks", "Bricks", "masonry", 1.0, ("brick", "brickwork", "brick wall")),
    Family("cobblestone", "Cobblestone", "masonry", 1.2, ("cobble", "cobbles", "sett")),
    Family("flagstone", "Flagstone", "masonry", 2.4, ("crazy paving", "stone floor", "stone path", "flagging")),
    Family(
        "stone_wall", "Stone wall", "masonry", 1.6, ("ashlar", "masonry", "castle wall", "stonework", "stone brick")
    ),
    Family("paving", "Herringbone paving", "masonry", 1.2, ("paver", "pavement", "herringbone", "clinker")),
    Family("hexagons", "Hexagon tiles", "tiles", 0.9, ("hexagon", "hex", "hexagonal", "hex tile", "honeycomb")),
    Family("ceramic_tiles", "Ceramic tiles", "tiles", 0.6, ("tile", "ceramic", "bathroom tile", "kitchen tile")),
    Family("subway_tiles", "Subway tiles", "tiles", 0.6, ("subway tile", "metro tile", "subway", "brick tile")),
    Family("terracotta_tiles", "Terracotta tiles", "tiles", 1.2, ("terracotta", "floor tile", "clay tile", "saltillo")),
    Family("mosaic", "Mosaic", "tiles", 0.4, ("tessera", "tesserae", "mosaic tile")),
    Family("roof_shingles", "Roof shingles", "tiles", 1.6, ("shingle", "roof", "roofing", "roof tile", "slate roof")),
    Family("terrazzo", "Terrazzo", "stone", 0.8, ()),
    Family("marble", "Marble", "stone", 1.2, ("carrara", "calacatta")),
    Family("granite", "Granite", "stone", 0.5, ("countertop", "kitchen counter")),
    Family("sandstone", "Sandstone", "stone", 1.4, ("canyon", "desert rock")),
    Family("limestone", "Limestone", "stone", 1.0, ("travertine", "chalk")),
    Family("slate", "Slate", "stone", 1.0, ("schist", "shale")),
    Family("rock", "Rock face", "stone", 3.0, ("cliff", "stone", "boulder", "rock face", "basalt", "crag")),
    Family("concrete", "Concrete", "built", 2.0, ("cement", "brutalist")),
    Family("plaster", "Plaster", "built", 1.6, ("stucco", "wall", "render", "drywall", "whitewash")),
    Family("asphalt", "Asphalt", "built", 1.0, ("road", "tarmac", "street", "blacktop", "bitumen")),
    Family(
        "planks",
        "Wooden planks",
        "wood",
        1.2,
        ("plank", "floorboard", "board", "wood floor", "decking", "wooden floor", "wood plank", "siding"),
    ),
    Family(
        "oak",
        "Oak veneer",
        "wood",
        0.6,
        ("wood", "wooden", "veneer", "timber", "walnut", "pine", "maple", "mahogany", "plywood", "wood grain"),
    ),
    Family("parquet", "Herringbone parquet", "wood", 1.0, ("parquetry", "wood herringbone", "herringbone parquet")),
    Family("bark", "Tree bark", "wood", 0.8, ("tree bark", "tree", "trunk", "tree trunk", "log")),
    Family("wicker", "Wicker", "wood", 0.24, ("rattan", "basket", "basketwork", "cane")),
    Family("cork", "Cork", "wood", 0.4, ("corkboard", "cork board", "pinboard")),
    Family("gravel", "Gravel", "ground", 0.8, ("crushed stone", "scree", "rubble", "ballast")),
    Family("pebbles", "Pebbles", "ground", 0.6, ("pebble", "river stone", "shingle beach", "river rock", "river bed")),
    Family("sand", "Rippled sand", "ground", 1.2, ("beach", "dune", "desert", "beach sand")),
    Family("soil", "Soil", "ground", 0.8, ("earth", "dirt ground", "ground", "loam", "farmland", "topsoil")),
    Family(
        "mud", "Cracked mud", "ground", 1.2, ("clay", "dry mud", "dried mud", "dry earth", "cracked earth", "drought")
    ),
    Family("grass", "Grass", "growth", 0.6, ("lawn", "meadow", "turf", "field")),
    Family("moss", "Moss", "growth", 0.4, ("lichen",)),
    Family(
        "forest_floor",
        "Forest floor",
        "growth",
        1.0,
        ("leaf", "fallen leaf", "leaf litter", "forest", "autumn leaf", "woodland"),
    ),
    Family("snow", "Snow", "water", 1.6, ("snowfield", "powder snow")),
    Family("ice", "Ice", "water", 1.6, ("frozen lake", "glacier", "frozen water")),
    Family("lava", "Lava", "water", 2.0, ("magma", "volcanic", "molten rock", "volcano")),
    Family("water", "Water", "water", 3.0, ("sea", "ocean", "lake", "river", "pool", "sea water")),
    Family(
        "brushed_metal",
        "Brushed metal",
        "metal",
        0.3,
        (
            "brushed",
            "brushed steel",
            "brushed aluminium",
            "steel",
            "aluminium",
            "stainless steel",
            "metal",
            "metallic",
            "chrome",
            "iron",
            "titanium",
            "tin",
            "zinc",
        ),
        metal=True,
    ),
    Family(
        "diamond_plate",
        "Diamond plate",
        "metal",
        0.5,
        ("tread plate", "checker plate", "steel plate", "metal floor", "chequer plate"),
        metal=True,
    ),
    Family("rust", "Rust", "metal", 0.8, ("rusted metal", "rusted iron", "corrosion", "corten"), metal=True),
    Family(
        "copper_patina",
        "Copper patina",
        "metal",
        1.0,
        ("verdigris", "patina", "oxidised copper", "oxidized copper", "copper", "bronze"),
        metal=True,
    ),
    Family("gold", "Gold leaf", "metal", 0.4, ("gold leaf", "gilding", "gilded", "brass"), metal=True),
    Family(
        "painted_metal",
        "Painted metal",
        "metal",
        0.8,
        ("painted steel", "enamel", "car paint", "ship hull", "container"),
        metal=True,
    ),
    Family(
        "hammered_metal",
        "Hammered metal",
        "metal",
        0.3,
        ("hammered steel", "hammered copper", "beaten metal", "wrought iron", "hammered", "forged metal"),
        metal=True,
    ),
    Family(
        "corrugated_metal",
        "Corrugated metal",
        "metal",
        1.2,
        ("corrugated iron", "corrugated", "sheet metal", "tin roof", "metal roof"),
        metal=True,
    ),
    Family("leather", "Leather", "fabric", 0.25, ("hide", "upholstery")),
    Family(
        "linen",
        "Woven linen",
        "fabric",
        0.08,
        ("fabric", "cloth", "canvas", "cotton", "textile", "burlap", "woven fabric", "sackcloth", "woven"),
    ),
    Family("denim", "Denim", "fabric", 0.08, ("jean", "twill")),
    Family("carpet", "Carpet", "fabric", 0.4, ("rug", "mat", "pile", "felt")),
    Family("knit", "Knitted wool", "fabric", 0.2, ("knitted", "wool", "sweater", "jumper", "knitwear", "knitting")),
    Family("fur", "Fur", "fabric", 0.3, ("pelt", "animal fur", "hair")),
    Family(
        "scales",
        "Scales",
        "creature",
        0.3,
        ("scale", "dragon", "fish", "reptile", "snake", "fish scale", "dragon scale", "lizard", "snakeskin"),
    ),
    Family("paper", "Crumpled paper", "creature", 0.3, ("parchment", "crumpled paper", "wrapping paper")),
    Family("cardboard", "Cardboard", "creature", 0.4, ("carton", "corrugated cardboard", "box")),
    Family(
        "scifi_panels",
        "Sci-fi panels",
        "tech",
        2.0,
        ("sci-fi", "scifi", "sci-fi panel", "spaceship", "panel", "hull", "greeble", "spaceship hull", "sci fi"),
        metal=True,
    ),
    Family("rubber", "Studded rubber", "tech", 0.4, ("tyre", "tire", "rubber mat", "rubber floor")),
    Family("plastic", "Textured plastic", "tech", 0.2, ("polymer", "vinyl", "abs", "pvc")),
)

BY_NAME = {family.name: family for family in FAMILIES}

"""The words a prompt may use, as tables: adjectives, strengths, sizes, filler. Pure text."""

from __future__ import annotations

EFFECTS = ("wetness", "moss", "dust", "dirt", "wear", "cracks", "rust", "scratches", "snow", "burn", "polish", "paint",
           "sand", "leaves", "roughness", "brightness", "warmth", "vividness")
"""What an adjective can change; the last four run from -1 to 1, the others from 0 to 1."""

SIGNED = frozenset(("roughness", "brightness", "warmth", "vividness"))

ADJECTIVES: dict[str, dict[str, float]] = {
    "wet": {"wetness": 0.7}, "damp": {"wetness": 0.35}, "moist": {"wetness": 0.35}, "soaked": {"wetness": 1.0},
    "rainy": {"wetness": 0.8}, "rain": {"wetness": 0.8}, "puddle": {"wetness": 0.9}, "flooded": {"wetness": 1.0},
    "slick": {"wetness": 0.55}, "slimy": {"wetness": 0.6, "moss": 0.3}, "dripping": {"wetness": 0.9},
    "mossy": {"moss": 0.6}, "overgrown": {"moss": 0.85}, "grassy": {"moss": 0.5},
    "dusty": {"dust": 0.6}, "ashy": {"dust": 0.6}, "sooty": {"burn": 0.4},
    "dirty": {"dirt": 0.6}, "grimy": {"dirt": 0.7}, "grubby": {"dirt": 0.5}, "filthy": {"dirt": 0.9},
    "stained": {"dirt": 0.45}, "muddy": {"dirt": 0.7, "wetness": 0.3}, "greasy": {"dirt": 0.4, "roughness": -0.3},
    "grungy": {"dirt": 0.7, "wear": 0.4}, "oily": {"dirt": 0.3, "roughness": -0.35},
    "worn": {"wear": 0.6}, "old": {"wear": 0.5, "dirt": 0.3}, "ancient": {"wear": 0.8, "dirt": 0.4, "cracks": 0.3},
    "aged": {"wear": 0.5, "dirt": 0.25}, "weathered": {"wear": 0.6, "dirt": 0.25, "vividness": -0.25},
    "antique": {"wear": 0.45, "warmth": 0.15}, "vintage": {"wear": 0.4, "warmth": 0.15}, "battered": {"wear": 0.8, "scratches": 0.5},
    "damaged": {"wear": 0.7, "cracks": 0.4}, "chipped": {"wear": 0.7}, "peeling": {"wear": 0.8},
    "flaking": {"wear": 0.75}, "distressed": {"wear": 0.7}, "eroded": {"wear": 0.8}, "ruined": {"wear": 0.9, "cracks": 0.5, "dirt": 0.4},
    "abandoned": {"wear": 0.7, "dirt": 0.6, "moss": 0.2}, "faded": {"vividness": -0.5, "brightness": 0.15},
    "bleached": {"vividness": -0.6, "brightness": 0.35}, "cracked": {"cracks": 0.6}, "crackled": {"cracks": 0.5},
    "broken": {"cracks": 0.8}, "fractured": {"cracks": 0.8}, "shattered": {"cracks": 1.0}, "split": {"cracks": 0.5},
    "rusty": {"rust": 0.6}, "rusted": {"rust": 0.7}, "corroded": {"rust": 0.8}, "oxidised": {"rust": 0.5}, "oxidized": {"rust": 0.5},
    "scratched": {"scratches": 0.6}, "scuffed": {"scratches": 0.5, "wear": 0.3}, "scraped": {"scratches": 0.7},
    "snowy": {"snow": 0.6}, "snow-covered": {"snow": 0.8}, "frosty": {"snow": 0.3}, "frosted": {"snow": 0.3},
    "frozen": {"snow": 0.35, "wetness": 0.2}, "icy": {"snow": 0.3, "wetness": 0.4}, "wintry": {"snow": 0.6},
    "burnt": {"burn": 0.7}, "burned": {"burn": 0.7}, "charred": {"burn": 0.9}, "scorched": {"burn": 0.6},
    "singed": {"burn": 0.4}, "polished": {"polish": 0.8}, "glossy": {"roughness": -0.6}, "shiny": {"roughness": -0.6},
    "glazed": {"roughness": -0.6}, "lacquered": {"polish": 0.6}, "varnished": {"polish": 0.5}, "waxed": {"polish": 0.4},
    "satin": {"roughness": -0.25}, "smooth": {"polish": 0.45}, "gleaming": {"polish": 0.7}, "mirror": {"polish": 1.0},
    "rough": {"roughness": 0.45}, "matte": {"roughness": 0.6}, "matt": {"roughness": 0.6}, "dull": {"roughness": 0.4, "vividness": -0.2},
    "dry": {"roughness": 0.2}, "unpolished": {"roughness": 0.35}, "painted": {"paint": 1.0}, "enamelled": {"paint": 1.0, "roughness": -0.3},
    "whitewashed": {"paint": 0.8}, "sandy": {"sand": 0.6}, "leafy": {"leaves": 0.6}, "autumnal": {"leaves": 0.7},
    "dark": {"brightness": -0.5}, "darkened": {"brightness": -0.4}, "deep": {"brightness": -0.3}, "light": {"brightness": 0.45},
    "bright": {"brightness": 0.4, "vividness": 0.25}, "pale": {"brightness": 0.4, "vividness": -0.35},
    "warm": {"warmth": 0.5}, "cold": {"warmth": -0.5}, "cool": {"warmth": -0.4}, "vivid": {"vividness": 0.5},
    "colourful": {"vividness": 0.5}, "colorful": {"vividness": 0.5}, "saturated": {"vividness": 0.5},
    "muted": {"vividness": -0.4}, "desaturated": {"vividness": -0.7}, "clean": {"dirt": 0.0, "dust": 0.0}, "new": {"wear": 0.0},
    "pristine": {"dirt": 0.0, "wear": 0.0},
}  # fmt: skip
"""An adjective and what it does at ordinary strength."""

AS_COVER: dict[str, dict[str, float]] = {
    "moss": {"moss": 0.6}, "snow": {"snow": 0.6}, "rust": {"rust": 0.6}, "sand": {"sand": 0.6}, "mud": {"dirt": 0.8, "wetness": 0.2},
    "soil": {"dirt": 0.6}, "forest_floor": {"leaves": 0.6}, "water": {"wetness": 0.85}, "ice": {"snow": 0.3, "wetness": 0.3},
    "grass": {"moss": 0.6}, "copper_patina": {"rust": 0.0},
}  # fmt: skip
"""What a family's name means when another family is the matter: "bricks with moss"."""

COVERS = {"dust": {"dust": 0.6}, "dirt": {"dirt": 0.6}, "grime": {"dirt": 0.7}, "crack": {"cracks": 0.6}, "scratch": {"scratches": 0.6},
          "soot": {"burn": 0.4}, "ash": {"dust": 0.6}, "paint": {"paint": 1.0}, "wear": {"wear": 0.6}, "stain": {"dirt": 0.45},
          "frost": {"snow": 0.3}, "leaves": {"leaves": 0.6}, "polish": {"polish": 0.7}}  # fmt: skip
"""Nouns that are only ever something on a surface."""

STRENGTHS = {"slightly": 0.45, "lightly": 0.45, "somewhat": 0.6, "bit": 0.45, "little": 0.45, "mildly": 0.5, "partly": 0.6,
             "very": 1.45, "heavily": 1.5, "extremely": 1.7, "really": 1.4, "completely": 1.7, "totally": 1.7,
             "thickly": 1.5, "deeply": 1.4, "badly": 1.4, "severely": 1.6, "quite": 1.1, "super": 1.5}  # fmt: skip

NEGATIONS = frozenset(("no", "not", "without", "never", "non", "minus", "free"))

SIZES = {"large": 1.6, "big": 1.6, "huge": 2.2, "giant": 2.4, "oversized": 2.0, "wide": 1.4, "coarse": 1.5, "small": 0.6,
         "fine": 0.55, "tiny": 0.4, "mini": 0.45, "narrow": 0.7, "dense": 0.7}  # fmt: skip

TWO_WORD_COLOURS = {"off white": "ivory", "sky blue": "azure", "forest green": "emerald", "olive green": "olive",
                    "royal blue": "cobalt", "navy blue": "navy", "dark grey": "charcoal", "dark gray": "charcoal",
                    "blood red": "crimson", "brick red": "sienna", "baby blue": "azure", "dark blue": "navy"}  # fmt: skip

WEAK = frozenset((
    "wall", "floor", "ground", "stone", "metal", "metallic", "wood", "wooden", "fabric", "cloth", "tile", "field", "box",
    "hair", "panel", "mat", "road", "street", "tree", "earth", "river", "pool", "beach", "desert", "cane", "hide", "render",
    "roof", "clay", "steel", "iron", "copper", "bronze", "brass", "gold", "tin", "zinc", "chrome", "titanium", "aluminium",
    "board", "timber", "canvas", "ceramic", "terracotta", "wool", "leaf", "hex", "hexagon", "hexagonal", "shingle", "lake", "sea",
    "hull", "container", "pile", "volcanic", "box", "pavement", "masonry", "textile", "woven",
))  # fmt: skip
"""Family words that give way when a more telling one is there ("concrete wall", "gold hammered metal")."""

AFTER_HEAD = frozenset(("with", "covered", "under", "on", "in", "having", "showing", "without", "no"))
"""Words after which things on the surface are named, not the surface itself."""

FILLER = frozenset((
    "a", "an", "the", "of", "and", "or", "some", "its", "it", "by", "from", "for", "to", "at", "is", "that", "this", "as", "made",
    "look", "looking", "like", "style", "kind", "type", "texture", "material", "surface", "seamless", "tileable", "tiling", "pbr",
    "map", "realistic", "photorealistic", "photo", "high", "quality", "detailed", "detail", "resolution", "hd", "4k", "8k", "2k",
    "covered", "with", "on", "in", "under", "having", "showing", "please", "make", "me", "i", "want", "all", "over", "natural",
    "pattern", "patterned", "coloured", "colored", "colour", "color", "toned", "few", "many", "lot", "lots", "finish", "coat", "coated",
))  # fmt: skip

METAL_ADJECTIVES = {"chrome": {"polish": 0.9}}
"""Metals whose name says a finish as well."""

"""Colours by name and by code, and ramps between them; pure numbers, no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

Rgb = tuple[float, float, float]

NAMED = {
    "white": "#e6e3dc",
    "black": "#26262a",
    "grey": "#85868a",
    "charcoal": "#3a3c40",
    "silver": "#c4c6c9",
    "red": "#a8281e",
    "crimson": "#8f1428",
    "scarlet": "#b8281c",
    "maroon": "#5e1a1c",
    "burgundy": "#601f2c",
    "pink": "#d98fa0",
    "rose": "#c46a7c",
    "magenta": "#a82a7c",
    "purple": "#643282",
    "violet": "#6b4aa0",
    "lavender": "#a698c8",
    "indigo": "#38367e",
    "blue": "#2a56a0",
    "navy": "#1f2c56",
    "azure": "#3c84c4",
    "cyan": "#3aa6b8",
    "turquoise": "#3aa698",
    "teal": "#1f6f72",
    "aqua": "#5abcc0",
    "green": "#3c7a36",
    "lime": "#8cba34",
    "olive": "#6b6a2c",
    "emerald": "#1f7a50",
    "mint": "#9cd0b0",
    "yellow": "#d8ae34",
    "mustard": "#b88a28",
    "amber": "#c4802a",
    "orange": "#c8641e",
    "peach": "#dca888",
    "coral": "#cc6a54",
    "salmon": "#cc8270",
    "brown": "#69452c",
    "chocolate": "#4a2e20",
    "tan": "#b08e68",
    "beige": "#cdbb9a",
    "cream": "#e0d6b8",
    "ivory": "#e2dcc8",
    "khaki": "#a89a6c",
    "ochre": "#b4842e",
    "sepia": "#6a4c34",
    "umber": "#5a4230",
    "sienna": "#99522e",
    "cobalt": "#24489c",
    "copper": "#b86a44",
    "golden": "#cf9f3c",
    "bronze": "#8e6a3a",
    "brass": "#b8963e",
    "jade": "#3f8f6c",
    "ultramarine": "#2a389c",
    "cognac": "#8c4a22",
    "chestnut": "#6a3622",
    "taupe": "#8a7c6e",
    "wine": "#641c2e",
    "plum": "#5a2c4e",
    "lilac": "#b09ac8",
    "mauve": "#a0809c",
    "fuchsia": "#b02a80",
    "petrol": "#1c5a66",
    "sapphire": "#1f3f94",
    "ruby": "#941c34",
    "graphite": "#46484c",
    "anthracite": "#33363a",
    "champagne": "#dcc8a0",
    "apricot": "#dca06c",
    "eggshell": "#dedac8",
}
"""Ordinary words as sRGB codes that a real, painted or dyed surface can have."""

METAL_NAMED = {
    "golden": "#fbd98b",
    "gold": "#fbd98b",
    "copper": "#f7bf9f",
    "brass": "#f0d89a",
    "bronze": "#d9ac7c",
    "silver": "#f9f6f1",
    "steel": "#c6c2bd",
    "iron": "#c4bfb9",
    "aluminium": "#f4f5f5",
    "chrome": "#c4c6c7",
    "titanium": "#c2bab0",
    "tin": "#d6d2cb",
    "zinc": "#d3dade",
    "nickel": "#d5ccbe",
    "galvanised": "#d3dade",
    "galvanized": "#d3dade",
    "gunmetal": "#9a9da2",
    "rosegold": "#f0c4ac",
}
"""Reflectance of metals at normal incidence as sRGB codes (measured n and k, Rec.709 averages)."""


def linear_from_hex(code: str) -> Rgb:
    """Read "#rrggbb" or "#rgb" (the # is optional) as linear light; raises ValueError with what was expected."""
    match = re.fullmatch(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", code)
    if match is None:
        raise ValueError(f"colour {code!r}: expected three or six hexadecimal digits such as #8a3b22")
    digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
    values = [int(digits[i : i + 2], 16) / 255.0 for i in (0, 2, 4)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return red, green, blue


def linear_from_name(word: str, metal: bool = False) -> Rgb | None:
    """Read a colour's name or code as linear light; None when it is neither."""
    word = {"gray": "grey"}.get(word.lower(), word.lower())
    if metal and word in METAL_NAMED:
        return linear_from_hex(METAL_NAMED[word])
    if word in NAMED:
        return linear_from_hex(NAMED[word])
    return linear_from_hex(word) if re.fullmatch(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", word) else None


def oklab_from_linear(rgb: Rgb) -> Rgb:
    """Convert linear Rec.709 to Oklab (Ottosson 2020)."""
    r, g, b = rgb
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def linear_from_oklab(lab: Rgb) -> Rgb:
    """Convert Oklab to linear Rec.709, clipped to 0..1 (Ottosson 2020)."""
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return min(max(red, 0.0), 1.0), min(max(green, 0.0), 1.0), min(max(blue, 0.0), 1.0)


def hex_from_linear(rgb: Rgb) -> str:
    """Write linear light as the nearest sRGB code."""
    values = (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in rgb)
    return "#" + "".join(f"{round(min(max(v, 0.0), 1.0) * 255):02x}" for v in values)


def shaded(colour: Rgb, lighter: float, chroma: float) -> Rgb:
    """Add to a colour's Oklab lightness and multiply its chroma; stays between black and white."""
    lightness, a, b = oklab_from_linear(colour)
    return linear_from_oklab((min(max(lightness + lighter, 0.12), 0.97), a * chroma, b * chroma))


def recolour(stops: Sequence[Rgb], colour: Rgb, strength: float = 1.0) -> list[Rgb]:
    """Move a palette to a colour by `strength`: its mean goes there (hue by
    `strength`), its spread of lightness stays, of hue shrinks."""
    labs = [oklab_from_linear(stop) for stop in stops]
    target = oklab_from_linear(colour)
    mean = [sum(lab[i] for lab in labs) / len(labs) for i in range(3)]
    goal = [target[0], *(mean[i] + (target[i] - mean[i]) * strength for i in (1, 2))]
    keep = min(1.0, 0.35 + goal[0])
    return [
        linear_from_oklab(
            (
                goal[0] + (lab[0] - mean[0]) * keep,
                goal[1] + (lab[1] - mean[1]) * 0.5,
                goal[2] + (lab[2] - mean[2]) * 0.5,
            )
        )
        for lab in labs
    ]


def alloy(stops: Sequence[Rgb], colour: Rgb) -> list[Rgb]:
    """Give a metal's palette another metal: the brightest stop becomes that colour, darker ones are its shades."""
    weights = (0.2126, 0.7152, 0.0722)
    shine = [sum(weight * part for weight, part in zip(weights, stop, strict=True)) for stop in stops]
    return [
        (colour[0] * share, colour[1] * share, colour[2] * share) for share in (value / max(shine) for value in shine)
    ]


@lru_cache(maxsize=1024)
def ramp_table(stops: tuple[Rgb, ...], steps: int) -> tuple[Rgb, ...]:
    """Interpolate evenly spaced stops in Oklab into a table of linear colours."""
    labs = [oklab_from_linear(stop) for stop in stops]
    if len(labs) == 1:
        return (linear_from_oklab(labs[0]),) * steps
    table = []
    for step in range(steps):
        place = step / (steps - 1) * (len(labs) - 1)
        low = min(int(place), len(labs) - 2)
        part = place - low
        first, last = labs[low], labs[low + 1]
        table.append(
            linear_from_oklab(
                (
                    first[0] + (last[0] - first[0]) * part,
                    first[1] + (last[1] - first[1]) * part,
                    first[2] + (last[2] - first[2]) * part,
                )
            )
        )
    return tuple(table)

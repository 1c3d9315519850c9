"""Which sound a prompt asks for: a small lexicon, and an honest answer where it knows no word."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS: dict[str, tuple[str, ...]] = {
    "footstep": ("footstep", "footsteps", "step", "steps", "walk", "walking", "running", "run", "schritt", "schritte"),
    "whoosh": ("whoosh", "swoosh", "swish", "swing", "pass", "flyby", "sword", "schwert"),
    "explosion": ("explosion", "explode", "blast", "boom", "bomb", "grenade", "detonation"),
    "engine": ("engine", "motor", "car", "truck", "tractor", "generator", "idle", "auto"),
    "hum": ("hum", "buzz", "transformer", "electric", "mains", "fridge", "drone"),
    "click": ("click", "tick", "ui", "button", "beep", "tap", "select", "menu", "klick"),
    "wind": ("wind", "breeze", "gust", "storm", "gale", "draught", "draft", "sturm"),
    "rain": ("rain", "drizzle", "downpour", "shower", "regen"),
    "fire": ("fire", "campfire", "flame", "flames", "fireplace", "crackle", "burning", "torch", "feuer"),
    "water": ("water", "stream", "river", "brook", "creek", "bubbling", "bubbles", "fountain", "wasser", "bach"),
    "metal": ("metal", "metallic", "clang", "steel", "iron", "bell", "anvil", "gong", "pipe", "metall", "glocke"),
    "glass": ("glass", "clink", "crystal", "bottle", "porcelain", "ceramic", "glas"),
    "wood": ("wood", "wooden", "knock", "plank", "door", "thud", "crate", "holz", "tür"),
    "stone": ("stone", "rock", "brick", "boulder", "marble", "concrete", "stein"),
}
"""Kinds in order of preference: steps on wood are steps."""
GROUNDS: dict[str, tuple[str, ...]] = {
    "gravel": ("gravel", "pebbles", "shingle", "kies"),
    "wood": ("wood", "wooden", "plank", "planks", "floorboards", "parquet"),
    "concrete": ("concrete", "asphalt", "stone", "pavement", "tiles", "tile", "street"),
    "grass": ("grass", "leaves", "lawn", "meadow"),
    "snow": ("snow", "snowy", "ice", "schnee"),
    "metal": ("metal", "steel", "grate", "grating"),
}
SLIDES: dict[str, tuple[str, float]] = {
    "huge": ("size", 0.45), "big": ("size", 0.3), "large": ("size", 0.3), "heavy": ("size", 0.3),
    "deep": ("size", 0.3), "small": ("size", -0.3), "little": ("size", -0.25), "tiny": ("size", -0.45),
    "high": ("size", -0.3), "hard": ("hardness", 0.35), "sharp": ("hardness", 0.35), "bright": ("hardness", 0.3),
    "soft": ("hardness", -0.4), "dull": ("hardness", -0.4), "muffled": ("hardness", -0.5),
    "ringing": ("damping", -0.4), "resonant": ("damping", -0.35), "long": ("damping", -0.3),
    "dry": ("damping", 0.35), "short": ("damping", 0.4), "dead": ("damping", 0.5), "damped": ("damping", 0.4),
    "strong": ("intensity", 0.35), "loud": ("intensity", 0.3), "fierce": ("intensity", 0.45),
    "storm": ("intensity", 0.45), "gale": ("intensity", 0.4), "downpour": ("intensity", 0.45),
    "fast": ("intensity", 0.4), "running": ("intensity", 0.5), "gentle": ("intensity", -0.35),
    "light": ("intensity", -0.3), "breeze": ("intensity", -0.35), "drizzle": ("intensity", -0.4),
    "slow": ("intensity", -0.35), "calm": ("intensity", -0.4), "idle": ("intensity", -0.3),
}  # fmt: skip
"""Adjectives and what they move, from where the sliders stand."""
FILLER = frozenset((
    "a", "an", "the", "some", "of", "and", "or", "on", "in", "at", "to", "with", "from", "by", "my", "for", "sound",
    "sounds", "effect", "sfx", "noise", "audio", "hit", "hits", "hitting", "loop", "looping", "babbling", "floor",
    "slam", "slams", "knocking", "falling", "der", "die", "das", "ein", "eine", "im", "auf", "mit", "und",
))  # fmt: skip
"""Words that need not change anything."""


@dataclass(frozen=True)
class Reading:
    """What a prompt says: nothing is None or empty."""

    kind: str | None
    ground: str | None
    slides: dict[str, float]
    ignored: tuple[str, ...] = ()
    """Words that change nothing, in order."""


def read(prompt: str) -> Reading:
    """Kind, ground and slider moves named in a prompt; the first kind of the table that is named wins."""
    words = re.findall(r"[^\W\d_]+", prompt.lower())
    named = set(words)
    kind = next((kind for kind, names in KINDS.items() if named & set(names)), None)
    ground = next((ground for ground, names in GROUNDS.items() if named & set(names)), None)
    slides: dict[str, float] = {}
    for word in words:
        if word in SLIDES:
            slider, amount = SLIDES[word]
            slides[slider] = slides.get(slider, 0.0) + amount
    used = {*KINDS.get(kind or "", ()), *(GROUNDS.get(ground or "", ()) if kind == "footstep" else ())}
    ignored = (word for word in words if word not in used and word not in SLIDES and word not in FILLER)
    return Reading(kind, ground, slides, tuple(dict.fromkeys(ignored)))

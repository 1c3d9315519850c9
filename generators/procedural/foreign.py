"""Words that are not English: German materials, adjectives and colours, and pictures of things. Pure text.

German is known to the project's authors; another language is another table of this shape.
"""

from __future__ import annotations

import re
from collections.abc import Container

PICTURES = {
    "🧱": "bricks", "🪨": "rock", "🪵": "wood", "🌿": "moss", "🌱": "grass", "🍂": "fallen leaves",
    "🍁": "fallen leaves", "❄": "snow", "🧊": "ice", "🌋": "lava", "🌊": "water", "🏖": "sand", "🏜": "sand",
    "🐉": "dragon scales", "🧶": "knit", "👖": "denim", "📦": "cardboard", "🚀": "sci-fi panels", "💧": "wet",
    "🔥": "burnt",
}  # fmt: skip
"""Emoji and the words for them."""

GERMAN = {
    # materials
    "ziegel": "brick", "ziegelstein": "brick", "backstein": "brick", "klinker": "clinker", "mauer": "wall",
    "mauerwerk": "brickwork", "wand": "wall", "pflaster": "paving", "kopfsteinpflaster": "cobblestone",
    "pflasterstein": "cobblestone", "naturstein": "stone", "bruchstein": "stone wall", "fliese": "tile",
    "kachel": "tile", "marmor": "marble", "granit": "granite", "sandstein": "sandstone", "kalkstein": "limestone",
    "schiefer": "slate", "fels": "rock", "felsen": "rock", "felswand": "cliff", "stein": "stone", "beton": "concrete",
    "zement": "cement", "putz": "plaster", "gips": "plaster", "asphalt": "asphalt", "strasse": "road", "straße": "road",
    "holz": "wood", "diele": "plank", "brett": "board", "eiche": "oak", "parkett": "parquet", "rinde": "bark",
    "baumrinde": "bark", "kork": "cork", "kies": "gravel", "schotter": "gravel", "kiesel": "pebbles", "sand": "sand",
    "erde": "soil", "boden": "floor", "waldboden": "forest floor", "schlamm": "mud", "lehm": "clay", "gras": "grass",
    "wiese": "meadow", "rasen": "lawn", "moos": "moss", "laub": "fallen leaves", "blatt": "leaf", "blätter": "leaves",
    "schnee": "snow", "eis": "ice", "wasser": "water", "meer": "sea", "metall": "metal", "stahl": "steel",
    "edelstahl": "stainless steel", "eisen": "iron", "kupfer": "copper", "messing": "brass", "bronze": "bronze",
    "gold": "gold", "silber": "silver", "rost": "rust", "wellblech": "corrugated metal", "blech": "metal",
    "leder": "leather", "leinen": "linen", "stoff": "fabric", "jeans": "denim", "teppich": "carpet", "wolle": "wool",
    "strick": "knit", "fell": "fur", "schuppe": "scale", "papier": "paper", "pappe": "cardboard", "karton": "cardboard",
    "gummi": "rubber", "kunststoff": "plastic", "plastik": "plastic", "dach": "roof", "dachziegel": "roof tile",
    "schindel": "shingle", "korb": "basket", "mosaik": "mosaic", "lava": "lava", "schmutz": "dirt", "staub": "dust",
    "riss": "crack", "kratzer": "scratch", "farbe": "paint",
    # what is said of them
    "nass": "wet", "feucht": "damp", "trocken": "dry", "bemoost": "mossy", "moosig": "mossy", "rostig": "rusty",
    "verrostet": "rusty", "alt": "old", "neu": "new", "verwittert": "weathered", "abgenutzt": "worn",
    "schmutzig": "dirty", "dreckig": "dirty", "sauber": "clean", "staubig": "dusty", "rissig": "cracked",
    "gesprungen": "cracked", "zerkratzt": "scratched", "poliert": "polished", "glänzend": "shiny", "matt": "matte",
    "rau": "rough", "glatt": "smooth", "verschneit": "snowy", "vereist": "icy", "verbrannt": "burnt",
    "verkohlt": "charred", "bemalt": "painted", "gestrichen": "painted", "lackiert": "painted", "gebürstet": "brushed",
    "gehämmert": "hammered", "hell": "light", "dunkel": "dark", "warm": "warm", "kalt": "cold", "groß": "large",
    "klein": "small", "fein": "fine", "grob": "coarse", "leicht": "slightly", "sehr": "very", "stark": "heavily",
    "ohne": "without", "kein": "no", "nicht": "not", "mit": "with", "auf": "on", "und": "and", "aus": "of",
    # colours
    "rot": "red", "blau": "blue", "grün": "green", "gelb": "yellow", "weiß": "white", "weiss": "white",
    "schwarz": "black", "grau": "grey", "braun": "brown", "türkis": "turquoise", "rosa": "pink", "lila": "purple",
    "violett": "violet", "golden": "golden", "silbern": "silver",
}  # fmt: skip
"""German words in their ground form and what they are in English."""

_ALSO_ENGLISH = frozenset(("alt", "fell", "gold", "golden", "hell", "jeans", "kind", "lava", "lila", "matt", "rot",
                           "sand", "warm", "asphalt", "bronze", "wand", "farbe", "riss"))  # fmt: skip
"""Words that do not show that a prompt is German."""
_ENDINGS = ("", "e", "n", "en", "er", "es", "em", "s")
_JOINTS = ("", "s", "n", "en", "es", "e")
_PART_LETTERS = 4
"""A compound's parts are at least so long: "rotund" is not "rot und"."""
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def in_english(prompt: str, known: Container[str] = ()) -> tuple[str, list[str]]:
    """The prompt with pictures and German words in English, and a sentence about each kind that was read so.

    Words that are `known` in English show nothing and stay as they are, unless others show that it is German.
    """
    notes = []
    for picture, words in PICTURES.items():
        if picture in prompt:
            prompt = prompt.replace(picture, f" {words} ")
            notes.append(f"I read {picture} as “{words}”.")
    said = _WORD.findall(prompt.lower())
    if not any(_german(word) for word in said if word not in _ALSO_ENGLISH and word not in known):
        return prompt, notes

    def replaced(found: re.Match[str]) -> str:
        word = found[0].lower()
        return (word not in known and _german(word)) or GERMAN.get(word, found[0])

    english = _WORD.sub(replaced, prompt)
    return english, [*notes, f"I read this as German: “{' '.join(english.split())}”."]


def _german(word: str) -> str:
    """A German word in English: itself, without its ending, or taken apart as a compound; empty when it is none."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending) if ending else word
        if len(stem) > 2 and stem in GERMAN and (not ending or word.endswith(ending)):
            return GERMAN[stem]
    for cut in range(len(word) - _PART_LETTERS, _PART_LETTERS - 1, -1):
        last = _simple(word[cut:])
        joined = (word[:cut].removesuffix(joint) for joint in _JOINTS if word[:cut].endswith(joint))
        first = next((words for stem in joined if (words := _simple(stem))), "")
        if first and last:
            return f"{first} {last}"
    return ""


def _simple(word: str) -> str:
    stems = (word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending))
    return next((GERMAN[stem] for stem in stems if len(stem) > 2 and stem in GERMAN), "")

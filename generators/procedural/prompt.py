"""From words to a request: the family, what is on it, its colour and size, and an honest account of the rest.

Pure text: importing this loads no numpy and no torch.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from generators.procedural import lexicon
from generators.procedural.family_table import BY_NAME, FAMILIES
from generators.procedural.foreign import in_english
from generators.procedural.palette import METAL_NAMED, NAMED, hex_from_linear, linear_from_name, shaded

DEFAULT_FAMILY = "plaster"
_BY_EFFECT = (("rust", "rust"), ("moss", "moss"), ("snow", "snow"), ("sand", "sand"), ("leaves", "forest_floor"),
              ("paint", "painted_metal"), ("dirt", "soil"), ("burn", "planks"), ("cracks", "mud"))  # fmt: skip


@dataclass
class Reading:
    """What was understood: `family` by name, `effects` by name, `colour` and `metal` as words or codes, `scale`.

    `notes` are sentences for the artist: what was assumed, guessed or left out.
    """

    family: str = DEFAULT_FAMILY
    effects: dict[str, float] = field(default_factory=dict)
    colour: str | None = None
    metal: str | None = None
    scale: float = 1.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Match:
    """A family named at a place in the prompt."""

    place: int
    family: str
    word: str
    after_head: bool
    negated: bool
    strength: float


@dataclass
class _Phrase:
    """What was understood when a phrase began, to go back to when it speaks of a part."""

    place: int
    effects: dict[str, float]
    colours: int
    metals: int
    matches: int
    scale: float
    after_head: bool


def singular(word: str) -> str:
    """Give the singular of a plain English plural; other words come back as they are."""
    irregular = {"leaves": "leaf", "mosses": "moss", "grasses": "grass", "tesserae": "tessera"}
    if word in irregular:
        return irregular[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(ss|sh|ch|x|z)es$", word):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _family_words() -> dict[str, str]:
    words: dict[str, str] = {}
    for family in FAMILIES:
        for name in (family.name.replace("_", " "), family.title.lower(), *family.words):
            words.setdefault(name, family.name)
            words.setdefault(" ".join(singular(part) for part in name.split()), family.name)
    return words


FAMILY_WORDS = _family_words()
_KNOWN = sorted(
    {word for word in (*FAMILY_WORDS, *lexicon.ADJECTIVES, *NAMED, *METAL_NAMED, *lexicon.COVERS) if " " not in word}
)


_ENGLISH = frozenset(
    part
    for name in (*FAMILY_WORDS, *_KNOWN, *lexicon.STRENGTHS, *lexicon.SIZES, *lexicon.FILLER, *lexicon.PARTS)
    for word in name.split()
    for part in (word, f"{word}s", f"{word}-covered")
)
_ISH = {
    f"{stem}ish": colour
    for stem, colour in (
        ("blu", "blue"), ("blue", "blue"), ("redd", "red"), ("green", "green"), ("yellow", "yellow"),
        ("brown", "brown"), ("grey", "grey"), ("gray", "grey"), ("whit", "white"), ("black", "black"),
        ("pink", "pink"), ("purpl", "purple"), ("orang", "orange"),
    )
}  # fmt: skip
_OPENERS = lexicon.AFTER_HEAD | lexicon.ON | {"and"}
"""Words at which a phrase begins."""


def colour_named(words: str) -> str:
    """A colour's name as the palette knows it, of such as "Sky Blue" or "bluish"; others come back in lower case."""
    plain = " ".join(words.lower().split())
    return lexicon.TWO_WORD_COLOURS.get(plain, _ISH.get(plain, plain.replace(" ", "")))


def nearest(word: str) -> str:
    """The known word that a slip of the finger would make `word`; empty when it may be another word altogether."""
    if len(word) <= 3 or word in lexicon.STAND_INS:
        return ""
    for close in difflib.get_close_matches(word, _KNOWN, n=3, cutoff=0.75):
        same_letters = sorted(close) == sorted(word)
        alike = difflib.SequenceMatcher(None, word, close).ratio() >= 0.84
        if (same_letters or alike) and close[0] == word[0]:
            return close
    return ""


def tokens(prompt: str) -> list[str]:
    """Split a prompt into lower-case words, numbers and colour codes; commas and such become breaks (",")."""
    prompt = re.sub(r"(\w)-(covered|topped|dusted|caked|coated)\b", r"\1 \2", prompt.lower())
    found = re.findall(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b|[^\W_]+(?:[-'][^\W_]+)*|[,.;:]", prompt)
    return ["," if token in ",.;:" else token for token in found]


class _Reader:
    """One walk over the tokens, gathering as it goes."""

    def __init__(self, prompt: str) -> None:
        english, notes = in_english(prompt, _ENGLISH)
        self.words = tokens(english)
        self.reading = Reading(notes=notes)
        self.matches: list[_Match] = []
        self.colours: list[str] = []
        self.metals: list[str] = []
        self.unknown: list[str] = []
        self.negated, self.strength, self.after_head = False, 1.0, False
        self.place = 0
        self.on = False
        """Whether an "on" came: what was named before it may lie on what comes after."""
        self.phrase = self._phrase()

    def read(self) -> Reading:
        while self.place < len(self.words):
            self.place += self._step(self.words[self.place])
        self._choose_family()
        self._choose_colour()
        self.reading.notes = list(dict.fromkeys(self.reading.notes))
        return self.reading

    def _phrase(self) -> _Phrase:
        found = self.reading
        counts = len(self.colours), len(self.metals), len(self.matches)
        return _Phrase(self.place, dict(found.effects), *counts, found.scale, self.after_head)

    def _forget_phrase(self, word: str) -> None:
        """Go back to before the phrase that ends in the name of a part, and say what was left out."""
        since = self.phrase
        self.reading.effects, self.reading.scale = since.effects, since.scale
        del self.colours[since.colours :], self.metals[since.metals :], self.matches[since.matches :]
        words = [one for one in self.words[since.place : self.place + 1] if one not in _OPENERS and one != ","]
        self.reading.notes.append(f"Parts have no look of their own: left out {_quoted([' '.join(words) or word])}.")
        self.phrase = self._phrase()
        self._spent()

    def _step(self, word: str) -> int:
        """Read one word (or two) and say how many were used."""
        pair = " ".join(self.words[self.place : self.place + 2])
        cover = lexicon.AS_COVER.get(FAMILY_WORDS.get(singular(word), ""))
        if cover is not None and pair.split()[-1] in lexicon.COVERED and pair != word:
            self._apply(cover, negated=self.negated)
            return 2
        if word == "," or word in _OPENERS:
            self.phrase = self._phrase()
        if word == ",":
            self.negated, self.strength = False, 1.0
            return 1
        if singular(word) in lexicon.PARTS and pair not in FAMILY_WORDS:
            self._forget_phrase(word)
            return 1
        if word in lexicon.NEGATIONS or word in ("n't", "isn't"):
            self.negated, self.after_head = True, self.after_head or word == "without"
            return 1
        if word in lexicon.STRENGTHS and not (word == "little" and self.place + 1 == len(self.words)):
            self.strength *= lexicon.STRENGTHS[word]
            return 1
        if pair in lexicon.TWO_WORD_METALS:
            self.metals.append(lexicon.TWO_WORD_METALS[pair])
            self._spent()
            return 2
        if pair in lexicon.TWO_WORD_COLOURS:
            self._take_colour(lexicon.TWO_WORD_COLOURS[pair])
            return 2
        first, _, second = pair.partition(" ")
        base = linear_from_name(colour_named(second)) if first in lexicon.SHADES and not self.negated else None
        if base is not None:
            self._take_colour(hex_from_linear(shaded(base, *lexicon.SHADES[first])))
            return 2
        joined = " ".join(singular(part) for part in pair.split())
        if " " in pair and (pair in FAMILY_WORDS or joined in FAMILY_WORDS):
            self._take_family(FAMILY_WORDS.get(pair) or FAMILY_WORDS[joined], pair)
            if self.words[self.place + 1] in METAL_NAMED or word in METAL_NAMED:
                self.metals.append(word if word in METAL_NAMED else self.words[self.place + 1])
            return 2
        if not self._take_single(word):
            self._guess(word)
        return 1

    def _take_single(self, word: str) -> bool:
        """Read one word that stands in a table."""
        if word in lexicon.AFTER_HEAD:
            self.after_head = True
        if word in lexicon.ON:
            self.on = True
        if word in lexicon.FILLER or singular(word) in lexicon.FILLER:
            return True
        if re.fullmatch(lexicon.RESOLUTION, word):
            self.reading.notes.append(f"The prompt does not set the size: “{word}” is left out.")
            return True
        bare = singular(word)
        if self._take_effect(word, bare):
            return True
        if word in lexicon.SIZES:
            self.reading.scale *= lexicon.SIZES[word]
            self._spent()
            return True
        family = FAMILY_WORDS.get(word) or FAMILY_WORDS.get(bare)
        word = _ISH.get(word, word)
        known_colour = word in NAMED or word == "gray" or re.fullmatch(r"#([0-9a-f]{6}|[0-9a-f]{3})", word) is not None
        if bare in METAL_NAMED:
            self.metals.append(bare)
        if known_colour:
            self._take_colour(word)
        if family is not None:
            self._take_family(family, word)
        return known_colour or family is not None or bare in METAL_NAMED

    def _take_effect(self, word: str, bare: str) -> bool:
        for prefix in ("", "un", "non-"):
            stem = word.removeprefix(prefix) if prefix and word not in lexicon.ADJECTIVES else word
            effects = lexicon.ADJECTIVES.get(stem) or lexicon.COVERS.get(stem) or lexicon.COVERS.get(singular(stem))
            if effects is not None and (not prefix or stem != word):
                self._apply(effects, negated=self.negated != bool(prefix))
                return True
        if bare == "leaf" and self.after_head:
            self._apply({"leaves": 0.6}, negated=self.negated)
            return True
        return False

    def _apply(self, effects: dict[str, float], negated: bool) -> None:
        for name, amount in effects.items():
            low = -1.0 if name in lexicon.SIGNED else 0.0
            value = 0.0 if negated else min(1.0, max(low, amount * self.strength))
            before = self.reading.effects.get(name)
            keep = before is not None and not negated and amount != 0.0 and abs(before) > abs(value)
            self.reading.effects[name] = before if keep and before is not None else value
        self._spent()

    def _take_colour(self, word: str) -> None:
        self.colours.append(word)
        self._spent()

    def _take_family(self, family: str, word: str) -> None:
        self.matches.append(_Match(self.place, family, word, self.after_head, self.negated, self.strength))
        self._spent()

    def _spent(self) -> None:
        """Strength and negation hold for the next telling word only."""
        self.negated, self.strength = False, 1.0

    def _guess(self, word: str) -> None:
        stand_in = lexicon.STAND_INS.get(word) or lexicon.STAND_INS.get(singular(word))
        meant = "" if stand_in else nearest(word)
        if stand_in:
            title = BY_NAME[stand_in].title.lower()
            self.reading.notes.append(f"There is no “{word}” here; {title} comes nearest.")
            self._take_family(stand_in, word)
        elif meant and self._take_single(meant):
            self.reading.notes.append(f"I read “{word}” as “{meant}”.")
        else:
            if not re.fullmatch(r"\d+(px|k|m|cm|mm)?", word):
                self.unknown.append(word)
            self._spent()

    def _choose_family(self) -> None:
        """Take the last telling family before "with", "on" and the like; the others become cover or a note."""
        free = [match for match in self.matches if not match.negated]
        heads = [match for match in free if not match.after_head] or free
        beneath = [match for match in free if match.after_head]
        if self.on and beneath and all(match.family in lexicon.AS_COVER for match in heads):
            heads = beneath
        strong = [
            match for match in heads if singular(match.word) not in lexicon.WEAK and match.word not in lexicon.WEAK
        ]
        chosen = (strong or heads)[-1] if heads else None
        if chosen is None:
            self._fall_back()
        else:
            self.reading.family = chosen.family
            if self.unknown:
                self.reading.notes.append(f"I do not know {_quoted(self.unknown)}; left out.")
        for match in self.matches:
            if match is not chosen and (chosen is None or match.family != chosen.family):
                self._use_as_cover(match, chosen)

    def _use_as_cover(self, match: _Match, chosen: _Match | None) -> None:
        cover = lexicon.AS_COVER.get(match.family)
        weak = singular(match.word) in lexicon.WEAK or match.word in METAL_NAMED
        if match.negated:
            for name in cover or {}:
                self.reading.effects[name] = 0.0
        elif cover is not None and not (weak and not match.after_head):
            self.strength = match.strength
            self._apply(cover, negated=False)
        elif chosen is not None and not weak and BY_NAME[match.family].group != BY_NAME[chosen.family].group:
            self.reading.notes.append(f"Two materials were named; made “{chosen.word}” and left out “{match.word}”.")

    def _fall_back(self) -> None:
        """Name the nearest family when none was named, and say so."""
        reading = self.reading
        for effect, family in _BY_EFFECT:
            if reading.effects.get(effect, 0.0) > 0.0 and not self.unknown:
                reading.family = family
                reading.notes.append(
                    f"No material was named; made {BY_NAME[family].title.lower()}, going by the adjectives."
                )
                return
        if self.unknown:
            words = sorted(word for word in FAMILY_WORDS if " " not in word)
            near = difflib.get_close_matches(self.unknown[-1], words, n=1, cutoff=0.8)
            reading.family = FAMILY_WORDS[near[0]] if near else DEFAULT_FAMILY
            title = BY_NAME[reading.family].title.lower()
            reading.notes.append(f"I do not know {_quoted(self.unknown)}; made {title}, the nearest I know.")
        elif self.metals:
            reading.family = "brushed_metal"
        else:
            reading.notes.append(f"No material was named; made {BY_NAME[DEFAULT_FAMILY].title.lower()}.")

    def _choose_colour(self) -> None:
        reading, row = self.reading, BY_NAME[self.reading.family]
        if self.metals and row.metal:
            reading.metal = self.metals[-1]
            for name, amount in lexicon.METAL_ADJECTIVES.get(self.metals[-1], {}).items():
                reading.effects.setdefault(name, amount)
        plain = [colour for colour in self.colours if not (row.metal and colour in METAL_NAMED)]
        if plain:
            reading.colour = plain[0]
            if len(set(plain)) > 1:
                reading.notes.append(f"Several colours were named; used {plain[0]}.")
        elif self.colours and not row.metal:
            reading.colour = self.colours[0]
        own = {word for name, word in (("oak", "walnut"), ("oak", "mahogany"))} & set(self.words)
        if own and reading.colour is None:
            reading.colour = {"walnut": "chocolate", "mahogany": "sienna"}[sorted(own)[0]]


def _quoted(words: list[str]) -> str:
    unique = list(dict.fromkeys(words))
    return ", ".join(f"“{word}”" for word in unique)


def read(prompt: str) -> Reading:
    """Understand a prompt as far as the tables reach; never fails, and says what it could not use."""
    return _Reader(prompt).read()

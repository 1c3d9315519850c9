"""German prompts and pictures of things, in English; English prompts are left alone."""

from __future__ import annotations

import pytest

from generators.procedural import lexicon
from generators.procedural.family_table import FAMILIES
from generators.procedural.foreign import GERMAN, PICTURES, in_english
from generators.procedural.palette import METAL_NAMED, NAMED
from generators.procedural.prompt import read


@pytest.mark.parametrize(
    ("german", "english"),
    [
        ("Kopfsteinpflaster", "cobblestone"),
        ("alte, verwitterte Eichendielen", "old, weathered oak plank"),
        ("Sandsteinmauer mit Rissen", "sandstone wall with crack"),
        ("SCHWARZER GRANIT", "black granite"),
        ("Moos auf Schieferdach", "moss on slate roof"),
    ],
)
def test_german_is_read(german: str, english: str) -> None:
    assert in_english(german) == (english, [f"I read this as German: “{english}”."])


@pytest.mark.parametrize(
    "prompt",
    ["wet red bricks", "hell rot", "grandfather wall", "rotund matt sand", "old rotten wood", "gold", "", "warm"],
)
def test_english_is_left_alone(prompt: str) -> None:
    assert in_english(prompt) == (prompt, [])


def test_no_word_of_ours_is_taken_for_german() -> None:
    words = {name for family in FAMILIES for name in (family.title.lower(), *family.words)}
    for word in sorted({*words, *lexicon.ADJECTIVES, *lexicon.COVERS, *lexicon.SIZES, *NAMED, *METAL_NAMED}):
        assert not any("German" in note for note in read(word).notes), word
        assert not any("German" in note for note in read(f"{word}s").notes), word


def test_pictures_are_named_once() -> None:
    assert in_english("🧱🧱") == (" bricks  bricks ", ["I read 🧱 as “bricks”."])


@pytest.mark.parametrize("words", sorted({*GERMAN.values(), *PICTURES.values()}))
def test_every_translation_is_understood(words: str) -> None:
    assert not any("do not know" in note for note in read(words).notes), words

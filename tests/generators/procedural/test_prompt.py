"""What prompts are understood as; the table is the contract."""

import subprocess
import sys

import pytest

from generators.procedural import lexicon
from generators.procedural.family_table import BY_NAME, FAMILIES
from generators.procedural.palette import (
    METAL_NAMED,
    NAMED,
    hex_from_linear,
    linear_from_hex,
    linear_from_name,
    oklab_from_linear,
    recolour,
)
from generators.procedural.prompt import FAMILY_WORDS, colour_named, read, singular, tokens

CASES: list[tuple[str, str, dict[str, float], str | None, str | None, float]] = [
    ("wet mossy red bricks", "bricks", {"wetness": 0.7, "moss": 0.6}, "red", None, 1.0),
    ("brick wall with moss", "bricks", {"moss": 0.6}, None, None, 1.0),
    ("bricks covered in snow", "bricks", {"snow": 0.6}, None, None, 1.0),
    ("a concrete wall", "concrete", {}, None, None, 1.0),
    ("golden hammered metal", "hammered_metal", {}, None, "golden", 1.0),
    ("rusty blue painted metal, scratched", "painted_metal", {"rust": 0.6, "scratches": 0.6}, "blue", None, 1.0),
    ("old cracked white plaster", "plaster", {"wear": 0.5, "dirt": 0.3, "cracks": 0.6}, "white", None, 1.0),
    ("snowy cobblestone road", "cobblestone", {"snow": 0.6}, None, None, 1.0),
    ("dark polished oak planks", "planks", {"brightness": -0.5, "polish": 0.8}, None, None, 1.0),
    ("leaves on grass", "grass", {"leaves": 0.6}, None, None, 1.0),
    ("fallen leaves", "forest_floor", {}, None, None, 1.0),
    ("wall of stone bricks", "stone_wall", {}, None, None, 1.0),
    ("purple dragon scales", "scales", {}, "purple", None, 1.0),
    ("painted green wooden planks", "planks", {"paint": 1.0}, "green", None, 1.0),
    ("polished chrome", "brushed_metal", {"polish": 0.8}, None, "chrome", 1.0),
    ("#3366AA plastic", "plastic", {}, "#3366aa", None, 1.0),
    ("denim jeans", "denim", {}, None, None, 1.0),
    ("very large cobbles", "cobblestone", {}, None, None, 1.6),
    ("small hexagon tiles", "hexagons", {}, None, None, 0.6),
    ("unpolished granite", "granite", {"roughness": 0.35}, None, None, 1.0),
    ("sci-fi panels", "scifi_panels", {}, None, None, 1.0),
    ("muddy forest floor", "forest_floor", {"dirt": 0.7, "wetness": 0.3}, None, None, 1.0),
    ("bricks without moss", "bricks", {"moss": 0.0}, None, None, 1.0),
    ("bricks, no moss, not wet", "bricks", {"moss": 0.0, "wetness": 0.0}, None, None, 1.0),
    ("non-rusty diamond plate", "diamond_plate", {"rust": 0.0}, None, None, 1.0),
    ("snow covered roof shingles", "roof_shingles", {"snow": 0.6}, None, None, 1.0),
    ("moss-covered stone wall", "stone_wall", {"moss": 0.6}, None, None, 1.0),
    ("sky blue ceramic tiles", "ceramic_tiles", {}, "azure", None, 1.0),
    ("autumn leaves on wet asphalt", "asphalt", {"wetness": 0.7, "leaves": 0.6}, None, None, 1.0),
    ("less moss, more cracks on a stone wall", "stone_wall", {"moss": 0.27, "cracks": 0.84}, None, None, 1.0),
    ("sRGB #aabbcc plaster", "plaster", {}, "#aabbcc", None, 1.0),
    ("#abc metal", "brushed_metal", {}, "#abc", None, 1.0),
    ("bluish slate", "slate", {}, "blue", None, 1.0),
    ("rose gold hammered", "hammered_metal", {}, None, "rosegold", 1.0),
    ("rustic wood", "oak", {"wear": 0.45, "warmth": 0.1}, None, None, 1.0),
    ("stainless steel, brushed", "brushed_metal", {}, None, "steel", 1.0),
    ("rusty iron plates", "brushed_metal", {"rust": 0.6}, None, "iron", 1.0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_prompt_is_read_as_the_table_says(
    case: tuple[str, str, dict[str, float], str | None, str | None, float],
) -> None:
    prompt, family, effects, colour, metal, scale = case
    reading = read(prompt)
    assert (reading.family, reading.effects, reading.colour, reading.metal) == (family, effects, colour, metal)
    assert reading.scale == pytest.approx(scale)
    assert reading.notes == []


SAID: list[tuple[str, str, str | None, str]] = [
    ("small white subway tiles with dark grout", "subway_tiles", "white", "left out “dark grout”"),
    ("white marble with black veins", "marble", "white", "left out “black veins”"),
    ("glass", "ice", None, "There is no “glass” here; ice comes nearest."),
    ("pink silk", "linen", "pink", "There is no “silk” here"),
    ("seamless 4k concrete texture", "concrete", None, "“4k” is left out"),
    ("Minecraft grass block", "grass", None, "I do not know “minecraft”; left out."),
    ("marbel, white", "marble", "white", "I read “marbel” as “marble”."),
    ("🧱 red", "bricks", "red", "I read 🧱 as “bricks”."),
    ("weißer Marmor", "marble", "white", "I read this as German: “white marble”."),
    ("rote nasse Ziegelsteine", "bricks", "red", "I read this as German: “red wet brick”."),
    ("Ziegelmauer mit Moos", "bricks", None, "“brick wall with moss”"),
    ("Holzdielen, dunkel", "planks", None, "“wood plank, dark”"),
    ("Wellblech ohne Rost", "corrugated_metal", None, "“corrugated metal without rust”"),
]


@pytest.mark.parametrize("case", SAID, ids=lambda case: case[0])
def test_what_was_made_of_hard_words_is_said(case: tuple[str, str, str | None, str]) -> None:
    prompt, family, colour, words = case
    reading = read(prompt)
    assert (reading.family, reading.colour) == (family, colour)
    assert any(words in note for note in reading.notes), reading.notes
    assert len(reading.notes) == 1


@pytest.mark.parametrize("prompt", ["glass", "block", "carbon", "octane", "wal", "dunes of dust"])
def test_other_words_are_not_taken_for_slips(prompt: str) -> None:
    assert not any("I read" in note for note in read(prompt).notes)


def test_dark_grout_does_not_darken_the_tiles() -> None:
    assert read("small white tiles with dark dirty grout").effects == {}
    assert read("white tiles with dark grout and moss").effects == {"moss": 0.6}


@pytest.mark.parametrize(
    "prompt", ["", "   ", "…!!!", "moss " * 400, "🦄", "\0\n\t", "ÄÖÜ" * 300, "-" * 50, "with with with"]
)
def test_anything_at_all_is_read(prompt: str) -> None:
    reading = read(prompt)
    assert reading.family in BY_NAME
    assert reading.notes or "moss" in prompt


def test_light_blue_is_a_colour_and_no_state_of_the_planks() -> None:
    """So that it is the coat of paint that is light, and not the wood under it."""
    plain, light, dark = (read(f"{word} green painted planks") for word in ("", "light", "dark"))
    assert plain.effects == light.effects == dark.effects == {"paint": 1.0}
    lightness = []
    for reading in (dark, plain, light):
        assert reading.colour is not None and reading.notes == []
        rgb = linear_from_name(reading.colour)
        assert rgb is not None and rgb[1] > rgb[0] and rgb[1] > rgb[2]
        lightness.append(oklab_from_linear(rgb)[0])
    assert lightness[0] + 0.08 < lightness[1] < lightness[2] - 0.08
    assert read("dark planks, green").effects == {"brightness": -0.5}


@pytest.mark.parametrize("word", sorted(NAMED))
def test_codes_are_read_back(word: str) -> None:
    rgb = linear_from_name(word)
    assert rgb is not None and hex_from_linear(rgb) == NAMED[word]


def test_stand_ins_are_families_and_are_not_known_otherwise() -> None:
    for word, family in lexicon.STAND_INS.items():
        assert family in BY_NAME and word not in FAMILY_WORDS and word not in lexicon.ADJECTIVES, word


def test_colours_by_their_everyday_names() -> None:
    assert [colour_named(words) for words in ("Sky Blue", "bluish", "TEAL", " navy  blue ", "#ABC")] == [
        "azure", "blue", "teal", "navy", "#abc",
    ]  # fmt: skip
    assert linear_from_name("#abc") == linear_from_name("#aabbcc")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_name_and_synonym_finds_its_family(family: object) -> None:
    row = BY_NAME[getattr(family, "name", "")]
    for word in (row.name.replace("_", " "), row.title.lower(), *row.words):
        reading = read(word)
        assert reading.family == row.name, word
        assert not any("do not know" in note for note in reading.notes), word


def test_no_synonym_is_claimed_twice() -> None:
    seen: dict[str, str] = {}
    for family in FAMILIES:
        for word in family.words:
            assert seen.setdefault(word, family.name) == family.name, word


def test_strength_scales_and_negation_zeroes_the_next_word_only() -> None:
    plain, slight, very = (read(f"{word} wet mossy bricks").effects for word in ("", "slightly", "very"))
    assert slight["wetness"] < plain["wetness"] < very["wetness"] <= 1.0
    assert slight["moss"] == plain["moss"] == very["moss"]


def test_an_unknown_word_is_named_and_the_nearest_family_made() -> None:
    reading = read("flurbish")
    assert reading.family == "plaster"
    assert reading.notes == ["I do not know “flurbish”; made plaster, the nearest I know."]


def test_a_typing_slip_is_read_and_said() -> None:
    reading = read("mossy brikcs")
    assert reading.family == "bricks"
    assert reading.notes and "brikcs" in reading.notes[0]


def test_a_word_left_out_beside_a_known_family_is_named() -> None:
    reading = read("xyzzy bricks")
    assert reading.family == "bricks"
    assert reading.notes == ["I do not know “xyzzy”; left out."]


def test_two_materials_are_settled_aloud() -> None:
    reading = read("denim and granite")
    assert reading.family == "granite"
    assert any("denim" in note for note in reading.notes)


def test_nothing_said_makes_something_and_says_so() -> None:
    assert read("").notes == ["No material was named; made plaster."]
    assert read("rusty").family == "rust"


def test_every_adjective_has_a_known_effect_within_its_range() -> None:
    for table in (lexicon.ADJECTIVES, lexicon.COVERS, lexicon.AS_COVER):
        for word, effects in table.items():
            for name, amount in effects.items():
                assert name in lexicon.EFFECTS, word
                assert (-1.0 if name in lexicon.SIGNED else 0.0) <= amount <= 1.0, word


@pytest.mark.parametrize("word", sorted(lexicon.ADJECTIVES))
def test_every_adjective_is_understood_over_bricks(word: str) -> None:
    reading = read(f"{word} bricks")
    assert reading.family == "bricks"
    assert reading.effects == lexicon.ADJECTIVES[word]
    assert reading.notes == []


def test_plurals_fold_to_singulars() -> None:
    pairs = {
        "bricks": "brick",
        "leaves": "leaf",
        "mosses": "moss",
        "grass": "grass",
        "boxes": "box",
        "berries": "berry",
    }
    assert {plural: singular(plural) for plural in pairs} == pairs


def test_tokens_keep_codes_hyphens_and_breaks() -> None:
    assert tokens("Sci-Fi panels, #A0b1C2!") == ["sci-fi", "panels", ",", "#a0b1c2"]


def test_colours_are_real_and_codes_are_checked() -> None:
    for word in (*NAMED, *METAL_NAMED):
        rgb = linear_from_name(word, metal=True)
        assert rgb is not None and all(0.0 <= part <= 1.0 for part in rgb)
    assert linear_from_name("gray") == linear_from_name("grey")
    assert linear_from_name("flurbish") is None
    with pytest.raises(ValueError, match="six hexadecimal digits"):
        linear_from_hex("#12345")


def test_recolouring_moves_the_mean_to_the_colour() -> None:
    stops = [linear_from_hex(code) for code in ("#4e2019", "#97452f", "#b8735a")]
    blue = linear_from_hex("#2a56a0")
    moved = recolour(stops, blue)
    mean = [sum(stop[i] for stop in moved) / 3 for i in range(3)]
    assert mean[2] > mean[1] > mean[0]
    lightness = [sum(stop) for stop in moved]
    assert lightness == sorted(lightness)


def test_reading_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, generators.procedural, generators.procedural.prompt as p; p.read('wet bricks'); "
    code += "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_family_words_cover_every_family() -> None:
    assert set(FAMILY_WORDS.values()) == set(BY_NAME)

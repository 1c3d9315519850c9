"""Whatever happens to a file on its way, every decoder answers with an asset or with words."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from engines.assets import Asset, Clip, Sound
from engines.errors import EnginesError
from engines.export import export
from engines.formats.registry import Limits, decoder, format_named
from engines.hosts import host
from tests.engines.captures import PHOTOGRAPHS, capture
from tests.engines.neutral_assets import image

LIMITS = Limits(max_pixels=2**20, max_clip_pixels=2**22, max_samples=2**20)
SOURCES: dict[str, Asset | None] = {
    "png": image(1, 24),
    "jpeg": image(1, 24),
    "exr": image(1, 24),
    "mp4": Clip(np.repeat(image(1, 24).pixels[None], 5, axis=0)),
    "wav": Sound(np.linspace(-1, 1, 400, dtype=np.float32).reshape(200, 2)),
    "zip": None,  # a file, made in the test's own folder
}


def damaged(whole: bytes, seed: int) -> bytes:
    """Bytes changed (mostly in the head), cut off or pushed in."""
    dice = random.Random(seed)
    data = bytearray(whole)
    for _ in range(dice.randint(1, 5)):
        near = min(len(data), 400) if dice.random() < 0.7 else len(data)
        at = dice.randrange(near)
        match dice.choice(("change", "change", "cut", "insert")):
            case "change":
                data[at] = dice.choice((0, 127, 128, 255, dice.randrange(256)))
            case "cut":
                del data[max(at, 1) :]
            case _:
                data[at:at] = dice.randbytes(dice.randint(1, 9))
    return bytes(data)


def hold(tmp_path: Path, name: str, first: int, count: int) -> None:
    source = SOURCES[name]
    source = source or capture(tmp_path / "source.zip", PHOTOGRAPHS)
    [file] = export(source, host("blender"), tmp_path, formats={source.kind: name}, provenance={"seed": 1})
    whole = (tmp_path / file.file).read_bytes()
    path, decode = tmp_path / "damaged", decoder(format_named(name))
    told = 0
    for seed in range(first, first + count):
        path.write_bytes(damaged(whole, seed))
        try:
            assert type(decode(path, LIMITS)) is type(source), f"{name}, seed {seed}"
        except EnginesError as refused:
            told += 1
            assert refused.message
    assert told > count // 4, "damage that is hardly ever noticed is no damage"


@pytest.mark.parametrize("name", SOURCES)
def test_damage_is_refused_in_words(name: str, tmp_path: Path) -> None:
    hold(tmp_path, name, 0, 300)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_much_damage_is_refused_in_words(name: str, tmp_path: Path) -> None:
    hold(tmp_path, name, 1000, 20_000)

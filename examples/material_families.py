"""Draw all material families, lit and tiled 2 × 2, into sheets: `python examples/material_families.py OUT`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from engines.assets import Material
from engines.thumbnail import lit_tile
from generators.events import Produced, Request
from generators.procedural.family_table import FAMILIES
from generators.procedural.material import run
from generators.procedural.material_spec import ProceduralMaterialParams

SIZE_PX = 512
COLUMNS, ROWS = 5, 4


class Context:
    """A run that nobody watches."""

    device = "cpu"
    scratch = Path(tempfile.gettempdir())
    wants_previews = False

    def check(self) -> None:
        """Never cancelled."""


def picture(family: str) -> np.ndarray:
    """The family's material, seed 1: uint8 [SIZE_PX, SIZE_PX, 3]."""
    params = msgspec.convert({"family": family, "size_px": SIZE_PX}, ProceduralMaterialParams)
    made = next(event.asset for event in run(Request(params, 1), Context()) if isinstance(event, Produced))
    assert isinstance(made, Material)
    return lit_tile(made, SIZE_PX, tiles=2)


def main() -> None:
    """Write `families_1.png` and so on into the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("expected a folder: python examples/material_families.py OUT")
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    step = COLUMNS * ROWS
    for sheet, start in enumerate(range(0, len(FAMILIES), step), 1):
        page = Pillow.new("RGB", (COLUMNS * SIZE_PX, ROWS * SIZE_PX))
        for place, family in enumerate(FAMILIES[start : start + step]):
            at = (place % COLUMNS * SIZE_PX, place // COLUMNS * SIZE_PX)
            page.paste(Pillow.fromarray(picture(family.name)), at)
            ImageDraw.Draw(page).text(
                (at[0] + 8, at[1] + 6), family.title, fill="white", stroke_width=2, stroke_fill="black"
            )
        page.save(out / f"families_{sheet}.png")
        print(out / f"families_{sheet}.png")


if __name__ == "__main__":
    main()

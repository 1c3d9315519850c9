"""Run by a Python that has Blender as its module: times what only Blender can do. `python inside_blender.py FOLDER`.

`FOLDER/material.json` is a delivery; `FOLDER/seconds.json` is what comes of it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5


def main(folder: Path) -> None:
    """Place the material on a new wall, over and over, and have its pictures decoded, which drawing them needs."""
    sys.path.insert(0, str(ROOT))
    import bpy

    from blender_addon.core.delivered import Delivered
    from blender_addon.placement import Target, place

    delivered = Delivered.from_json((folder / "material.json").read_text("utf-8"))
    found: dict[str, list[float]] = {"placed": [], "decoded": []}
    for _ in range(ROUNDS):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.ops.mesh.primitive_plane_add()
        began = time.perf_counter()
        place(delivered, Target("active_slot", preview="later"))
        placed = time.perf_counter()
        for image in bpy.data.images:
            _decode(image)
        found["placed"].append(placed - began)
        found["decoded"].append(time.perf_counter() - placed)
    (folder / "seconds.json").write_text(json.dumps(found), "utf-8")


def _decode(image: Any) -> None:
    """As the first drawing of it would."""
    image.pixels[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)  # some Blenders crash or hang in their own clean-up

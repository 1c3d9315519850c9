"""Runs one case inside Blender's Python module: `python in_blender.py FILE:FUNCTION FOLDER`.

The case is a function of `tests/blender_addon/cases/FILE.py` that takes the folder and the inputs (read from
`inputs.json` there) and returns what the test is to judge, written to `result.json`. The process ends by
`os._exit`: some Blenders crash or hang in their own clean-up.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(case: str, folder: Path) -> int:
    """0 when the case returned, 1 when it raised; then the traceback is on stderr."""
    sys.path.insert(0, str(ROOT))
    import bpy

    # Blender's own add-ons may warn; ours may not.
    warnings.filterwarnings("error", module=r"blender_addon(\..*)?")
    module, function = case.split(":")
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        inputs = json.loads((folder / "inputs.json").read_text("utf-8"))
        result = getattr(importlib.import_module(f"tests.blender_addon.cases.{module}"), function)(folder, inputs)
        (folder / "result.json").write_text(json.dumps(result), "utf-8")
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

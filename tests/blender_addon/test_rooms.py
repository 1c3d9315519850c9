"""The rooms of the add-on: only its adapters know Blender, and nothing knows where it is installed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "blender_addon"
BLENDER = {"bpy", "bpy_extras", "mathutils", "gpu", "gpu_extras", "blf", "addon_utils", "imbuf"}
ADAPTERS = ("ui", "placement", "capture", "provenance.py")
SOURCES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_adapters_know_blender(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")
    allowed = {*sys.stdlib_module_names, "numpy"}
    if path.relative_to(ROOT).parts[0] in ADAPTERS:
        allowed |= BLENDER
    if path.name == "client_core.py":
        allowed |= {"python_client"}  # in a checkout; the built add-on has its copy inside
    absolute = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    }
    assert absolute <= allowed, f"{path.name} imports {absolute - allowed}"


def test_the_licence_is_there() -> None:
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text("utf-8")

"""The rooms of the house: who may import whom, held against every source file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("bridge", "engines", "generators", "python_client", "blender_addon")
LIGHT = {
    "generators.spec",
    "generators.events",
    "generators.catalog",
    "generators.recipes",
    "generators.errors",
    "generators.pipe",
}
"""The files of `generators` that the bridge may see; they stay stdlib and msgspec."""

ALLOWED: dict[str, set[str]] = {
    "bridge": {"bridge", "engines", *LIGHT},
    "bridge.cli": {"bridge", "engines", "python_client", *LIGHT},
    "engines": {"engines"},
    "generators": {"generators", "engines"},
    "python_client": set(),  # relative imports only: it is copied into other programs under other names
    "blender_addon": set(),  # the same: Blender gives it a name of its own
    "blender_addon.core.client_core": {"python_client"},  # in a checkout; a build has its own copy
}
HEAVY = {"torch", "diffusers", "transformers", "av", "trimesh", "pxr", "OpenEXR", "PIL", "zstandard", "gsplat"}
"""Packages that no module of these rooms may import at its top level, except where they are the point."""
HEAVY_ALLOWED = {"generators": {"torch"}}


def sources() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from generators import spec` names the module generators.spec
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def room_of(module: str) -> str:
    return max((room for room in ALLOWED if module == room or module.startswith(room + ".")), key=len)


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_run_one_way(path: Path) -> None:
    module = module_name(path)
    allowed = ALLOWED[room_of(module)]
    wrong = [
        f"{path.name}:{line} imports {name}"
        for name, line in imports(ast.parse(path.read_text("utf-8")))
        if name.split(".")[0] in ROOMS and not any(name == door or name.startswith(door + ".") for door in allowed)
    ]
    assert not wrong, f"{module} may import only {sorted(allowed)}"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_heavy_packages_are_imported_late(path: Path) -> None:
    module = module_name(path)
    allowed = HEAVY_ALLOWED.get(module.split(".")[0], set())
    tree = ast.parse(path.read_text("utf-8"))
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))], type_ignores=[]
    )
    wrong = [name for name, _ in imports(top) if name.split(".")[0] in HEAVY - allowed]
    assert not wrong, f"{module} loads {wrong} just by being imported"


def test_client_core_needs_only_the_standard_library() -> None:
    known = set(sys.stdlib_module_names)
    for path in sorted((ROOT / "python_client").rglob("*.py")):
        foreign = {name.split(".")[0] for name, _ in imports(ast.parse(path.read_text("utf-8")))} - known
        assert not foreign, f"{path.name} imports {foreign}"


def test_light_files_load_nothing_heavy() -> None:
    modules = sorted(module for module in LIGHT if (ROOT / (module.replace(".", "/") + ".py")).exists())
    program = f"import sys, {', '.join(modules)}; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not (HEAVY | {"numpy"}) & set(loaded)

"""`scenecast blender-addon`: builds the Blender extension and installs it into a Blender of this computer."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from bridge.cli.console import UsageError, out

FOLDERS = ("core", "ui", "placement", "capture")
FILES = ("__init__.py", "provenance.py", "blender_manifest.toml", "LICENSE")
NOT_SHIPPED = "testing"
"""Beginning of the names of the client's files that only tests need."""
CLIENT = "scenecast_client"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that the same source gives the same bytes."""
BY_HAND = (
    "In Blender 4.2 or newer: Edit > Preferences > Get Extensions > the arrow at the top right > "
    "Install from Disk…, and choose this file; or drop the file onto Blender's window."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, help_ in (("build", "write the extension as a zip"), ("install", "build it and install it into Blender")):
        action = actions.add_parser(name, help=help_)
        action.add_argument("--out", type=Path, help="the zip or folder to write to (default: this folder)")
        action.add_argument("--blender", default="", help="Blender's program; looked for in the usual places if absent")


def run(arguments: argparse.Namespace) -> int:
    """Build, check and perhaps install."""
    archive = build(target(arguments.out))
    blender = find_blender(arguments.blender)
    checker = validator(blender)
    if checker:
        _call([*checker, str(archive)], "Blender's own check refuses the extension")
    out().print(str(archive))
    if arguments.action == "install":
        if blender is None:
            out().print(BY_HAND)
            raise UsageError("no Blender was found to install into", remedy="name it with --blender, or do it by hand")
        install = [str(blender), "--command", "extension", "install-file", "-r", "user_default", "--enable"]
        _call([*install, str(archive)], "Blender did not take the extension")
        out().print(f"Installed into {blender}. The panel is in the 3D Viewport's sidebar (N), tab Scenecast.")
    return 0


def target(wanted: Path | None) -> Path:
    """The zip to write: the one named, or one with its usual name in the folder named, else in this folder."""
    usual = f"scenecast-{version()}.zip"
    if wanted is None:
        return Path.cwd() / usual
    return wanted / usual if wanted.is_dir() else wanted


def build(archive: Path) -> Path:
    """Write the extension; the same source gives the same bytes. Raises `UsageError` when its source is not there."""
    files = contents()
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f"{archive.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for name, data in sorted(files.items()):
            row = zipfile.ZipInfo(name, EPOCH)
            row.compress_type, row.create_system, row.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            zipped.writestr(row, data)
    os.replace(part, archive)
    return archive


def contents() -> dict[str, bytes]:
    """Every file of the extension by its name in the zip: the add-on, and the client core copied in."""
    addon, client = source_folder("blender_addon"), source_folder("python_client")
    files = {name: (addon / name).read_bytes() for name in FILES}
    for folder in FOLDERS:
        for path in sorted((addon / folder).rglob("*.py")):
            files[path.relative_to(addon).as_posix()] = path.read_bytes()
    for path in sorted(client.glob("*.py")):
        if not path.name.startswith(NOT_SHIPPED):
            files[f"{CLIENT}/{path.name}"] = path.read_bytes()
    files[f"{CLIENT}/LICENSE"] = _licence(client)
    return files


def version() -> str:
    """The extension's version, from its manifest."""
    import tomllib

    manifest = tomllib.loads((source_folder("blender_addon") / "blender_manifest.toml").read_text("utf-8"))
    return str(manifest["version"])


def source_folder(package: str) -> Path:
    """Where a package of ours lies, in a checkout or installed; nothing of it is imported. Raises `UsageError`."""
    beside = Path(__file__).resolve().parents[2] / package
    if (beside / "__init__.py").is_file():
        return beside
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        if (Path(folder) / "__init__.py").is_file():
            return Path(folder)
    raise UsageError(
        f"the source of {package} is not installed beside Scenecast",
        remedy="run this in a checkout of the project, or reinstall Scenecast",
    )


def find_blender(given: str = "") -> Path | None:
    """Blender's program: the one given, else the first in the usual places. Raises `UsageError` for a wrong one."""
    if given:
        named = shutil.which(given)
        if named is None:
            raise UsageError(f"{given} is no program", remedy="give the path of Blender itself")
        return Path(named)
    found = shutil.which("blender")
    if found:
        return Path(found)
    home, programs = Path.home(), Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"))
    usual = [
        Path("/Applications/Blender.app/Contents/MacOS/Blender"),
        home / "Applications/Blender.app/Contents/MacOS/Blender",
        Path("/snap/bin/blender"),
        *sorted(programs.glob("Blender Foundation/Blender */blender.exe"), reverse=True),
        *sorted(Path("/opt").glob("blender*/blender"), reverse=True),
        *sorted(home.glob("blender*/blender"), reverse=True),
    ]
    return next((path for path in usual if path.is_file()), None)


def validator(blender: Path | None) -> list[str]:
    """The command by which Blender checks an extension, without the file; empty where no Blender is at hand."""
    if blender is not None:
        return [str(blender), "--command", "extension", "validate"]
    module = importlib.util.find_spec("bpy")
    folders = [Path(one) for one in module.submodule_search_locations or ()] if module is not None else []
    tools = [tool for folder in folders for tool in folder.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")]
    return [sys.executable, str(tools[0]), "validate"] if tools else []


def _call(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise UsageError(f"{failure}: {(done.stderr or done.stdout).strip()[-1000:]}")


def _licence(client: Path) -> bytes:
    """The licence of the client core: beside its folder in a checkout, in the metadata of an installation."""
    beside = client.parent / "LICENSE"
    if beside.is_file():
        return beside.read_bytes()
    for path in importlib.metadata.files("scenecast") or ():
        if path.name == "LICENSE":
            return path.read_binary()
    raise UsageError("the licence of the client core is missing", remedy="reinstall Scenecast")

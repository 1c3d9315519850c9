"""Building the Blender extension, checking it with Blender's own tool, and installing it into a stand-in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
import zipfile
from argparse import ArgumentParser
from pathlib import Path

import pytest

from bridge.cli import blender_addon
from bridge.cli.console import UsageError
from python_client import client


def arguments(*given: str) -> object:
    parser = ArgumentParser()
    blender_addon.add_arguments(parser)
    return parser.parse_args(given)


def stand_in(folder: Path, status: int = 0) -> Path:
    """A program in the place of Blender that writes down how it was called."""
    path = folder / "blender"
    path.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/calls"\necho refused >&2\nexit {status}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    first = blender_addon.build(tmp_path / "a" / "one.zip")
    os.utime(blender_addon.source_folder("blender_addon") / "__init__.py")
    second = blender_addon.build(tmp_path / "two.zip")
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["one.zip"]


def test_versions_agree() -> None:
    manifest = tomllib.loads(
        (blender_addon.source_folder("blender_addon") / "blender_manifest.toml").read_text("utf-8")
    )
    session = (blender_addon.source_folder("blender_addon") / "ui" / "session.py").read_text("utf-8")
    assert manifest["version"] == blender_addon.version() == client.VERSION
    assert f'VERSION = "{manifest["version"]}"' in session


def test_every_file_says_its_licence_and_imports_only_its_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(blender_addon.build(tmp_path / "x.zip")) as zipped:
        for name in zipped.namelist():
            text = zipped.read(name).decode("utf-8")
            if name.endswith(".py") and not name.startswith("scenecast_client/"):
                assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n"), name
                assert "import blender_addon" not in text and "from blender_addon" not in text, name


@pytest.mark.skipif("BLENDER_BPY_4_2" not in os.environ, reason="BLENDER_BPY_4_2 names no Python with bpy")
def test_blenders_own_check_is_content(tmp_path: Path) -> None:
    archive = blender_addon.build(tmp_path / "x.zip")
    folder = Path(os.environ["BLENDER_BPY_4_2"]).parents[1]
    (tool,) = folder.glob("lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    done = subprocess.run([sys.executable, str(tool), "validate", str(archive)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_installing_checks_first_and_enables(tmp_path: Path) -> None:
    blender, archive = stand_in(tmp_path), tmp_path / "x.zip"
    given = arguments("install", "--out", str(archive), "--blender", str(blender))
    assert blender_addon.run(given) == 0  # type: ignore[arg-type]
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"--command extension validate {archive}",
        f"--command extension install-file -r user_default --enable {archive}",
    ]
    failing = tmp_path / "failing"
    failing.mkdir()
    given = arguments("build", "--out", str(archive), "--blender", str(stand_in(failing, 1)))
    with pytest.raises(UsageError, match="refuses the extension: refused"):
        blender_addon.run(given)  # type: ignore[arg-type]


def test_without_blender_it_says_how_to_install_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(blender_addon, "find_blender", lambda given: None)
    with pytest.raises(UsageError, match="no Blender was found"):
        blender_addon.run(arguments("install", "--out", str(tmp_path / "x.zip")))  # type: ignore[arg-type]
    assert "Install from Disk" in capsys.readouterr().out
    assert blender_addon.run(arguments("build", "--out", str(tmp_path / "x.zip"))) == 0  # type: ignore[arg-type]


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no-such-blender is no program"):
        blender_addon.find_blender("no-such-blender")
    with pytest.raises(UsageError, match="not installed beside Scenecast"):
        blender_addon.source_folder("no_such_package")


def test_an_installed_source_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "addon_elsewhere"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert blender_addon.source_folder("addon_elsewhere") == package

"""The extension as an artist gets it: the built zip, installed in real Blender, with a real bridge."""

from __future__ import annotations

import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli import blender_addon
from tests.blender_addon.blenders import Blender
from tests.blender_addon.cases.serving import Serving, small_disks

pytestmark = pytest.mark.timeout(700)  # a worker that loads torch on a busy machine takes a minute

PATIENCE_SECS = 300.0


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blender_addon.build(tmp_path_factory.mktemp("zip") / "scenecast.zip")


def run(blender: Blender, case: str, folder: Path, archive: Path, **inputs: Any) -> dict[str, Any]:
    given = {"python": sys.executable, "archive": str(archive), **inputs}
    return blender.run(f"panel_cases:{case}", folder, timeout_secs=PATIENCE_SECS, **given)


def test_one_of_each_kind_is_made_and_placed_undone_saved_and_loaded(
    blender: Blender, tmp_path: Path, archive: Path
) -> None:
    seen = run(blender, "everything", tmp_path, archive)
    assert (seen["material"], seen["worn"], seen["seed"]) == ("Placed on Cube", "wet mossy red bricks", True)
    assert seen["fits"] == ["Selected object: Cube"], "where it fits is said before"
    assert seen["asset"] == [True, True], "it is in the Asset Browser, with a picture"
    assert seen["clip"] == "Placed on Cube" and seen["movies"] == ["fire loop"]
    assert seen["mesh"] == "Placed as granite rock" and seen["rock"][0] == 1 and seen["rock"][1] > 200
    assert seen["wants"] == ["Choose the mesh it is made from"]
    assert "1,000 splats of granite rock" in seen["splats"] and seen["cloud"] == 1000
    assert seen["steps"] == [True, False, True], "one step back takes the result away, one forth brings it back"
    assert seen["asked in"] == [str(tmp_path / "scene.blend")], "what was asked in an unsaved file follows its name"
    assert seen["loaded"] == [True, True, True] and seen["kept"] == 1000
    made = ["splats.from_mesh", "mesh.rock", "clip.loop", "material.procedural"]
    assert seen["list"] == [[generator, "good"] for generator in made]
    assert seen["drawn"] == [1, True]
    assert set(made[:2]) | {"clip.loop"} <= set(seen["synthetic"])
    assert seen["gone"] == [False, False], "a disabled add-on leaves nothing behind"


def test_the_panel_draws_every_state_and_every_generator(blender: Blender, tmp_path: Path, archive: Path) -> None:
    seen = run(blender, "panels", tmp_path, archive)
    alone = " ".join(seen["alone"])
    assert alone.startswith("No bridge is running The bridge is the program")
    assert "In a terminal, type: scenecast serve" in alone
    assert " ".join(seen["empty"]) == "Nothing yet. What you make appears here and stays at hand."
    assert seen["welcome"].startswith("Connected to scenecast")
    for generator, (controls, values, button, available, needs_input) in seen["generators"].items():
        assert values > controls, f"{generator} shows {values} values for {controls} parameters"
        assert button == (available and not needs_input), generator
    title, reason, button = seen["greyed"]
    assert title == "Cannot run here" and "It needs 10000 GB of GPU memory" in reason and not button
    assert any("100%" in text for text in seen["working"])
    assert seen["cancelled"] == "Cancelled"
    assert seen["failed"] == ["Failed", "The fake was told to fail: expected nothing, got this."]
    assert seen["done"] == "Kept in this file"
    assert {"Failed", "Cancelled", "Kept in this file"} <= set(seen["texts"])
    wanted = {"cancel", "again", "again_new_seed", "parameters", "copy_error", "dismiss", "clear", "place"}
    assert set(seen["buttons"]) >= {f"scenecast.{name}" for name in wanted - {"cancel"}}
    assert seen["pictures"] == [True, [0, 0, 1, 1, 1, 0, 0, 1]], "Blender counts rows from the bottom"
    assert (seen["preset"], seen["presets"]) == (0.5, ["soft"])
    assert seen["reopened"][:2] == [True, True]
    assert seen["again"] == [["FINISHED"], "Kept in this file", True]
    assert seen["cleared"] == 0


def test_trouble_is_told_and_survived(blender: Blender, tmp_path: Path, archive: Path) -> None:
    seen = run(blender, "troubles", tmp_path, archive)
    assert seen["while away"] == ["Waiting for the bridge", True]
    assert seen["asked while away"] == "Waiting for the bridge"
    assert seen["after"] == ["Kept in this file", "Kept in this file", True]
    state, code, line, problem, remedy = seen["full"]
    assert (state, code, line) == ("failed", "limit.store", "Failed")
    assert "quota" in problem and "scenecast gc" in remedy


def test_it_works_where_nothing_can_be_kept_and_says_so(blender: Blender, tmp_path: Path, archive: Path) -> None:
    folder = tmp_path / "Zoë 用户 home"
    seen = run(blender, "nowhere_to_keep", folder, archive)
    assert seen["cause"].startswith("What you make and type is not kept beyond this Blender: "), seen["cause"]
    assert seen["made"] == "Kept in this file"
    assert "Zoë 用户" in seen["home"] and "Zoë 用户" not in seen["where"]


def test_a_full_disk_is_told_and_survived(blender: Blender, tmp_path: Path, archive: Path) -> None:
    (tmp_path / "disk").mkdir()
    if not small_disks(tmp_path / "disk"):
        pytest.skip("this system lets nobody but root mount a small disk; Linux with user namespaces does")
    seen = run(blender, "full_disk", tmp_path, archive)
    state, code, line, problem, remedy = seen["large"]
    assert (state, line) == ("failed", "Failed") and code == "limit.store", seen["large"]
    assert "disk" in problem.lower() or "space" in problem.lower()
    assert remedy and "retry" in seen["buttons"]
    assert (seen["small"], seen["connection"]) == ("Kept in this file", "connected"), "what fits is made all the same"
    assert seen["mesh"][0] == "failed" and seen["images"] == 1, "nothing half made lies in the scene"


def test_things_of_the_scene_become_inputs(blender: Blender, tmp_path: Path, archive: Path) -> None:
    seen = run(blender, "inputs_from_the_scene", tmp_path, archive)
    state, said, sent = seen["splats"]
    assert state == "sending" and "1,000 splats of Suzanne" in said and sent
    assert seen["cloud"] == ["shown", ["cloud"]], "the one that is selected"
    assert "splats of" in seen["fewer"]
    assert seen["offered first"] == {
        "mesh.bake": ["active", "object"], "splats.merge": ["shown", "result", "result"],
        "splats.from_photos": ["folder", "result"],
    }, "nothing is taken twice, or by itself where it may stay empty"  # fmt: skip
    assert seen["without"] == ["Choose the picture it is made from"]
    assert seen["repaint"] == "Kept in this file"
    assert seen["left over"] == 0, "copies made for sending are removed"
    line, buttons = seen["field"]["row"]
    assert line == "Ready: look at it, or make others of it" and "view" in buttons and "place" not in buttons
    assert "scenecast.view_field" in seen["field"]["drawn"]
    said, notes, hint = seen["field"]["placed"]
    assert said == "Placed behind Eye" and hint == "ball of mist from Eye"
    # At (1, -5, 2) of Blender, looking along its +Y: (1, 2, 5) in neutral axes, looking along -Z.
    expected = np.degrees(2 * np.arctan(np.tan(0.4) / 2))
    assert [float(word) for word in notes[0].split()] == pytest.approx([1, 2, 5, 0, 0, -1, expected], abs=2e-3)
    assert seen["field"]["moved"][0] == "Placed behind Eye" and "Numpad 0" in seen["field"]["moved"][1][-1]
    assert [size for _, size in seen["field"]["behind"]] == [[200, 100]], "in the place of the view before"
    captures = seen["captures"]
    assert captures["offered"] == ["folder", "file", "around", "result", "watched"]
    said, notes, title, stages = captures["folder"]
    assert (said, notes) == ("Kept in this file", ["3 photographs, poses missing"]) and "photographs" in title
    assert {"packing", "sending"} <= set(stages), "thirty megabytes take more than one turn"
    assert captures["drawn"]
    said, notes, title, in_steps = captures["around"]
    assert (said, notes) == ("Kept in this file", ["8 photographs, poses there"]) and in_steps
    assert "from all around" in title
    assert captures["cancelled"] == ["Cancelled", 0]
    assert "There is no folder" in captures["nowhere"]


def test_the_next_blender_picks_the_job_up(blender: Blender, tmp_path: Path, archive: Path) -> None:
    scene = str(tmp_path / "house.blend")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCENECAST_RUNTIME_DIR", str(tmp_path / "runtime"))
        with Serving(sys.executable, tmp_path):
            first = run(blender, "first_blender", tmp_path, archive, scene=scene)
            second = run(blender, "second_blender", tmp_path, archive, scene=scene)
    assert first["job"] == second["job"]
    line, images, _ = second["elsewhere"]
    assert line == "Placing …" and images == 0, "another file is open: nothing is placed in it"
    assert second["placed"] == "Kept in this file"
    assert second["images"][0] == second["images"][1] and second["runs"] == 1


def test_the_zip_holds_what_it_says_and_nothing_else(archive: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        names = zipped.namelist()
        assert {row.date_time for row in zipped.infolist()} == {blender_addon.EPOCH}
        assert b"Apache License" in zipped.read("scenecast_client/LICENSE")
        assert b"GNU GENERAL PUBLIC LICENSE" in zipped.read("LICENSE")
    assert names == sorted(names) and len(set(names)) == len(names)
    endings = {Path(name).suffix for name in names if Path(name).name != "LICENSE"}
    assert endings == {".py", ".toml"}
    assert not [name for name in names if "test" in name or "__pycache__" in name or name.startswith(("/", "."))]
    assert {"__init__.py", "blender_manifest.toml", "core/hub.py", "ui/panels.py", "placement/__init__.py",
            "capture/__init__.py", "provenance.py", "scenecast_client/client.py"} <= set(names)  # fmt: skip


def test_the_manifest_keeps_the_rules_for_extensions(archive: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        manifest = tomllib.loads(zipped.read("blender_manifest.toml").decode("utf-8"))
        code = b"".join(zipped.read(name) for name in zipped.namelist() if name.endswith(".py"))
    permissions = manifest["permissions"]
    for text in (manifest["tagline"], *permissions.values()):
        assert len(text) <= 64 and text[-1].isalnum(), text
    assert set(permissions) == {"network", "files"} | ({"clipboard"} if b"clipboard" in code else set())
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later", "SPDX:Apache-2.0"], "its own, and the client core's"
    assert (manifest["blender_version_min"], manifest["schema_version"]) == ("4.2.0", "1.0.0")

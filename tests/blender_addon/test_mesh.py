"""Meshes placed in real Blender, right way round; and what happens to damaged deliveries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Asset, Clip, Mesh, Sound
from engines.asymmetric import asymmetric_image, asymmetric_material, asymmetric_mesh, asymmetric_splats, findings
from engines.hosts import host
from engines.transforms import NEUTRAL, frame_of, move_mesh
from tests.blender_addon.blenders import Blender
from tests.blender_addon.deliveries import delivered
from tests.blender_addon.looking import patch, picture


def test_it_arrives_the_right_way_round(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("mesh_cases:cursor", tmp_path, mesh=delivered(asymmetric_mesh(), tmp_path / "files"))
    assert seen["placed"] == ["cursor", True, "Mesh asymmetric_f as asymmetric_f"]
    assert seen["mode"] == ["Busy", "EDIT"], "the artist is left in the mode and on the object of before"
    assert seen["again"] == [False, True, True]
    assert seen["stands"] == [[1, 2, 3], "XYZ", [0, 0, 0], [1, 1, 1], True]
    assert seen["left_over"] == [["Busy", "asymmetric_f"], []]
    assert seen["images"] == [
        ["asymmetric_f base color", True, "sRGB"],
        ["asymmetric_f emission", True, "sRGB"],
        ["asymmetric_f normal", True, "Non-Color"],
        ["asymmetric_f occlusion roughness metallic", True, "Non-Color"],
    ]
    assert seen["undone"] == [False, 1, 0]
    assert seen["redone"]
    assert seen["elsewhere"] == [True, True, True]
    assert not seen["reloaded"]
    arrays = np.load(tmp_path / "mesh.npz")
    faces = np.arange(len(arrays["positions"]), dtype=np.uint32).reshape(-1, 3)
    back = Mesh(arrays["positions"], faces, arrays["normals"], arrays["uvs"], arrays["colours"])
    assert findings(move_mesh(back, NEUTRAL, frame_of(host("blender")))) == []
    front, right = picture(seen["front"]), picture(seen["right"])
    # The picture spans x -0.6 … 0.8 and z -0.2 … 1.2; the red arm runs right at z 0.92, the stem up at x 0.06.
    assert int(np.argmax(patch(front, (0.4 + 0.6) / 1.4, (0.92 + 0.2) / 1.4))) == 0
    assert int(np.argmax(patch(front, (0.06 + 0.6) / 1.4, (0.4 + 0.2) / 1.4))) == 1
    # From the right the picture spans y -0.7 … 0.7; the blue arm comes forward, to -y, at z 0.06.
    assert int(np.argmax(patch(right, (-0.25 + 0.7) / 1.4, (0.06 + 0.2) / 1.4))) == 2
    assert np.ptp(patch(right, (0.25 + 0.7) / 1.4, (0.06 + 0.2) / 1.4)) < 0.02, "nothing behind the letter"


def test_it_takes_the_place_of_another(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("mesh_cases:replace", tmp_path, mesh=delivered(asymmetric_mesh(), tmp_path / "files"))
    assert seen["placed"][:2] == ["replace_selected", True]
    assert "vertex groups" in seen["placed"][2][0]
    assert seen["kept"] == ["Empty", ["BEVEL"], True, ["Own"], 8]
    assert seen["vertices"] == seen["redone"] > 8
    assert seen["again"] is False
    assert seen["materials"] == ["Own"], "materials that nobody wears do not stay"
    assert seen["record"] == "instead of Cube"
    assert seen["undone"] == 8
    assert seen["own_materials"] == ["asymmetric_f"]
    assert "no mesh" in seen["no_mesh"]


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("deliveries")
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    assets: dict[str, Asset] = {
        "mesh": asymmetric_mesh(),
        "splats": asymmetric_splats(),
        "material": asymmetric_material(32),
        "image": asymmetric_image(32),
        "clip": Clip(frames),
        "sound": Sound(np.zeros((480, 1), np.float32)),
    }
    return {name: delivered(asset, folder / name) for name, asset in assets.items()}


def test_what_cannot_be_placed_leaves_nothing_behind(
    blender: Blender, deliveries: dict[str, str], tmp_path: Path
) -> None:
    seen = blender.run("mesh_cases:broken", tmp_path, **dict[str, Any](deliveries))
    for name in ("mesh", "splats", "material", "image"):
        assert "cannot be read" in seen[f"gone {name}"]
    for name in deliveries:
        silent = name == "sound" and blender.version == "4.2"  # its Python module was built without sound
        assert ("built without sound" if silent else "came without") in seen[f"no {name}"]
        assert seen[f"cut {name}"]
    assert (
        "no picture" in seen["cut image"] and "no PLY" in seen["cut splats"] and "importer failed" in seen["cut mesh"]
    )
    assert "From the camera" in seen["field"]
    assert "one by one" in seen["scene"]
    assert "does not know assets of kind hologram" in seen["hologram"]

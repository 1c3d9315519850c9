"""Materials placed in real Blender: wiring, size, light, undo, and being found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.assets import Material
from engines.asymmetric import BUMP_CENTRE_UV, BUMP_RADIUS_UV, asymmetric_material
from engines.kinds import MapName
from tests.blender_addon.blenders import Blender
from tests.blender_addon.deliveries import delivered
from tests.blender_addon.looking import FloatArray, brightness, patch, picture

PRINCIPLED, OUTPUT = "BSDF_PRINCIPLED", "OUTPUT_MATERIAL.Surface"


@pytest.fixture(scope="module")
def material() -> Material:
    """The asymmetric material with every map, repeating every 1.5 m."""
    plain = asymmetric_material(64)
    maps = {**plain.maps, MapName.OPACITY: plain.maps[MapName.OCCLUSION]}
    return Material(maps, tile_m=1.5, height_m=0.03, tileable=True, ior=1.45, name="Wet bricks")


def test_the_tree_is_wired_tidy_and_found_again(blender: Blender, material: Material, tmp_path: Path) -> None:
    seen = blender.run("material_cases:tree", tmp_path, material=delivered(material, tmp_path / "files"))
    assert seen["placed"] == ["active_slot", True, "Material Wet bricks on Wall"]
    assert seen["again"] == ["active_slot", False, True, True]
    assert seen["slot"] == seen["redone"] == "Wet bricks"
    paths = {role: row["path"] for role, row in seen["wired"].items()}
    assert paths == {
        "base_color": ["MIX.A", f"{PRINCIPLED}.Base Color", OUTPUT],
        "occlusion": ["MIX.B", f"{PRINCIPLED}.Base Color", OUTPUT],
        "roughness": [f"{PRINCIPLED}.Roughness", OUTPUT],
        "metallic": [f"{PRINCIPLED}.Metallic", OUTPUT],
        "opacity": [f"{PRINCIPLED}.Alpha", OUTPUT],
        "emission": [f"{PRINCIPLED}.Emission Color", OUTPUT],
        "normal": ["NORMAL_MAP.Color", f"{PRINCIPLED}.Normal", OUTPUT],
        "height": ["DISPLACEMENT.Height", "OUTPUT_MATERIAL.Displacement"],
    }
    colours = {"base_color", "emission"}
    assert {role: row["space"] for role, row in seen["wired"].items()} == {
        role: "sRGB" if role in colours else "Non-Color" for role in paths
    }
    assert all(row["packed"] and row["fed"] and row["extension"] == "REPEAT" for row in seen["wired"].values())
    assert seen["overlapping"] == []
    assert seen["frames"] == ["Colour", "Coordinates", "Glow", "Relief", "Surface"]
    assert seen["occlusion_factor"] == 0
    assert seen["values"] == pytest.approx({"Tile size (m)": 1.5, "Metres per UV unit": 4.0})
    assert seen["relief"] == pytest.approx([0.5, 0.03])
    assert seen["method"] == "BUMP"
    assert seen["asset"] == ["Scenecast", "test.made", f"an F · Made by a test · seed {2**32 - 1}"]
    is_a_lit_sphere(np.load(tmp_path / "preview.npy"))
    assert seen["undone"] == [0, 0, 0]
    assert seen["reloaded"] == [False, True, True]
    assert seen["displaced"] == [True, "BOTH", 0.0, 1]
    assert seen["appended"][1:] == ["job-1", "test.made", 2**32 - 1, {"prompt": "an F"}, 1.7e9]
    assert seen["synthetic"] == sorted([["images", role] for role in paths] + [["materials", "material"]])


def is_a_lit_sphere(preview: FloatArray) -> None:
    """Float [256, 256, 4], bottom row first: a disc of 2 / 2.1 of the width, brighter from the upper left."""
    assert preview.shape == (256, 256, 4)
    alpha = preview[..., 3]
    assert alpha[128, 128] == 1 and alpha[2, 2] == 0
    assert abs(alpha.mean() - np.pi / 4 * (2 / 2.1) ** 2) < 0.01
    assert preview[150:200, 60:110, :3].mean() > preview[40:90, 150:200, :3].mean() + 0.1


def test_the_picture_stands_upright_and_its_bump_faces_the_light(blender: Blender, tmp_path: Path) -> None:
    files = delivered(asymmetric_material(128), tmp_path / "files")
    paths = blender.run("material_cases:light", tmp_path, material=files)
    shots = {name: picture(path) for name, path in paths.items()}
    textured = shots["textured"]
    assert np.abs(textured - shots["bare"]).mean() > 0.05
    assert int(np.argmax(patch(textured, 0.05, 0.95))) == 0, "top left is red"
    assert int(np.argmax(patch(textured, 0.95, 0.95))) == 1, "top right is green"
    assert int(np.argmax(patch(textured, 0.05, 0.05))) == 2, "bottom left is blue"
    assert patch(textured, 0.28, 0.4).max() < 0.3 < patch(textured, 0.5, 0.3).min(), "the letter is dark on light"
    u, v = BUMP_CENTRE_UV
    off = BUMP_RADIUS_UV * 0.5
    for name, shot in shots.items():
        if name in ("bare", "textured"):
            continue
        at = {"right": (u + off, v), "left": (u - off, v), "down": (u, v - off)}.get(name, (u, v + off))
        opposite = (2 * u - at[0], 2 * v - at[1])
        lit, shaded = brightness(shot, *at), brightness(shot, *opposite)
        assert lit > shaded + 0.08, f"light from {name}: {lit:.3f} towards it, {shaded:.3f} away from it"


def test_textures_lie_at_their_true_size_and_refusals_say_why(
    blender: Blender, material: Material, tmp_path: Path
) -> None:
    seen = blender.run("material_cases:scale", tmp_path, material=delivered(material, tmp_path / "files"))
    for side in ("1", "6"):
        assert seen[side] == pytest.approx({"Tile size (m)": 1.5, "Metres per UV unit": float(side)})
    assert seen["boxed"][1] == ["BOX"] and "no UV map" in seen["boxed"][0][0]
    assert "cannot wear a material" in seen["camera"]
    assert seen["auto_camera"] == "new_material"
    assert "no object 'Nobody'" in seen["gone"]
    assert "Choose Selected object or Material only" in seen["wrong_place"]

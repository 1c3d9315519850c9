"""Placing in scenes that are not plain: each does the sensible thing, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines.assets import Material
from engines.asymmetric import asymmetric_material, asymmetric_mesh, asymmetric_splats
from tests.blender_addon.blenders import Blender
from tests.blender_addon.deliveries import delivered


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("odd")
    bricks = Material(asymmetric_material(32).maps, tile_m=0.5, height_m=0.02, tileable=True)
    return {
        "material": delivered(bricks, folder / "material", name="Bricks"),
        "mesh": delivered(asymmetric_mesh(), folder / "mesh", job_id="job-2", name="Figure"),
        "splats": delivered(asymmetric_splats(), folder / "splats", job_id="job-3", name="Cloud"),
    }


def test_what_is_linked_from_another_file_is_left_alone_and_gone_around(
    blender: Blender, files: dict[str, Any], tmp_path: Path
) -> None:
    seen = blender.run("odd_cases:linked", tmp_path, **files)
    assert "Dressed is linked from another file. Make it local" in seen["linked"]
    assert "Dressed is linked from another file. Make it local" in seen["replaced"]
    assert seen["its own slot"] == ["Material Bricks on Mine", [["OBJECT", "Bricks"]], [["DATA", "Theirs"]]]
    assert "has no material slot. Make its data local" in seen["no slot"]
    assert seen["override"] == [True, [["OBJECT", "Bricks"]], False]
    assert seen["beside"] == [True, True] and seen["new in"] == ["Scene Collection"] * 2
    assert seen["active still"] == "Group"
    assert seen["on a cloud"] == [
        "Material only", "Cloud is a cloud of splats, whose colours are its own. Select a mesh or a curve",
    ]  # fmt: skip


def test_what_is_shared_hidden_or_stretched_is_told_or_met(
    blender: Blender, files: dict[str, Any], tmp_path: Path
) -> None:
    seen = blender.run("odd_cases:shared", tmp_path, **files)
    assert seen["one other"] == ["Two wears it too, sharing the same data. Make it single-user to part them."]
    assert seen["two others"][0].startswith("2 other objects wear it too")
    assert seen["hidden"] == [True, "Scene Collection"]
    assert seen["axes"] == [3.0, 0.5, 1.0], "a tile is as large on every side"
    assert seen["relief"] == [[], "WORLD"], "without UVs the height alone is true"
    assert seen["overlapping"] == []
    assert seen["text"] == ["Material Bricks on Text", "Text (Text) is no mesh. Select a mesh object"]

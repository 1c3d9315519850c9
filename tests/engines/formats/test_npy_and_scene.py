"""Arrays and scene plans as files that a program reads without us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Image, Placement, ScenePlan
from engines.conventions import Direction, Host
from engines.field_lattice import field_from_grid
from engines.formats import npy, scene
from engines.hosts import HOSTS, host
from engines.kinds import ColourSpace

WAYS: dict[Direction, tuple[int, int, int]] = {
    "right": (1, 0, 0), "left": (-1, 0, 0),
    "up": (0, 1, 0), "down": (0, -1, 0),
    "back": (0, 0, 1), "forward": (0, 0, -1),
}  # fmt: skip


def test_a_field_is_arrays_and_a_description(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sh = rng.random((2, 3, 4, 1, 3), np.float32)
    field = field_from_grid(rng.random((2, 3, 4)) + 1, sh, low_m=(-1, -2, -3), pitch_m=0.5, name="smoke")
    files = npy.encode(field, tmp_path, "smoke", host=host("python"), provenance='{"seed": 4}')
    assert [file.file for file in files] == [
        "smoke.json", "smoke_bricks.npy", "smoke_density.npy", "smoke_occupied.npy", "smoke_sh.npy"
    ]  # fmt: skip
    described = json.loads((tmp_path / "smoke.json").read_text("utf-8"))
    assert described["kind"] == "field"
    assert described["meta"] == {
        "cells": 8, "centre_m": [1, 0, -1], "radius_m": 1, "contracted": False, "near_m": 0, "backdrop": None,
        "seen_from_m": None,
    }  # fmt: skip
    assert described["provenance"] == {"seed": 4}
    for name, array in (
        ("bricks", field.bricks),
        ("occupied", field.occupied),
        ("density", field.density),
        ("sh", field.sh),
    ):
        part = described["parts"][name]
        loaded = np.load(tmp_path / part["file"])
        np.testing.assert_array_equal(loaded, array)
        assert (part["dtype"], part["shape"]) == (str(array.dtype), list(array.shape))


def test_two_assets_in_one_folder_do_not_collide(tmp_path: Path) -> None:
    for stem in ("one", "two"):
        npy.encode(Image(np.zeros((1, 1, 1), np.uint8), ColourSpace.DATA), tmp_path, stem, host=host("python"))
    assert len(list(tmp_path.iterdir())) == 4


def rotation(wxyz: list[float]) -> Any:
    w, x, y, z = wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS)
def test_a_placed_point_lands_where_the_row_says(row: Host, tmp_path: Path) -> None:
    """The slow way: place a point in neutral space, then name its coordinates along the host's axes."""
    turn = np.array([0.4, 0.5, -0.2, 0.7])
    w, x, y, z = (float(value) for value in turn / np.linalg.norm(turn))
    placement = Placement("d" * 64, "lamp", (1.0, 2.0, 3.0), (w, x, y, z), (1.0, 2.0, 4.0))
    plan = ScenePlan((placement,), "room", {"mood": "dim"})
    [file] = scene.encode(plan, tmp_path, "room", host=row)
    described = json.loads((tmp_path / file.file).read_text("utf-8"))
    [placed] = described["placements"]
    axes = np.array([WAYS[row.axes.x], WAYS[row.axes.y], WAYS[row.axes.z]])
    point = np.array([0.3, -0.1, 0.2])
    neutral = rotation([w, x, y, z]) @ (point * placement.scale) + placement.position_m
    in_host = rotation(placed["rotation_wxyz"]) @ ((axes @ point) * placed["scale"]) * (1 / row.unit_m)
    np.testing.assert_allclose(in_host + placed["position"], axes @ neutral / row.unit_m, rtol=1e-9, atol=1e-9)
    assert (described["host"], described["unit_m"], described["notes"]) == (row.name, row.unit_m, {"mood": "dim"})
